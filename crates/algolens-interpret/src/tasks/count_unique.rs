//! Counts of different symbols: the claim of J. Enouen's solution of the puzzle of May 2026.

use super::{
    judged::{STAGES, judge},
    without::without_each,
};
use crate::{
    Arrays, Case, Casebook, Head, Study, Subject,
    claims::{Claim, Control::RandomWeights, Measured, Rate, Thresholds, Unit},
};
use algolens_core::{
    Result,
    engine::Outcome,
    task::{CountUnique, Dataset, Task, Token},
};
use std::collections::BTreeMap;

/// Measurements of one model that counts symbols.
pub struct Evidence {
    symbols: Vec<String>,
    /// For each head of the last block, list by list: whether it is answered right with that head mean-ablated.
    right: BTreeMap<Head, Vec<bool>>,
    /// The symbols of each list.
    occur: Vec<Vec<Token>>,
}

impl Casebook for CountUnique {
    fn stages(&self) -> &'static [&'static str] {
        STAGES
    }

    fn write(&self, case: &mut Case, study: &mut Study, _: &mut Arrays) -> Result<()> {
        let gather = |subject: Subject, data: &Dataset| Evidence::gather(subject, self, data);
        judge(case, study, self, CLAIMS, gather, |_| "fig-ablation")
    }
}

const CLAIMS: &[Claim<Evidence>] = &[Claim {
    id: "symbols_have_their_heads",
    claim: "Every symbol is counted by one head of the last block: without it, lists with its symbols are wrong, and others right.",
    measure: "the share of right lists without any symbol of the mean-ablated head, less that of lists with one; in the head of the \
              last block, of those with symbols, for which this is least. A symbol is its head's without which lists that have it \
              are most often wrong",
    unit: Unit::Points,
    behaviour: true,
    thresholds: |_| Thresholds::at_least(0.8, 0.5),
    controls: &[RandomWeights],
    measured: Evidence::parted,
}];

impl Evidence {
    fn gather(subject: Subject, task: &CountUnique, data: &Dataset) -> Result<Self> {
        let config = subject.model.config();
        let heads = config.n_layers.checked_sub(1).map_or_else(Vec::new, |last| Head::of_layer(config, last));
        let after = without_each(subject, data, &heads, data)?;
        let right = |outcomes: Vec<Outcome>| outcomes.iter().map(|outcome| outcome.right).collect();
        let occur = data.tokens().outer_iter().map(|list| task.input(&list.to_vec())).collect();
        let symbols = task.token_labels().into_iter().take_while(|label| label != "BOS").collect();
        Ok(Self { symbols, right: heads.into_iter().zip(after.into_iter().map(right)).collect(), occur })
    }

    /// How often lists that are chosen are right without a head.
    fn rate(&self, head: Head, chosen: impl Fn(&[Token]) -> bool) -> Option<Rate> {
        let lists = self.right[&head].iter().zip(&self.occur).enumerate();
        Rate::by_list(lists.filter(|(_, (_, occur))| chosen(occur)).map(|(list, (right, _))| (list, *right)))
    }

    fn parted(&self) -> Measured {
        let mut of_head: BTreeMap<Head, Vec<Token>> = BTreeMap::new();
        for symbol in 0..self.symbols.len() as Token {
            let wrong =
                |head: &Head| self.rate(*head, |occur| occur.contains(&symbol)).map_or(0.0, |rate| 1.0 - rate.share());
            let worst = self.right.keys().copied().max_by(|a, b| wrong(a).total_cmp(&wrong(b)));
            if let Some(head) = worst.filter(|head| wrong(head) > 0.0) {
                of_head.entry(head).or_default().push(symbol);
            }
        }
        let names = |symbols: &[Token]| {
            symbols.iter().map(|symbol| self.symbols[*symbol as usize].as_str()).collect::<Vec<_>>().join(" ")
        };
        let detail: Vec<String> = of_head.iter().map(|(head, symbols)| format!("{head}: {}", names(symbols))).collect();
        let detail = detail.join("; ");
        if of_head.values().any(|symbols| symbols.len() == self.symbols.len()) {
            return Measured::number(0.0, format!("one head has all symbols: {detail}"));
        }
        let parted = of_head.iter().filter_map(|(head, symbols)| {
            let any = |occur: &[Token]| symbols.iter().any(|symbol| occur.contains(symbol));
            Some((self.rate(*head, |occur| !any(occur))?, self.rate(*head, any)?))
        });
        let Some((without, with)) =
            parted.min_by(|a, b| (a.0.share() - a.1.share()).total_cmp(&(b.0.share() - b.1.share())))
        else {
            return Measured::not_asked("no head of the last block has symbols of its own that lists can be without");
        };
        Measured::difference(&without, &with, detail)
    }
}
