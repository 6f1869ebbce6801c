//! The section about circuits of the first block.

use super::figure;
use crate::{
    Head,
    study::{
        data::Study,
        figure::{Axis, AxisLabels, Plot},
        section::{Item, Section},
    },
    support::check_scores,
};

/// A circuit that is drawn head by head: its figures' name, its array, how to read it, and its axes.
struct Circuit {
    id: &'static str,
    array: &'static str,
    how: &'static str,
    rows: (AxisLabels, &'static str),
    columns: (AxisLabels, &'static str),
}

const OV: Circuit = Circuit {
    id: "ov",
    array: "W_OV_full",
    how: "Rows are attended to, columns are predicted.",
    rows: (AxisLabels::Tokens, "source token"),
    columns: (AxisLabels::Classes, "prediction"),
};
/// How to read an OV circuit whose rows and columns are the same tokens.
const COPYING_HOW: &str = "Rows are attended to, columns are predicted. A red diagonal copies.";
const QK: Circuit = Circuit {
    id: "qk",
    array: "W_QK_full",
    how: "Products of weights alone, without norms, biases and positions.",
    rows: (AxisLabels::Tokens, "attending token"),
    columns: (AxisLabels::Tokens, "attended token"),
};
const EFFECTIVE_QK: Circuit = Circuit {
    id: "qk-effective",
    array: "QK_effective",
    how: "As the model scores: means over data, with norms, biases and positions, less what is constant for a query. Blank \
          where no list has the pair.",
    ..QK
};
const QK_POS_QUERY: Circuit = Circuit {
    id: "pos-query",
    array: "W_QK_pos_query",
    how: "Rows are positions that attend, columns are tokens that are attended to.",
    rows: (AxisLabels::Positions, "attending position"),
    columns: (AxisLabels::Tokens, "attended token"),
};
const QK_POS_KEY: Circuit = Circuit {
    id: "pos-key",
    array: "W_QK_pos_key",
    how: "Rows are tokens that attend, columns are positions that are attended to.",
    rows: (AxisLabels::Tokens, "attending token"),
    columns: (AxisLabels::Positions, "attended position"),
};

impl Circuit {
    fn plot(&self, head: Option<usize>) -> Plot {
        let axis = |(labels, title): (AxisLabels, &str)| Axis { title: title.into(), labels };
        Plot::Matrix {
            array: self.array.into(),
            head,
            rows: axis(self.rows),
            columns: axis(self.columns),
            unit: "logits".into(),
            ranges: Vec::new(),
        }
    }

    /// The figure of one head's circuit.
    fn figure(&self, head: Head, title: String) -> Item {
        figure(format!("{}-{}", self.id, head.head), title, self.how, self.plot(Some(head.head)))
    }
}

/// What heads copy, by their OV circuits.
struct Copying {
    /// Whether answers are tokens: else nothing can be copied.
    possible: bool,
    /// How many of the shown tokens each head copies.
    heads: Vec<(Head, usize)>,
    /// How many tokens are shown.
    tokens: usize,
    /// These tokens, in words.
    of_tokens: String,
}

impl Copying {
    fn of(study: &Study, copied: &[usize]) -> Self {
        let tokens = study.shown.tokens.len();
        let whole = tokens == study.config.d_vocab;
        Self {
            possible: study.labels.classes_are_tokens(),
            heads: Head::of_layer(&study.config, 0).into_iter().zip(copied.iter().copied()).collect(),
            tokens,
            of_tokens: if whole { format!("{tokens} tokens") } else { format!("the {tokens} tokens that are shown") },
        }
    }

    /// The headline and the caption of the section.
    fn words(&self) -> (String, String) {
        let most = self.heads.iter().max_by_key(|(head, copied)| (*copied, std::cmp::Reverse(*head)));
        match most.filter(|_| self.possible) {
            Some((head, copied)) => (
                format!("{head} copies {copied} of {}", self.tokens),
                format!(
                    "By the weights of the first block alone, attending to a token boosts that token most for {copied} of {} in \
                     head {head}, which copies most.",
                    self.of_tokens
                ),
            ),
            None => {
                let caption = "Products of the first block's weights: what attending to a token adds to the answers (OV), and which \
                               tokens and positions attend to which (QK).";
                let count = self.heads.len();
                (format!("{count} head{} of block 0", if count == 1 { "" } else { "s" }), caption.into())
            }
        }
    }
}

pub(super) fn section(study: &Study, copied: &[usize]) -> Section {
    let heads = Head::of_layer(&study.config, 0);
    let copying = Copying::of(study, copied);
    let ov = |(head, copied): &(Head, usize)| {
        let about = match copying.possible {
            true => format!("copies {copied} of {}", copying.of_tokens),
            false => "by what is attended to".into(),
        };
        let diagonal = copying.possible && study.shown.tokens == study.shown.classes;
        let how = if diagonal { COPYING_HOW } else { OV.how };
        Circuit { how, ..OV }.figure(*head, format!("OV: head {head} {about}"))
    };
    let as_scored = check_scores(&study.config).is_ok();
    let pair = |head: &Head| {
        let card = |circuit: &Circuit, what: &str| circuit.figure(*head, format!("{what}, head {head}"));
        let drawn = card(&QK, "QK of the weights alone");
        if as_scored {
            Item::Row(vec![drawn, card(&EFFECTIVE_QK, "QK as the model scores")])
        } else {
            Item::Row(vec![drawn])
        }
    };
    let positional = |circuit: &Circuit, what: &str| {
        Item::Row(heads.iter().map(|head| circuit.figure(*head, format!("{what}, head {head}"))).collect())
    };
    let mut items = vec![Item::Row(copying.heads.iter().map(ov).collect())];
    if as_scored {
        items.push(figure(
            "qk-bar",
            "Whom a token attends to",
            "Scores of one destination token for every source token. By the weights alone and as the model really scores, the \
             ranking can differ: the weights alone leave out norms, biases and positions.",
            Plot::QkBar,
        ));
    }
    items.extend(heads.iter().map(pair));
    if study.config.positional_embedding_type.has_embeddings() {
        items.push(positional(&QK_POS_QUERY, "QK of the positions that attend"));
        items.push(positional(&QK_POS_KEY, "QK of the positions that are attended to"));
    }
    items.push(figure(
        "direct",
        "The direct path from a token to the predictions at its own position",
        "Rows are tokens, columns are predicted: W_E W_U, what a token says at its own position.",
        Circuit { array: "direct_path", ..OV }.plot(None),
    ));
    let (headline, caption) = copying.words();
    super::section("circuits", "Circuits", (headline, study.with_not_shown(caption)), items)
}
