//! The page: one HTML file with its styles, scripts and data.

use crate::{Report, ReportError, data::data, sections::section};
use algolens::interpret::{Known, Study};
use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

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
    include_str!("../assets/viewer/80-lists.js"),
    include_str!("../assets/viewer/90-start.js"),
];

/// The page of a report, as HTML.
///
/// # Errors
/// Results that JSON cannot hold, or a study that is not whole.
pub fn page(report: &Report) -> Result<String, ReportError> {
    let scripts = [PLOTLY.to_owned(), format!("(() => {{\n\"use strict\";\n{}}})();\n", VIEWER.concat())];
    let (study, sections) = (report.study, report.sections());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy(&scripts));
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (study.title) " · algolens" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (bar(study))
                div #strip {}
                nav #rail aria-label="Sections" {
                    @for section in &sections {
                        a href={ "#" (section.id) } { (section.title) " " small { (section.headline) } }
                    }
                }
                main {
                    @for one in &sections { (section(one, study)) }
                    noscript { p.note { "The figures need JavaScript; headings and tables do not." } }
                }
                // JSON inside of a script ends at "</script": no "<" may stand in it as it is.
                script type="application/json" id="data" { (PreEscaped(data(report)?.replace('<', "\\u003c"))) }
                @for script in &scripts { script { (PreEscaped(script)) } }
            }
        }
    };
    Ok(page.into_string())
}

/// The page's Content-Security-Policy: its own scripts by their hashes and inline styles, and no requests.
fn policy(scripts: &[String]) -> String {
    let hash = |script: &String| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)));
    let hashes: Vec<String> = scripts.iter().map(hash).collect();
    format!("default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data: blob:", hashes.join(" "))
}

/// The bar at the top: title, accuracies and buttons.
fn bar(study: &Study) -> Markup {
    let evaluation = &study.evaluation;
    let of_sample = || format!("{:.2} %", 100.0 * evaluation.list_accuracy);
    let right = study.known.as_ref().map_or_else(of_sample, Known::headline);
    html! {
        header #bar {
            h1 { (study.title) }
            p {
                span { "tokens right " b { (format!("{:.2} %", 100.0 * evaluation.token_accuracy)) } }
                " · "
                span { "examples right " b { (right) } }
            }
            button #theme type="button" aria-label="Switch between light and dark" { "◐" }
            button #menu type="button" aria-expanded="false" aria-controls="rail" { "Sections" }
        }
    }
}
