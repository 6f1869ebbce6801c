//! What the casebook of sorting adds to the sections of a study.

use super::{Measures, examples::ADVERSARIAL};
use crate::{
    Arrays, Cell, CopyHeads, Head, Item, Note, Plot, Section, Study, Table, Unit, WORST, YOURS,
    study::{
        peaks,
        sections::{examples_table, figure, percent},
    },
    tasks::findings::findings_section,
};
use algolens_core::task::{SortedList, Task};
use ndarray::{Axis, Ix2, Ix3, s};

/// Writes the casebook's captions, figures and tables into a study.
pub(super) fn write(task: &SortedList, measures: &Measures, study: &mut Study, arrays: &Arrays) {
    model(task, measures, study);
    attention(measures, study);
    circuits(measures, study, arrays);
    study.take_section("attribution");
    study.take_section("worst");
    let added = [adversarial(measures, study), triples(measures), findings(task, measures, study)];
    study.sections.extend(added);
}

/// The post's evaluation of its own model: loss, mean, median and smallest probability.
const POST: [&str; 4] = ["0.039", "0.966", "0.981", "0.001"];

fn model(task: &SortedList, measures: &Measures, study: &mut Study) {
    let evaluation = study.evaluation;
    let (parameters, seed) = (study.parameters, study.seed.unwrap_or_default());
    let Some(section) = study.section_mut("model") else { return };
    let [token, list] =
        [evaluation.token_accuracy, evaluation.list_accuracy].map(|share| format!("{:.2} %", 100.0 * share));
    section.caption = format!(
        "{parameters} parameters predict {token} of the tokens and sort {list} of the lists, out of {} lists of seed {seed}.",
        evaluation.size
    );
    if let Some(table) = section.table_mut("what_it_is")
        && let Some(Cell::Text(words)) = table.rows.first_mut().and_then(|row| row.get_mut(1))
    {
        let spec = task.spec().to_string();
        let sorts = format!("sort {} distinct values of 0 to {}", task.list_len(), task.max_value());
        *words = words.replacen(&spec, &sorts, 1);
    }
    let Some(table) = section.table_mut("evaluation") else { return };
    if let Some(share) = measures.greedy_list_accuracy {
        let what = Cell::text("lists sorted when it writes the sorted half itself");
        table.rows.push(vec![what, Cell::Number(share, Unit::Accuracy)]);
    }
    if *task == SortedList::POST {
        table.columns.push("the post's".into());
        for (at, row) in table.rows.iter_mut().enumerate() {
            row.push(Cell::text(*POST.get(at).unwrap_or(&"—")));
        }
    }
}

fn attention(measures: &Measures, study: &mut Study) {
    let Some(section) = study.section_mut("attention") else { return };
    let attention = &measures.attention;
    let sep = percent(attention.sep_to_smallest);
    (section.headline, section.caption) = if measures.gaps.is_empty() {
        (format!("{sep} to it"), format!("SEP attends most to the only value in {sep} of the lists."))
    } else {
        let next = percent(attention.next_larger);
        let caption = format!(
            "SEP attends most to the smallest value in {sep} of the lists, and a sorted value to the next larger one in {next} of \
             the cases, in some head."
        );
        (format!("{next} to next"), caption)
    };
    let row = |name: String, shares: [f64; 3]| {
        let shares = shares.map(|share| Cell::Number(share, Unit::Share));
        [Cell::Text(name)].into_iter().chain(shares).collect::<Vec<_>>()
    };
    let heads = attention
        .heads
        .iter()
        .map(|head| row(format!("head {}", head.head), [head.sep_to_smallest, head.next_larger, head.to_itself]));
    let any = row("some head".into(), [attention.sep_to_smallest, attention.next_larger, attention.to_itself]);
    section.items.push(Item::Table(Table {
        id: "attends-most".into(),
        caption: "How often the largest weight goes where the answer is".into(),
        columns: ["attends most", "SEP to smallest", "d to next larger", "d to itself"].map(String::from).to_vec(),
        rows: heads.chain([any]).collect(),
    }));
}

/// The first few ranges of values with one copying head, in words.
fn ranges(copy_heads: &CopyHeads) -> String {
    const SHOWN: usize = 6;
    let ranges = &copy_heads.ranges;
    let shown = ranges.iter().take(SHOWN).map(ToString::to_string);
    let more = if ranges.len() > SHOWN { format!(" and {} more ranges", ranges.len() - SHOWN) } else { String::new() };
    shown.collect::<Vec<_>>().join(", ") + &more
}

fn circuits(measures: &Measures, study: &mut Study, arrays: &Arrays) {
    let whole = study.shown.is_all(&study.config);
    let copied = percent(measures.copy_heads.copied);
    let caption =
        format!("{copied} of the values are copied by the head that serves them ({}).", ranges(&measures.copy_heads));
    let caption = study.with_not_shown(caption);
    // Every token but the separator.
    let values = study.config.d_vocab - 1;
    let heads = Head::of_layer(&study.config, 0);
    let Some(section) = study.section_mut("circuits") else { return };
    section.headline = format!("{copied} copied");
    section.caption = caption;
    // The rows of a part are no values in order.
    if !whole {
        return;
    }
    for head in heads {
        let at = head.head;
        if let Some(figure) = section.figure_mut(&format!("ov-{at}")) {
            let peaks = peaks_of(arrays, "W_OV_full", head, values, usize::MAX);
            let served: Vec<_> =
                peaks.into_iter().filter(|(value, _)| serves(&measures.copy_heads, head, *value)).collect();
            let right = served.iter().filter(|(value, peak)| value == peak).count();
            figure.title = format!("OV: head {head} copies {right} of the {} values it serves", served.len());
            figure.how = "Rows are attended to, columns are predicted. A red diagonal copies; the line beside it marks the values \
                          that each head serves."
                .into();
            if let Plot::Matrix { ranges, .. } = &mut figure.plot {
                ranges.clone_from(&measures.copy_heads.ranges);
            }
        }
        for (id, array, what) in
            [("qk", "W_QK_full", "QK of the weights alone"), ("qk-effective", "QK_effective", "QK as the model scores")]
        {
            if let Some(figure) = section.figure_mut(&format!("{id}-{at}")) {
                let rows = values.saturating_sub(1);
                let peaks = peaks_of(arrays, array, head, rows, values);
                let larger = peaks.into_iter().filter(|(value, peak)| peak > value).count();
                figure.title = format!("{what}: in head {head} {larger} of {rows} values prefer a larger one");
            }
        }
    }
    if let (Some(figure), Ok(direct)) =
        (section.figure_mut("direct"), arrays["direct_path"].view().into_dimensionality::<Ix2>())
    {
        let rows = values.saturating_sub(2);
        let next = (0..rows).filter(|d| direct[[*d, d + 1]] > direct[[*d, d + 2]]).count();
        figure.title = format!("The direct path boosts d+1 more than d+2 for {next} of {rows} values d");
    }
}

fn serves(copy_heads: &CopyHeads, head: Head, value: usize) -> bool {
    let range = copy_heads.ranges.iter().find(|range| (range.from..=range.to).contains(&(value as u32)));
    range.is_some_and(|range| range.head == head)
}

/// The place of the largest number in each of the first rows of a head's matrix, among its first columns, NaN left out.
fn peaks_of(arrays: &Arrays, array: &str, head: Head, rows: usize, columns: usize) -> Vec<(usize, usize)> {
    let Ok(matrix) = arrays[array].view().into_dimensionality::<Ix3>() else { return Vec::new() };
    let matrix = matrix.index_axis_move(Axis(0), head.head);
    peaks(matrix.slice(s![..rows, ..columns.min(matrix.ncols())])).collect()
}

fn adversarial(measures: &Measures, study: &Study) -> Section {
    let mut items = Vec::new();
    if !measures.gaps.is_empty() {
        items.push(gaps(measures));
    }
    if !measures.smallest.is_empty() {
        items.push(smallest(measures));
    }
    let groups = [
        (ADVERSARIAL, "The post's lists"),
        (WORST, "The worst of many random lists: the least probability on a right answer"),
        (YOURS, "Your lists"),
    ];
    let tables = groups.into_iter().filter_map(|(group, caption)| {
        let table = examples_table(study, group)?;
        Some(Item::Table(Table { caption: caption.into(), ..table }))
    });
    items.extend(tables);
    let (headline, caption) = match measures.gaps.iter().min_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) {
        None => (String::new(), "Lists of this task have no gaps.".into()),
        Some(worst) => (
            format!("{} at gap {}", percent(worst.accuracy), worst.gap),
            format!(
                "The step over a gap is hardest at a gap of {}: there {} of the predictions are right, and {} of the values \
                 attend most to themselves.",
                worst.gap,
                percent(worst.accuracy),
                percent(worst.self_attention)
            ),
        ),
    };
    Section { id: "adversarial".into(), title: "Adversarial lists".into(), headline, caption, items }
}

fn lines(values: &str, over: &str, series: &[&str]) -> Plot {
    Plot::Lines {
        values: values.into(),
        over: over.into(),
        series: series.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn gaps(measures: &Measures) -> Item {
    let title = match measures.gaps.iter().find(|point| point.accuracy < 0.5) {
        Some(point) => {
            format!("A gap of {} is too wide: {} of the answers over it are right", point.gap, percent(point.accuracy))
        }
        None => "Most answers are right over every gap".into(),
    };
    let how = "Random lists in which y follows x with the gap between them: how often y is predicted after x, how often x attends \
               most to itself in some head, and the mean probabilities of both.";
    figure(
        "gaps",
        title,
        how,
        lines("gaps", "gap between x and y", &["accuracy", "attention to itself", "p(x)", "p(y)"]),
    )
}

fn smallest(measures: &Measures) -> Item {
    let title = match measures.smallest.iter().find(|point| point.accuracy < 0.5) {
        Some(point) => format!(
            "Lists without values below {} are too high: SEP finds {} of their smallest values",
            point.smallest,
            percent(point.accuracy)
        ),
        None => "SEP finds most smallest values, however large".into(),
    };
    let how = "Random lists with a given smallest value: how often SEP predicts it, and how often SEP attends most to it in some \
               head.";
    let series = ["accuracy at SEP", "attention to the smallest value"];
    figure("smallest", title, how, lines("smallest", "smallest value of the list", &series))
}

fn names(names: [&str; 2]) -> Vec<String> {
    names.map(String::from).to_vec()
}

fn triples(measures: &Measures) -> Section {
    let mut items = Vec::new();
    let (rows, columns) = (|| names(["pred = y", "pred = z"]), || names(["src = y", "src = z"]));
    if !measures.triples.is_empty() {
        let ahead = measures.triples.iter().filter(|t| t.dla[0].iter().sum::<f64>() > t.dla[1].iter().sum()).count();
        let how = "Direct logit attribution, at x, from the sources y and z to the predictions y and z, through the head that \
                   serves y.";
        let plot = Plot::Blocks {
            values: "triples_post".into(),
            names: measures.triples.iter().map(|t| format!("{}, {}, {} · head 0.{}", t.x, t.y, t.z, t.head)).collect(),
            rows: rows(),
            columns: columns(),
            unit: "logits".into(),
        };
        let title = format!("In {ahead} of the post's {} triples y gains more than z", measures.triples.len());
        items.push(figure("triples-post", title, how, plot));
    }
    let (headline, caption) = match &measures.close_triples {
        None => (String::new(), "Lists of this task are too short for three close values.".into()),
        Some(found) => {
            let how = "All x < y < z up to x + 4, each in random lists. The explanation asks for: y → y and z → z high, z → y a \
                       little above zero, y → z below.";
            let plot = Plot::Boxes {
                values: "triple_dla".into(),
                items: "triple_tokens".into(),
                tokens: ["x", "y", "z"].map(String::from).to_vec(),
                rows: rows(),
                columns: columns(),
                unit: "logits".into(),
            };
            let title = format!("The four attributions over {} close triples", found.count);
            items.push(figure("triples-all", title, how, plot));
            let cell = |p: usize, s: usize, sign: &str| {
                let note = format!("{} are {sign} 0", percent(found.expected_sign[p][s]));
                Cell::Noted(found.mean[p][s], Unit::Logits, note)
            };
            items.push(Item::Table(Table {
                id: "close-triples".into(),
                caption: format!(
                    "Mean over all {} close triples, in logits, and how often the sign is the expected one",
                    found.count
                ),
                columns: ["", "src = y", "src = z"].map(String::from).to_vec(),
                rows: vec![
                    vec![Cell::text("pred = y"), cell(0, 0, ">"), cell(0, 1, ">")],
                    vec![Cell::text("pred = z"), cell(1, 0, "<"), cell(1, 1, ">")],
                ],
            }));
            (
                format!("{} for y", percent(found.y_ahead)),
                format!(
                    "In {} of the {} close triples x < y < z the sources y and z together favour y, whatever attention favours.",
                    percent(found.y_ahead),
                    found.count
                ),
            )
        }
    };
    Section { id: "triples".into(), title: "The [d, d+1, d+2] question".into(), headline, caption, items }
}

fn findings(task: &SortedList, measures: &Measures, study: &Study) -> Section {
    let mut notes = Vec::new();
    if *task == SortedList::POST {
        let lines = [
            "The positional plot: the prose puts token embeddings on the query side and positional ones on the key side; the code \
             multiplies W_pos on the query side and W_E on the key side. The argument about late positions is about the latter, \
             which is what claims are measured on here; both are drawn.",
            "“0.1 … and 0.1”: the conclusion about OV names head 0.1 twice; by the plots the second one, for 28 to 37, is head \
             0.0.",
            "“5 examples”: the code has four.",
        ];
        let title = "Where the post's prose and its own code disagree";
        notes.push(Item::Note(Note { title: Some(title.into()), lines: lines.map(String::from).to_vec() }));
    }
    findings_section(study, |claim| shown_at(claim, measures), notes)
}

/// Where the study shows what a claim is about.
fn shown_at(claim: &str, measures: &Measures) -> &'static str {
    match claim {
        // Short lists have no such figures.
        "gaps_lose_the_answer" | "large_gaps_fail" if measures.gaps.is_empty() => "adversarial",
        "triple_signs" | "y_ahead" | "cross_terms_decide" if measures.close_triples.is_none() => "triples",
        "next_larger" | "sep_to_smallest" | "predicted_is_attended" => "fig-pattern",
        "sep_falls_off" | "large_values_break_sep" | "large_lists_fail_at_sep" => "fig-smallest",
        "head_order" => "fig-ablation",
        "copying"
        | "split"
        | "minor_head_serves_28_to_37"
        | "ov_asymmetry"
        | "minor_heads_anti_copy"
        | "main_head_does_not_anti_copy" => "fig-ov-0",
        "direct_path_boosts_next" => "fig-direct",
        "large_values_attend_to_zero" => "fig-qk-bar",
        "late_positions_avoid_small" => "fig-pos-query-0",
        "cancellation" => "fig-terms",
        "gaps_lose_the_answer" | "large_gaps_fail" => "fig-gaps",
        "triple_signs" | "y_ahead" | "cross_terms_decide" => "fig-triples-all",
        _ => "triples",
    }
}
