//! What a model answers on a run of inputs, counted.

use super::{
    judge::{Again, Judged},
    sum::Sum,
};
use crate::Answer;
use algolens_core::{
    Error, Result,
    task::{Family, Token},
};
use serde::{Deserialize, Serialize};

/// What a model answers on a run of a task's inputs, in the order of their numbers.
///
/// An answer is *right* where what is right is above everything else: a tie is wrong, whichever class comes first. An input is
/// right where no scored prediction is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enumeration {
    /// How many inputs the task has.
    pub of: u64,
    /// How many of them are run for all. Numbers are those of the inputs that are run.
    pub to_run: u64,
    /// Whether fewer are run than there are: of those that differ in their order only, the ascending one, which is counted as
    /// often as there are orders.
    pub multisets: bool,
    /// The number of the first input.
    pub from: u64,
    /// How many inputs were run.
    pub ran: u64,
    /// How many inputs there are in the run.
    pub inputs: u64,
    /// How many of them are right.
    pub right: u64,
    /// The share of inputs that are right.
    pub accuracy: f64,
    /// The share of scored predictions that are right, by their weights.
    pub token_accuracy: f64,
    /// Mean loss of the scored predictions by their weights, in nats: log-softmax in f64 of f32 logits.
    pub loss: f64,
    /// The smallest margin of all scored predictions; none where nothing competes with what is right.
    pub least_margin: Option<LeastMargin>,
    /// The smallest margin at each predicted position that has one.
    pub least_margin_by_position: Vec<LeastMargin>,
    /// The first wrong predictions, at most `limit`.
    pub wrong: Vec<Wrong>,
    /// How many wrong predictions are listed.
    pub limit: usize,
    /// The predictions that rounding might have decided.
    pub close: Close,
    /// The families whose members can be told, each member's inputs counted.
    pub families: Vec<FamilyCount>,
    /// What the means are made of.
    pub sums: Sums,
}

/// A smallest margin, and the first input that has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeastMargin {
    /// Logits by which what is right is above everything else; negative where it is not.
    pub margin: f64,
    /// The input.
    pub input: Vec<Token>,
    /// Its number.
    pub number: u64,
    /// The position that predicts.
    pub position: usize,
}

/// A wrong prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wrong {
    /// The input.
    pub input: Vec<Token>,
    /// Its number.
    pub number: u64,
    /// The position that predicts.
    pub position: usize,
    /// What the model says; of a tie, the first class.
    pub predicted: Answer,
    /// What is right.
    pub expected: Answer,
    /// Logits by which what is right is above everything else: 0 or less.
    pub margin: f64,
}

/// Predictions with a margin below the slack, which were run again in f64. That run decides whether they are right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// A margin is close to 0 below so many logits; of logits beyond ±1, below so many times the largest of them.
    pub slack: f64,
    /// How many predictions were that close.
    pub predictions: u64,
    /// How many of them are right in one of the precisions only.
    pub changed: u64,
    /// The largest change of a margin.
    pub largest_change: f64,
}

/// The members of a family, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyCount {
    /// The family's name.
    pub id: String,
    /// In what its members differ.
    pub differs_in: String,
    /// The members, in their order.
    pub members: Vec<MemberCount>,
}

/// The inputs of a member, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberCount {
    /// What the member is called.
    pub name: String,
    /// How many inputs it has in the run.
    pub inputs: u64,
    /// How many of them are right.
    pub right: u64,
    /// The first that is wrong.
    pub wrong: Option<Vec<Token>>,
}

/// Sums over the scored predictions, the same bits in every order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Of the weights.
    pub weight: Sum,
    /// Of the weights of right predictions.
    pub right: Sum,
    /// Of weight times loss.
    pub loss: Sum,
}

/// The inputs that are run for all inputs.
#[derive(Clone, Copy)]
pub(super) struct ToRun {
    /// How many inputs the task has.
    pub of: u64,
    /// How many are run.
    pub count: u64,
    /// Whether they are multisets.
    pub multisets: bool,
}

impl Enumeration {
    /// A run before its first input.
    pub(super) fn new(to_run: ToRun, from: u64, slack: f64, limit: usize, families: &[Family]) -> Self {
        let count = |family: &Family| FamilyCount {
            id: family.id.into(),
            differs_in: family.differs_in.into(),
            members: family.members.iter().map(|member| MemberCount::of(&member.name)).collect(),
        };
        Self {
            of: to_run.of,
            to_run: to_run.count,
            multisets: to_run.multisets,
            from,
            ran: 0,
            inputs: 0,
            right: 0,
            accuracy: 0.0,
            token_accuracy: 0.0,
            loss: 0.0,
            least_margin: None,
            least_margin_by_position: Vec::new(),
            wrong: Vec::new(),
            limit,
            close: Close { slack, predictions: 0, changed: 0, largest_change: 0.0 },
            families: families.iter().filter(|family| family.tells()).map(count).collect(),
            sums: Sums::default(),
        }
    }

    /// The number of the input after the last.
    pub fn to(&self) -> u64 {
        self.from + self.ran
    }

    /// Whether the counts can be those of a run, whoever wrote them down; brings the means up to date.
    ///
    /// # Errors
    /// Names the first count that is larger than what it is a part of.
    pub fn check(&mut self) -> Result<()> {
        let at_most = |name: &str, most: u64, found: u64| {
            if found <= most { Ok(()) } else { Err(Error::invalid(name.to_owned(), format!("at most {most}"), found)) }
        };
        at_most("inputs to run", self.of, self.to_run)?;
        at_most("from", self.to_run, self.from)?;
        at_most("inputs run", self.to_run - self.from, self.ran)?;
        at_most("inputs", self.of, self.inputs)?;
        at_most("inputs run", self.inputs, self.ran)?;
        let equal = |name: &str, expected: u64, found: u64| {
            if found == expected { Ok(()) } else { Err(Error::invalid(name.to_owned(), expected.to_string(), found)) }
        };
        if !self.multisets {
            equal("inputs to run", self.of, self.to_run)?;
        }
        match (self.multisets, self.ran) {
            _ if self.is_whole() => equal("inputs", self.of, self.inputs)?,
            (false, ran) | (true, ran @ 0) => equal("inputs", ran, self.inputs)?,
            (true, _) => {}
        }
        at_most("right", self.inputs, self.right)?;
        at_most("wrong predictions listed", self.limit as u64, self.wrong.len() as u64)?;
        at_most("close predictions that changed", self.close.predictions, self.close.changed)?;
        for family in &self.families {
            for member in &family.members {
                at_most(&format!("inputs of {}", member.name), self.inputs, member.inputs)?;
                at_most(&format!("right inputs of {}", member.name), member.inputs, member.right)?;
            }
        }
        if !self.least_margin_by_position.is_sorted_by(|a, b| a.position < b.position) {
            return Err(Error::invalid("least_margin_by_position", "ascending positions", "others"));
        }
        self.take_means();
        Ok(())
    }

    /// Whether all inputs of the task are in the run.
    pub fn is_whole(&self) -> bool {
        self.from == 0 && self.ran == self.to_run
    }

    /// Adds the next input of the run, which counts `times`; `member_of` says of which member of each counted family it is.
    pub(super) fn add<'a>(
        &mut self,
        input: &[Token],
        times: u64,
        predictions: impl Iterator<Item = &'a Judged>,
        member_of: impl Iterator<Item = Option<usize>>,
    ) {
        let number = self.to();
        let mut all_right = true;
        for Judged { position, weight, loss, margin, wrong, again, .. } in predictions {
            let (position, margin, weight) = (*position, *margin, weight * times as f64);
            if let Some(again) = again {
                self.close.add(again, times);
            }
            self.sums.weight.add(weight);
            self.sums.loss.add(weight * loss);
            if self.is_least(position, margin) {
                self.take_least(LeastMargin { margin, input: input.to_vec(), number, position });
            }
            let Some(wrong) = wrong else {
                self.sums.right.add(weight);
                continue;
            };
            all_right = false;
            if self.wrong.len() < self.limit {
                let [predicted, expected] = (**wrong).clone();
                self.wrong.push(Wrong { input: input.to_vec(), number, position, predicted, expected, margin });
            }
        }
        self.ran += 1;
        self.inputs += times;
        self.right += u64::from(all_right) * times;
        for (family, member) in self.families.iter_mut().zip(member_of) {
            if let Some(member) = member.and_then(|member| family.members.get_mut(member)) {
                member.add(input, times, all_right);
            }
        }
    }

    /// Whether another run is one of the same inputs, with the same families, slack and limit.
    ///
    /// # Errors
    /// Names the first thing that differs.
    pub fn check_like(&self, other: &Self) -> Result<()> {
        let names = |families: &[FamilyCount]| families.iter().map(FamilyCount::names).collect::<Vec<_>>().join("; ");
        for (name, found, expected) in [
            ("inputs of the task", self.of.to_string(), other.of.to_string()),
            ("inputs to run", self.to_run.to_string(), other.to_run.to_string()),
            ("multisets", self.multisets.to_string(), other.multisets.to_string()),
            ("slack", self.close.slack.to_string(), other.close.slack.to_string()),
            ("limit", self.limit.to_string(), other.limit.to_string()),
            ("families", names(&self.families), names(&other.families)),
        ] {
            if found != expected {
                return Err(Error::invalid(name, expected, found));
            }
        }
        Ok(())
    }

    /// Adds the run that follows.
    ///
    /// # Errors
    /// A run that does not begin where this one ends, or that is not [like](Self::check_like) it.
    pub fn join(&mut self, next: Self) -> Result<()> {
        next.check_like(self)?;
        if next.from != self.to() {
            return Err(Error::invalid("first input", self.to().to_string(), next.from));
        }
        self.ran += next.ran;
        // A file may state any number.
        self.inputs = self.inputs.saturating_add(next.inputs);
        self.right = self.right.saturating_add(next.right);
        next.least_margin_by_position.into_iter().for_each(|least| self.take_least(least));
        self.wrong.extend(next.wrong.into_iter().take(self.limit - self.wrong.len().min(self.limit)));
        self.close.join(next.close);
        for (family, next) in self.families.iter_mut().zip(next.families) {
            family.members.iter_mut().zip(next.members).for_each(|(member, next)| member.join(next));
        }
        self.sums.join(next.sums);
        self.take_means();
        Ok(())
    }

    /// Brings the means and the least margin up to date with what was added.
    pub(super) fn take_means(&mut self) {
        let share = |part: f64, whole: f64| if whole == 0.0 { 0.0 } else { part / whole };
        self.accuracy = share(self.right as f64, self.inputs as f64);
        let Sums { weight, right, loss } = self.sums;
        self.token_accuracy = share(right.value(), weight.value());
        self.loss = share(loss.value(), weight.value());
        let by_margin =
            |a: &&LeastMargin, b: &&LeastMargin| a.margin.total_cmp(&b.margin).then(a.number.cmp(&b.number));
        self.least_margin = self.least_margin_by_position.iter().min_by(by_margin).cloned();
    }

    /// Whether a margin at a position of the next input is the smallest there.
    fn is_least(&self, position: usize, margin: f64) -> bool {
        let before = self.least_margin_by_position.iter().find(|least| least.position == position);
        margin.is_finite() && before.is_none_or(|least| margin < least.margin)
    }

    /// Takes a margin of a later input, if it is the smallest at its position.
    fn take_least(&mut self, least: LeastMargin) {
        if !self.is_least(least.position, least.margin) {
            return;
        }
        let all = &mut self.least_margin_by_position;
        match all.binary_search_by_key(&least.position, |least| least.position) {
            Ok(at) => all[at] = least,
            Err(at) => all.insert(at, least),
        }
    }
}

impl FamilyCount {
    fn names(&self) -> String {
        let members: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
        format!("{}: {}", self.id, members.join(", "))
    }
}

impl MemberCount {
    fn of(name: &str) -> Self {
        Self { name: name.into(), inputs: 0, right: 0, wrong: None }
    }

    fn add(&mut self, input: &[Token], times: u64, right: bool) {
        self.inputs += times;
        self.right += u64::from(right) * times;
        if !right {
            self.wrong.get_or_insert_with(|| input.to_vec());
        }
    }

    fn join(&mut self, next: Self) {
        self.inputs = self.inputs.saturating_add(next.inputs);
        self.right = self.right.saturating_add(next.right);
        self.wrong = self.wrong.take().or(next.wrong);
    }
}

impl Close {
    fn add(&mut self, again: &Again, times: u64) {
        self.predictions += times;
        self.changed += u64::from(again.changed) * times;
        self.largest_change = self.largest_change.max(again.change);
    }

    fn join(&mut self, next: Self) {
        // A prediction has no more than one count, but a file may state any.
        self.predictions = self.predictions.saturating_add(next.predictions);
        self.changed = self.changed.saturating_add(next.changed);
        self.largest_change = self.largest_change.max(next.largest_change);
    }
}

impl Sums {
    fn join(&mut self, next: Self) {
        self.weight.join(next.weight);
        self.right.join(next.right);
        self.loss.join(next.loss);
    }
}
