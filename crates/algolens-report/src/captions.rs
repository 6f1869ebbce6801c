//! Headings and captions of the sections, with this model's numbers.

use crate::{Report, proof};
use algolens::interpret::{StudyResults, Verdict};

/// A section's id, name, headline (beside the name in the rail) and caption.
pub(crate) struct Caption {
    pub id: &'static str,
    pub name: &'static str,
    pub headline: String,
    pub text: String,
}

/// A share in percent, with one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// The captions of the page's sections, in order: eight, and the proof's if there is one.
pub(crate) fn captions(report: &Report) -> Vec<Caption> {
    let results = report.results;
    let caption = |id, name, (headline, text)| Caption { id, name, headline, text };
    let mut captions = vec![
        caption("model", "The model", model(results)),
        caption("predictions", "Predictions", predictions(results)),
        caption("attention", "Attention", attention(results)),
        caption("ablation", "Ablation", ablation(results)),
        caption("circuits", "Circuits", circuits(results)),
        caption("adversarial", "Adversarial lists", adversarial(results)),
        caption("triples", "The [d, d+1, d+2] question", triples(results)),
        caption("findings", "Findings", findings(results)),
    ];
    captions.extend(report.proof.map(|found| caption("proof", "Proof", proof::caption(&found.certificate))));
    captions
}

fn model(results: &StudyResults) -> (String, String) {
    let evaluation = &results.evaluation;
    let [token, list] =
        [evaluation.token_accuracy, evaluation.list_accuracy].map(|share| format!("{:.2} %", 100.0 * share));
    (
        format!("{token} right"),
        format!(
            "{} parameters predict {token} of the tokens and sort {list} of the lists, out of {} lists of seed {}.",
            results.parameters, evaluation.size, results.seed
        ),
    )
}

fn predictions(results: &StudyResults) -> (String, String) {
    let wrong = results.lists.iter().filter(|list| !list.prediction.correct).count();
    let headline = format!("{wrong} of {} wrong", results.lists.len());
    let text = format!(
        "Of the {} lists looked at {wrong} are sorted wrong; over random lists the right token gets {} on average and \
         never less than {}.",
        results.lists.len(),
        percent(results.evaluation.mean_prob),
        percent(results.evaluation.min_prob)
    );
    (headline, text)
}

fn attention(results: &StudyResults) -> (String, String) {
    let attention = &results.attention;
    if results.gaps.is_empty() {
        let text =
            format!("SEP attends most to the only value in {} of the lists.", percent(attention.sep_to_smallest));
        return (format!("{} to it", percent(attention.sep_to_smallest)), text);
    }
    (
        format!("{} to next", percent(attention.next_larger)),
        format!(
            "SEP attends most to the smallest value in {} of the lists, and a sorted value to the next larger one in {} of the \
             cases, in some head.",
            percent(attention.sep_to_smallest),
            percent(attention.next_larger)
        ),
    )
}

fn ablation(results: &StudyResults) -> (String, String) {
    match results.ablation.mean.iter().max_by(|a, b| a.1.total_cmp(b.1)) {
        None => (String::new(), String::new()),
        Some((head, cost)) => (
            format!("{head}: {cost:.2} nats"),
            format!("Without head {head}, which matters most, the loss rises by {cost:.3} nats (mean ablation)."),
        ),
    }
}

/// The first few ranges of values with one copying head, in words.
pub(crate) fn ranges(results: &StudyResults) -> String {
    const SHOWN: usize = 6;
    let ranges = &results.copy_heads.ranges;
    let shown = ranges.iter().take(SHOWN).map(|range| format!("{}–{} by {}", range.from, range.to, range.head));
    let more = if ranges.len() > SHOWN { format!(" and {} more ranges", ranges.len() - SHOWN) } else { String::new() };
    shown.collect::<Vec<_>>().join(", ") + &more
}

fn circuits(results: &StudyResults) -> (String, String) {
    let copied = percent(results.copy_heads.copied);
    (
        format!("{copied} copied"),
        format!("{copied} of the values are copied by the head that serves them ({}).", ranges(results)),
    )
}

fn adversarial(results: &StudyResults) -> (String, String) {
    match results.gaps.iter().min_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) {
        None => (String::new(), "Lists of this task have no gaps.".into()),
        Some(worst) => (
            format!("{} at gap {}", percent(worst.accuracy), worst.gap),
            format!(
                "The step over a gap is hardest at a gap of {}: there {} of the predictions are right, and {} of the values attend \
                 most to themselves.",
                worst.gap,
                percent(worst.accuracy),
                percent(worst.self_attention)
            ),
        ),
    }
}

fn triples(results: &StudyResults) -> (String, String) {
    match &results.close_triples {
        None => (String::new(), "Lists of this task are too short for three close values.".into()),
        Some(found) => (
            format!("{} for y", percent(found.y_ahead)),
            format!(
                "In {} of the {} close triples x < y < z the sources y and z together favour y, whatever attention favours.",
                percent(found.y_ahead),
                found.count
            ),
        ),
    }
}

fn findings(results: &StudyResults) -> (String, String) {
    let count = |verdict| results.findings.iter().filter(|finding| finding.verdict == verdict).count();
    let asked = results.findings.len() - count(Verdict::NotAsked);
    let holds = count(Verdict::Holds);
    (
        format!("{holds} of {asked} hold"),
        format!(
            "Of {asked} claims {holds} hold on this model and in no control that they must beat, {} hold as a control does, {} hold \
             partly and {} fail.",
            count(Verdict::HoldsAsControl),
            count(Verdict::Partly),
            count(Verdict::Fails)
        ),
    )
}
