//! The bodies of the sections: tables and figure cards.

use crate::{
    Report, ReportError,
    data::Labels,
    figure::{Figure, pair},
    proof, tables, titles,
};
use algolens::{
    interpret::{Group, Head},
    task::{SortedList, Task},
};
use maud::{Markup, html};

/// The body of the section with this id.
///
/// # Errors
/// A section that has no body, or a claim or array that it has no place for.
pub(crate) fn body(id: &str, report: &Report) -> Result<Markup, ReportError> {
    let unknown = || ReportError::UnknownSection(id.into());
    Ok(match id {
        "model" => model(report),
        "predictions" => predictions(),
        "attention" => attention(report),
        "ablation" => ablation(report),
        "circuits" => circuits(report)?,
        "adversarial" => adversarial(report),
        "triples" => triples(report),
        "findings" => findings(report)?,
        "proof" => proof::body(&report.proof.ok_or_else(unknown)?.certificate),
        _ => return Err(unknown()),
    })
}

fn model(report: &Report) -> Markup {
    html! {
        div.pair { (tables::model(report)) div { (tables::evaluation(report.results)) @if let Some(training) = report.training { (tables::training(training)) } } }
        @if let Some(last) = report.training.and_then(|training| training.history.last()) {
            (Figure {
                id: "training",
                kind: "training",
                title: format!("After {} epochs the validation loss is {:.3} nats", last.epoch, last.validation_loss),
                how: "Loss and accuracy by epoch, while training and on fresh lists; the marked epoch's weights were kept.",
                ..Figure::default()
            }.card())
        }
    }
}

fn predictions() -> Markup {
    Figure {
        id: "probs",
        kind: "probs",
        title: "What the model says of the list".into(),
        how: "Each column is one prediction: the probability of every token after the one below. The ring is the right \
              answer; a cross is what the model says instead.",
        ..Figure::default()
    }
    .card()
}

fn attention(report: &Report) -> Markup {
    let figure = |id, kind, title: &str, how| Figure { id, kind, title: title.into(), how, ..Figure::default() }.card();
    html! {
        (figure("thumbs", "thumbs", "Every head at a glance",
            "Rows attend, columns are attended to. Choose the heads that the figures below and the strip above show."))
        (figure("pattern", "pattern", "Who attends to whom",
            "Each row sums to 1. Choose a cell to see what its score is made of."))
        (figure("tokens", "tokens", "Attention over the tokens",
            "Above, what the chosen token attends to; below, who attends to it. A bar is a weight, in the colour of its head."))
        (figure("terms", "terms", "What a score is made of",
            "The score before the softmax as a sum over what the query and the key are made of; each term is given relative \
             to its mean over the keys that the query sees."))
        @if report.results.config.n_layers > 1 {
            p.note { "Score terms and circuits are those of the first block, whose inputs are a token and a position." }
        }
    }
}

fn ablation(report: &Report) -> Markup {
    Figure {
        id: "ablation",
        kind: "ablation",
        title: titles::ablation(report.results).unwrap_or_default(),
        how: "In nats: each part replaced by its mean over the data, by zero, or by what it is on other lists.",
        ..Figure::default()
    }
    .card()
}

/// A circuit that is drawn head by head: the id of its cards, its array, and how to read it.
struct Circuit {
    id: &'static str,
    array: &'static str,
    how: &'static str,
}

const OV: Circuit = Circuit {
    id: "ov",
    array: "W_OV_full",
    how: "Rows are attended to, columns are predicted. A red diagonal copies; the line beside it marks the values that each \
          head serves.",
};
const QK: Circuit = Circuit {
    id: "qk",
    array: "W_QK_full",
    how: "As the post draws it: products of weights alone, without norms, biases and positions.",
};
const EFFECTIVE_QK: Circuit = Circuit {
    id: "qk-effective",
    array: "QK_effective",
    how: "As the model scores: means over data, with norms, biases and positions, less what is constant for a query. Blank \
          where no list has the pair.",
};
const QK_POS_QUERY: Circuit = Circuit {
    id: "pos-query",
    array: "W_QK_pos_query",
    how: "Rows are positions that attend, columns are tokens that are attended to.",
};
const QK_POS_KEY: Circuit = Circuit {
    id: "pos-key",
    array: "W_QK_pos_key",
    how: "Rows are tokens that attend, columns are positions that are attended to.",
};

impl Circuit {
    /// The card of one head's circuit.
    fn card(&self, head: Head, title: String) -> Markup {
        let id = format!("{}-{}", self.id, head.head);
        Figure { id: &id, kind: "matrix", array: Some(self.array), head: Some(head.head), title, how: self.how }.card()
    }
}

/// Both QK maps of a head, side by side.
fn qk_pair(report: &Report, head: Head) -> Result<Markup, ReportError> {
    let card = |circuit: Circuit, what: &str| -> Result<Markup, ReportError> {
        Ok(circuit.card(head, titles::qk(report, circuit.array, what, head)?))
    };
    Ok(pair([card(QK, "QK as the post draws it")?, card(EFFECTIVE_QK, "QK as the model scores")?]))
}

fn circuits(report: &Report) -> Result<Markup, ReportError> {
    let heads = Head::of_layer(&report.results.config, 0);
    let ov = |head: &Head| -> Result<Markup, ReportError> { Ok(OV.card(*head, titles::ov(report, *head)?)) };
    let positional = |circuit: Circuit, what: &str| {
        pair(heads.iter().map(|head| circuit.card(*head, format!("{what}, head {head}"))))
    };
    Ok(html! {
        (pair(heads.iter().map(ov).collect::<Result<Vec<_>, _>>()?))
        (Figure {
            id: "qk-bar",
            kind: "qk-bar",
            title: "Whom a token attends to".into(),
            how: "Scores of one destination token for every source token. As drawn by the post and as the model really scores, \
                  the ranking can differ: the weights alone leave out norms, biases and positions.",
            ..Figure::default()
        }.card())
        @for head in &heads { (qk_pair(report, *head)?) }
        (positional(QK_POS_QUERY, "QK of the positions that attend"))
        (positional(QK_POS_KEY, "QK of the positions that are attended to"))
        (Figure {
            id: "direct",
            kind: "matrix",
            array: Some("direct_path"),
            title: titles::direct(report)?,
            how: "Rows are tokens, columns are predicted: W_E W_U, what a token says at its own position.",
            ..Figure::default()
        }.card())
    })
}

fn adversarial(report: &Report) -> Markup {
    let results = report.results;
    let labels = Labels::new(results).tokens;
    let in_group = |group: Group| -> Vec<_> {
        let lists = results.lists.iter().enumerate().filter(|(_, list)| list.group == group);
        lists.map(|(at, list)| (at, &list.prediction)).collect()
    };
    let table = |caption: &str, group: Group| {
        let lists = in_group(group);
        html! { @if !lists.is_empty() { (tables::lists(caption, &lists, &labels)) } }
    };
    html! {
        @if !results.gaps.is_empty() {
            (Figure {
                id: "gaps",
                kind: "gaps",
                title: titles::gaps(results),
                how: "Random lists in which y follows x with the gap between them: how often y is predicted after x, how often x \
                      attends most to itself in some head, and the mean probabilities of both.",
                ..Figure::default()
            }.card())
        }
        @if !results.smallest.is_empty() {
            (Figure {
                id: "smallest",
                kind: "smallest",
                title: titles::smallest(results),
                how: "Random lists with a given smallest value: how often SEP predicts it, and how often SEP attends most to it in \
                      some head.",
                ..Figure::default()
            }.card())
        }
        (table("The post's lists", Group::PostAdversarial))
        (table("The worst of many random lists: the least probability on a right answer", Group::Worst))
        (table("Your lists", Group::Yours))
    }
}

fn triples(report: &Report) -> Markup {
    let results = report.results;
    let ahead = results.triples.iter().filter(|t| t.dla[0].iter().sum::<f64>() > t.dla[1].iter().sum()).count();
    html! {
        @if !results.triples.is_empty() {
            (Figure {
                id: "triples-post",
                kind: "triples-post",
                title: format!("In {ahead} of the post's {} triples y gains more than z", results.triples.len()),
                how: "Direct logit attribution, at x, from the sources y and z to the predictions y and z, through the head that \
                      serves y.",
                ..Figure::default()
            }.card())
        }
        @if let Some(found) = &results.close_triples {
            (Figure {
                id: "triples-all",
                kind: "triples-all",
                title: format!("The four attributions over {} close triples", found.count),
                how: "All x < y < z up to x + 4, each in random lists. The explanation asks for: y → y and z → z high, z → y \
                      a little above zero, y → z below.",
                ..Figure::default()
            }.card())
        }
        (tables::close_triples(results))
    }
}

fn findings(report: &Report) -> Result<Markup, ReportError> {
    let results = report.results;
    Ok(html! {
        (tables::findings(results)?)
        @if results.task == SortedList::POST.spec() {
            h3 { "Where the post's prose and its own code disagree" }
            ul.note {
                li { "The positional plot: the prose puts token embeddings on the query side and positional ones on the key side; \
                      the code multiplies W_pos on the query side and W_E on the key side. The argument about late positions is \
                      about the latter, which is what claims are measured on here; both are drawn." }
                li { "“0.1 … and 0.1”: the conclusion about OV names head 0.1 twice; by the plots the second one, for 28 to 37, is \
                      head 0.0." }
                li { "“5 examples”: the code has four." }
            }
        }
    })
}
