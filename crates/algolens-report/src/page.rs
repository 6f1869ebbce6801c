//! The page: one HTML file with its styles, scripts and data.

use crate::{
    FigureFile, Report, ReportError,
    data::{data, light_data},
    figure::{card, needs_plotly, picture},
    figures::figures,
    sections::section,
};
use algolens::interpret::{Figure, Known, Section, Study};
use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use std::{borrow::Borrow, collections::BTreeMap};

const STYLE: &str = include_str!("../assets/style.css");
const PLOTLY: &str = include_str!("../assets/plotly/plotly-cartesian.min.js");

/// The script that draws the figures, one subject a file; they share one scope.
const VIEWER: &[&str] = &[
    include_str!("../assets/viewer/10-data.js"),
    include_str!("../assets/viewer/12-text.js"),
    include_str!("../assets/viewer/14-dom.js"),
    include_str!("../assets/viewer/16-classes.js"),
    include_str!("../assets/viewer/20-state.js"),
    include_str!("../assets/viewer/22-fragment.js"),
    include_str!("../assets/viewer/30-theme.js"),
    include_str!("../assets/viewer/35-plots.js"),
    include_str!("../assets/viewer/37-grid.js"),
    include_str!("../assets/viewer/40-figures.js"),
    include_str!("../assets/viewer/45-export.js"),
    include_str!("../assets/viewer/50-strip.js"),
    include_str!("../assets/viewer/55-rail.js"),
    include_str!("../assets/viewer/60-training.js"),
    include_str!("../assets/viewer/61-probs.js"),
    include_str!("../assets/viewer/62-thumbs.js"),
    include_str!("../assets/viewer/63-pattern.js"),
    include_str!("../assets/viewer/64-tokens.js"),
    include_str!("../assets/viewer/65-terms.js"),
    include_str!("../assets/viewer/66-bars.js"),
    include_str!("../assets/viewer/67-matrix.js"),
    include_str!("../assets/viewer/68-qk-bar.js"),
    include_str!("../assets/viewer/69-lines.js"),
    include_str!("../assets/viewer/70-blocks.js"),
    include_str!("../assets/viewer/71-class-map.js"),
    include_str!("../assets/viewer/72-counterexample.js"),
    include_str!("../assets/viewer/73-runs.js"),
    include_str!("../assets/viewer/74-strips.js"),
    include_str!("../assets/viewer/80-lists.js"),
    include_str!("../assets/viewer/90-start.js"),
];

/// The page of a report, as HTML.
///
/// # Errors
/// Results that JSON cannot hold, or a study that is not whole.
pub fn page(report: &Report) -> Result<String, ReportError> {
    Ok(document(&report.study.title, None, &report_body(report, &card), &data(report)?, Plotly::With))
}

/// A light page of a report, a tenth of the whole: small figures are pictures, tokens and heads can be chosen, and large figures are
/// named only.
///
/// # Errors
/// As [`page`], and figures that cannot be drawn.
pub fn light_page(report: &Report) -> Result<String, ReportError> {
    let drawn: BTreeMap<String, String> =
        figures(report)?.into_iter().map(|FigureFile { name, svg, .. }| (name, svg)).collect();
    let light = |figure: &Figure| match drawn.get(&figure.id) {
        _ if !needs_plotly(&figure.plot) => card(figure),
        Some(svg) if svg.len() <= LIGHT => picture(figure, Some(svg)),
        _ => picture(figure, None),
    };
    let data = light_data(report, &|plot| !needs_plotly(plot))?;
    Ok(document(&report.study.title, None, &report_body(report, &light), &data, Plotly::Without))
}

/// The most bytes of a picture on a light page.
const LIGHT: usize = 40_000;

/// The body of a report's page, its figures as cards.
fn report_body(report: &Report, card: &dyn Fn(&Figure) -> Markup) -> Markup {
    let study = report.study;
    body(&bar(&study.title, &accuracies(study)), &report.sections(), Some(study), card)
}

/// A body below its bar: the rail of sections, and the sections with their figures as cards; without a study where they are of no
/// single model.
pub(crate) fn body(
    bar: &Markup,
    sections: &[impl Borrow<Section>],
    study: Option<&Study>,
    card: &dyn Fn(&Figure) -> Markup,
) -> Markup {
    let sections = || sections.iter().map(Borrow::borrow);
    html! {
        (bar)
        div #strip {}
        nav #rail aria-label="Sections" {
            @for Section { id, title, headline, .. } in sections() {
                a href={ "#" (id) } { (title) " " small { (headline) } }
            }
        }
        main {
            @for one in sections() { (section(one, study, card)) }
            noscript { p.note { "The figures need JavaScript; headings and tables do not." } }
        }
    }
}

/// Whether a page carries plotly: it is most of its size.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plotly {
    With,
    Without,
}

/// A document whose body is drawn on by the viewer from data, as JSON; `class` is its body's.
pub(crate) fn document(title: &str, class: Option<&str>, body: &Markup, data: &str, plotly: Plotly) -> String {
    let viewer = format!("(() => {{\n\"use strict\";\n{}}})();\n", VIEWER.concat());
    let scripts = match plotly {
        Plotly::With => vec![PLOTLY.to_owned(), viewer],
        Plotly::Without => vec![viewer],
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(&scripts));
                meta name="generator" content=(concat!("algolens ", env!("CARGO_PKG_VERSION")));
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · algolens" }
                style { (PreEscaped(STYLE)) }
            }
            body class=[class] {
                (body)
                // JSON inside of a script ends at "</script": no "<" may stand in it as it is.
                script type="application/json" id="data" { (PreEscaped(data.replace('<', "\\u003c"))) }
                @for script in &scripts { script { (PreEscaped(script)) } }
            }
        }
    };
    page.into_string()
}

/// The page's Content-Security-Policy: its own scripts by their hashes and inline styles, and no requests.
fn policy(scripts: &[String]) -> String {
    let hash = |script: &String| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)));
    let hashes: Vec<String> = scripts.iter().map(hash).collect();
    format!("default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data: blob:", hashes.join(" "))
}

/// The bar at the top: a title, what stands beside it, and buttons.
pub(crate) fn bar(title: &str, beside: &Markup) -> Markup {
    html! {
        header #bar {
            h1 { (title) }
            p { (beside) }
            button #theme type="button" aria-label="Switch between light and dark" { "◐" }
            button #menu type="button" aria-expanded="false" aria-controls="rail" { "Sections" }
        }
    }
}

/// The accuracies of a study's model.
fn accuracies(study: &Study) -> Markup {
    let evaluation = &study.evaluation;
    let of_sample = || format!("{:.2} %", 100.0 * evaluation.list_accuracy);
    let right = study.known.as_ref().map_or_else(of_sample, Known::headline);
    html! {
        span { "tokens right " b { (format!("{:.2} %", 100.0 * evaluation.token_accuracy)) } }
        " · "
        span { "examples right " b { (right) } }
    }
}
