//! Figures of a study: what is drawn, from which arrays, and how to read it.

use crate::{CopyHeadRange, Unit};
use serde::{Deserialize, Serialize};

/// A figure: what is drawn, and the words around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The figure's name.
    pub id: String,
    /// What it shows, in a sentence with its number.
    pub title: String,
    /// How to read it.
    pub how: String,
    /// What is drawn.
    pub plot: Plot,
}

/// A plot by its kind, with the names of the study's arrays that it is drawn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Plot {
    /// Loss and accuracy by epoch, from `history [epoch; epoch, training loss, validation loss, training accuracy, validation
    /// accuracy, best so far]`.
    Training,
    /// What the model predicts of the chosen example, from `probs [example, class, predicted position]`.
    Probs,
    /// A thumbnail of every head's pattern on the chosen example, from `pattern [example, head, query, key]`.
    Thumbs,
    /// The pattern of the chosen heads on the chosen example, from `pattern`.
    Pattern,
    /// The chosen example's tokens, with what each attends to and is attended to by, from `pattern`.
    Tokens,
    /// The score of the chosen query and key as a sum of terms, from `score_terms [example, head of the first block, query term,
    /// key term, predicted position, key]`.
    Terms,
    /// Scores of every source token for the chosen destination token, from `W_QK_full` and `QK_effective [head, destination,
    /// source]`.
    QkBar,
    /// A signed matrix, as a heatmap.
    Matrix {
        /// `[row, column]`, or `[head, row, column]`.
        array: String,
        /// The index on the head axis, if the array has one.
        head: Option<usize>,
        /// The axis from top to bottom.
        rows: Axis,
        /// The axis from left to right.
        columns: Axis,
        /// What the numbers are.
        unit: String,
        /// The copying head of each row, marked beside the diagonal.
        ranges: Vec<CopyHeadRange>,
    },
    /// Groups of bars.
    Bars {
        /// `[name, series]`.
        values: String,
        /// What each group is called.
        names: Vec<String>,
        /// What each bar of a group is called.
        series: Vec<String>,
        /// What the numbers are.
        unit: String,
    },
    /// Shares over a number.
    Lines {
        /// `[point; the number, then one share a series]`.
        values: String,
        /// What the number is.
        over: String,
        /// What each line is called.
        series: Vec<String>,
    },
    /// Small signed matrices side by side, all on one scale.
    Blocks {
        /// `[block, row, column]`.
        values: String,
        /// What each block is called.
        names: Vec<String>,
        /// What the rows are called.
        rows: Vec<String>,
        /// What the columns are called.
        columns: Vec<String>,
        /// What the numbers are.
        unit: String,
    },
    /// A box for each cell of small matrices, over all of them.
    Boxes {
        /// `[item, row, column]`.
        values: String,
        /// The tokens that each item is about, `[item, token]`.
        items: String,
        /// What these tokens are called.
        tokens: Vec<String>,
        /// What the rows are called.
        rows: Vec<String>,
        /// What the columns are called.
        columns: Vec<String>,
        /// What the numbers are.
        unit: String,
    },
    /// A dot for each run: one column over another, both chosen by the reader.
    Runs {
        /// `[run, column]`, NaN where a run has no number.
        values: String,
        /// What each column is called.
        columns: Vec<String>,
        /// What each run is called.
        names: Vec<String>,
        /// The page of each run that has one: a path in the folder of the page that shows the figure.
        links: Vec<Option<String>>,
        /// The columns that are shown first: from left to right, and from bottom to top.
        chosen: [usize; 2],
    },
    /// The number of each run for each of several claims, a strip a claim.
    Strips {
        /// `[run, claim]`, NaN where a run was not asked.
        values: String,
        /// `[run, claim]`, the place of the verdict in [`Verdict::ALL`](crate::Verdict::ALL).
        verdicts: String,
        /// What each claim says.
        names: Vec<String>,
        /// The unit of each claim's numbers.
        units: Vec<Unit>,
        /// What each run is called.
        runs: Vec<String>,
        /// The page of each run that has one: a path in the folder of the page that shows the figure.
        links: Vec<Option<String>>,
    },
    /// The classes of predictions of a certificate.
    ClassMap,
    /// The counterexample of the chosen class.
    Counterexample,
}

/// An axis of a [`Plot::Matrix`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// What is along it.
    pub title: String,
    /// Whose labels it has.
    pub labels: AxisLabels,
}

/// The labels of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AxisLabels {
    /// Tokens.
    Tokens,
    /// Output classes.
    Classes,
    /// Positions.
    Positions,
}

impl Figure {
    /// The name by which links find it.
    pub fn anchor(&self) -> String {
        format!("fig-{}", self.id)
    }
}

impl Plot {
    /// The names of the arrays that it is drawn from.
    pub fn arrays(&self) -> Vec<&str> {
        match self {
            Self::Training => vec!["history"],
            Self::Probs => vec!["probs"],
            Self::Thumbs | Self::Pattern | Self::Tokens => vec!["pattern"],
            Self::Terms => vec!["score_terms"],
            Self::QkBar => vec!["QK_effective", "W_QK_full"],
            Self::Matrix { array: name, .. }
            | Self::Bars { values: name, .. }
            | Self::Lines { values: name, .. }
            | Self::Blocks { values: name, .. }
            | Self::Runs { values: name, .. } => vec![name],
            Self::Boxes { values, items, .. } => vec![values, items],
            Self::Strips { values, verdicts, .. } => vec![values, verdicts],
            Self::ClassMap | Self::Counterexample => Vec::new(),
        }
    }

    /// The pages of runs that it links to.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        let links = match self {
            Self::Runs { links, .. } | Self::Strips { links, .. } => &links[..],
            _ => &[],
        };
        links.iter().flatten().map(String::as_str)
    }

    /// Whether the first axis of its arrays is that of the shown examples.
    pub fn is_of_examples(&self) -> bool {
        matches!(self, Self::Probs | Self::Thumbs | Self::Pattern | Self::Tokens | Self::Terms)
    }

    /// Whether its arrays are all that it is drawn from, so that it needs no study.
    pub fn is_of_arrays(&self) -> bool {
        matches!(
            self,
            Self::Bars { .. } | Self::Lines { .. } | Self::Blocks { .. } | Self::Runs { .. } | Self::Strips { .. }
        )
    }

    /// The name of its kind, as it is serialised.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Probs => "probs",
            Self::Thumbs => "thumbs",
            Self::Pattern => "pattern",
            Self::Tokens => "tokens",
            Self::Terms => "terms",
            Self::QkBar => "qk-bar",
            Self::Matrix { .. } => "matrix",
            Self::Bars { .. } => "bars",
            Self::Lines { .. } => "lines",
            Self::Blocks { .. } => "blocks",
            Self::Boxes { .. } => "boxes",
            Self::Runs { .. } => "runs",
            Self::Strips { .. } => "strips",
            Self::ClassMap => "class-map",
            Self::Counterexample => "counterexample",
        }
    }
}
