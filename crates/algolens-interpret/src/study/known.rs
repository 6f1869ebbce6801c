//! How it is known what share of inputs is right.

use super::material::Material;
use crate::{
    Subject,
    enumerate::{Enumeration, LeastMargin, Walk, inputs_to_run, judge},
    families::{interval, right_examples},
};
use algolens_core::{
    Result,
    engine::Batch,
    task::{Dataset, Task, Token},
};
use serde::{Deserialize, Serialize};

/// How the share of right inputs is known: never a number alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Known {
    /// Every input of the task was run, or one order of it where none can matter; a tie is wrong.
    Exact {
        /// How many inputs there are.
        inputs: u64,
        /// How many of them are right.
        right: u64,
        /// The smallest margin, and the first input that has it.
        least_margin: Option<LeastMargin>,
    },
    /// There is a proof about every input of the task.
    Proved {
        /// Bounds of the share of all inputs that are right.
        bounds: [f64; 2],
    },
    /// The evaluation data are a sample of all inputs.
    Sampled {
        /// How many examples there are.
        examples: u64,
        /// How many of them are right.
        right: u64,
        /// What share of all inputs is right: the exact interval of confidence 99.9 %.
        interval: [f64; 2],
        /// The example with the smallest margin; none where nothing competes with what is right.
        worst: Option<SampledWorst>,
    },
    /// The evaluation data are all there is to say something of: a user's own.
    Counted {
        /// How many examples there are.
        examples: u64,
        /// How many of them are right.
        right: u64,
    },
}

/// The example of a sample with the smallest margin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampledWorst {
    /// Logits by which what is right is above everything else; negative where it is not.
    pub margin: f64,
    /// The input.
    pub input: Vec<Token>,
    /// The position that predicts.
    pub position: usize,
}

/// The most inputs that a study runs.
const MOST_INPUTS: u128 = 1 << 20;

/// What is known of a model on the material, of which the study evaluates `data`; where not all inputs are run, by what is
/// proved of them, if anything is.
///
/// # Errors
/// A model that does not fit.
pub fn known(subject: Subject, material: Material, data: &Dataset, proved: Option<[f64; 2]>) -> Result<Known> {
    if let Material::Task(task) = material
        && inputs_to_run(subject.model.config(), task).is_some_and(|inputs| inputs <= MOST_INPUTS)
    {
        return exact(subject, task);
    }
    if let (Material::Task(_), Some(bounds)) = (material, proved) {
        return Ok(Known::Proved { bounds });
    }
    let right_of = right_examples(&subject.engine.outcomes(subject.model, Batch::from(data))?, data);
    let right = right_of.iter().filter(|right| **right).count() as u64;
    let examples = right_of.len() as u64;
    if let Material::Data(_) = material {
        return Ok(Known::Counted { examples, right });
    }
    Ok(Known::Sampled { examples, right, interval: interval(&right_of), worst: worst(subject, material, data)? })
}

fn worst(subject: Subject, material: Material, data: &Dataset) -> Result<Option<SampledWorst>> {
    /// Examples whose logits are in memory at once.
    const CHUNK: usize = 1024;
    let mut worst: Option<SampledWorst> = None;
    for chunk in data.chunks(CHUNK) {
        let logits = subject.engine.logits(subject.model, chunk.tokens(), chunk.positions())?;
        let judged = judge(logits.view(), &chunk)?;
        let (tokens, per_example) = (chunk.tokens(), chunk.positions().len());
        let scored = judged.iter().enumerate().filter_map(|(at, judged)| Some((at / per_example, judged.as_ref()?)));
        for (example, prediction) in scored {
            if worst.as_ref().map_or(prediction.margin < f64::INFINITY, |worst| prediction.margin < worst.margin) {
                let input = material.input(&tokens.row(example).to_vec());
                worst = Some(SampledWorst { margin: prediction.margin, input, position: prediction.position });
            }
        }
    }
    Ok(worst)
}

fn exact(subject: Subject, task: &dyn Task) -> Result<Known> {
    let walk = Walk::new(subject, task, Walk::SLACK, 0)?;
    let mut run = walk.begin(0);
    walk.go_on(&mut run, walk.count())?;
    let Enumeration { inputs, right, least_margin, .. } = run;
    Ok(Known::Exact { inputs, right, least_margin })
}

impl Known {
    /// In short: the share and how it is known.
    pub fn headline(&self) -> String {
        let percent = |right: u64, of: u64| format!("{:.2} %", floor(100.0 * right as f64 / of.max(1) as f64));
        match self {
            Self::Exact { inputs, right, .. } => format!("{} of all {inputs} inputs, exact", percent(*right, *inputs)),
            Self::Proved { bounds } => format!("{} of all inputs, proved", proved(*bounds)),
            Self::Sampled { examples, right, interval: [low, high], .. } => {
                let [low, high] = [floor(100.0 * low), 100.0 * high];
                format!("{} of {examples}, sampled: {low:.2} to {high:.2} % of all", percent(*right, *examples))
            }
            Self::Counted { examples, right } => format!("{} of {examples} examples", percent(*right, *examples)),
        }
    }

    /// A row each: what is known, and how.
    pub(super) fn rows(&self, input: impl Fn(&[Token]) -> String) -> Vec<(&'static str, String)> {
        let of = |right: u64, of: u64| format!("{right} of {of}");
        match self {
            Self::Exact { inputs, right, least_margin } => {
                let how = ("known by", format!("counting all {inputs} inputs: exact, and a tie is wrong"));
                let least = least_margin.as_ref().map(|least| {
                    let LeastMargin { margin, input: tokens, position, .. } = least;
                    ("worst input", format!("{}: margin {margin:.3} logits, position {position}", input(tokens)))
                });
                [Some(how), Some(("right inputs", of(*right, *inputs))), least].into_iter().flatten().collect()
            }
            Self::Proved { bounds } => vec![
                ("known by", "a proof about every input (algolens check verifies it)".into()),
                ("of all inputs", format!("{} are right", proved(*bounds))),
            ],
            Self::Sampled { examples, right, interval: [low, high], worst } => {
                let mut rows = vec![
                    ("known by", format!("a sample of {examples} inputs")),
                    ("right inputs", of(*right, *examples)),
                    (
                        "of all inputs",
                        format!("{:.2} to {:.2} % are right (exact 99.9 % interval)", floor(100.0 * low), 100.0 * high),
                    ),
                ];
                rows.extend(worst.as_ref().map(|SampledWorst { margin, input: tokens, position }| {
                    let text = format!("{}: margin {margin:.3} logits, position {position}", input(tokens));
                    ("worst input of the sample", text)
                }));
                rows
            }
            Self::Counted { examples, right } => {
                vec![("known by", "the data as they are".into()), ("right examples", of(*right, *examples))]
            }
        }
    }
}

/// Bounds in percent, rounded to the side that stays true: with four decimals, or six where all are right but so few.
fn proved([low, high]: [f64; 2]) -> String {
    let digits = if (1.0 - 1e-6..1.0).contains(&high) { 6 } else { 4 };
    let unit = 10.0_f64.powi(digits);
    let [low, high] = [(low * 100.0 * unit).floor() / unit, (high * 100.0 * unit).ceil() / unit];
    format!("{low:.*} to {high:.*} %", digits as usize, digits as usize)
}

/// Two digits that are not more than there is: 100 % is all.
fn floor(percent: f64) -> f64 {
    (percent * 100.0).floor() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_below_one_is_never_called_all() {
        let exact = Known::Exact { inputs: 25_000_000, right: 24_999_999, least_margin: None };
        assert_eq!(exact.headline(), "99.99 % of all 25000000 inputs, exact");
        let sampled = Known::Sampled { examples: 500, right: 500, interval: [0.986_278_7, 1.0], worst: None };
        assert_eq!(sampled.headline(), "100.00 % of 500, sampled: 98.62 to 100.00 % of all");
        let proved = Known::Proved { bounds: [0.999_998_777, 0.999_999_948] };
        assert_eq!(proved.headline(), "99.999877 to 99.999995 % of all inputs, proved");
        let proved = Known::Proved { bounds: [0.75, 1.0] };
        assert_eq!(proved.headline(), "75.0000 to 100.0000 % of all inputs, proved");
        assert_eq!(Known::Counted { examples: 3, right: 2 }.headline(), "66.66 % of 3 examples");
    }
}
