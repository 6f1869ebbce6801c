//! What the claims about palindromes are judged by.

use crate::{Head, Subject, claims::Rate, tasks::patterns::each_pattern};
use algolens_core::{
    Result,
    engine::Batch,
    random,
    task::{Dataset, Palindrome, Task, Token},
};
use std::collections::BTreeMap;

/// Whether something was so at each of some places, with the number of the list that each stands in.
type Steps = Vec<(usize, bool)>;

/// Measurements of one model of palindromes. A *place* is a position of the second half, its *image* that of its pair in the
/// first.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// For each head of the first block, over places: where the pair is equal, whether the largest weight is on the image; where
    /// it differs, whether it is on the place itself.
    pub compares: BTreeMap<Head, [Option<Rate>; 2]>,
    /// For each head of the last block, over lists with a broken pair: whether END's largest weight is on a place whose pair is
    /// broken.
    pub collects: BTreeMap<Head, Option<Rate>>,
    /// For each pair, outermost first, over lists in which only that is broken: whether they are called palindromes.
    pub missed: Vec<Option<Rate>>,
}

impl Evidence {
    /// The evidence of a model, over data and so many lists of each single broken pair.
    ///
    /// # Errors
    /// A model that is not of the task.
    pub fn gather(subject: Subject, task: &Palindrome, data: &Dataset, lists: usize, seed: u32) -> Result<Self> {
        let mut evidence = Self { missed: missed(subject, task, lists, seed)?, ..Self::default() };
        let layers = subject.model.config().n_layers;
        if layers == 0 {
            return Ok(evidence);
        }
        let end = task.n_ctx() - 1;
        let mut compares: BTreeMap<Head, [Steps; 2]> = BTreeMap::new();
        each_pattern(subject, data, 0, |attended| {
            let steps = compares.entry(attended.head).or_default();
            for place in end - task.half_length()..end {
                let image = end - place;
                let equal = attended.tokens[place] == attended.tokens[image];
                let wanted = if equal { image } else { place };
                steps[usize::from(!equal)].push((attended.example, attended.top(place) == wanted));
            }
        })?;
        let mut collects: BTreeMap<Head, Steps> = BTreeMap::new();
        each_pattern(subject, data, layers - 1, |attended| {
            let steps = collects.entry(attended.head).or_default();
            let broken = task.broken_pairs(&attended.tokens.to_vec());
            if !broken.is_empty() {
                let top = attended.top(end);
                steps.push((attended.example, broken.iter().any(|pair| end - pair == top)));
            }
        })?;
        evidence.compares = compares.into_iter().map(|(head, steps)| (head, steps.map(Rate::by_list))).collect();
        evidence.collects = collects.into_iter().map(|(head, steps)| (head, Rate::by_list(steps))).collect();
        Ok(evidence)
    }

    /// The head of the first block for which the two shares of comparing sum to most, with them.
    pub fn comparing_head(&self) -> Option<(Head, &Rate, &Rate)> {
        let both =
            self.compares.iter().filter_map(|(head, [equal, broken])| Some((*head, equal.as_ref()?, broken.as_ref()?)));
        let sum = |(_, equal, broken): &(Head, &Rate, &Rate)| equal.share() + broken.share();
        both.max_by(|a, b| sum(a).total_cmp(&sum(b)))
    }

    /// The head of the last block whose END attends most often to a broken place, with how often.
    pub fn collecting_head(&self) -> Option<(Head, &Rate)> {
        let heads = self.collects.iter().filter_map(|(head, rate)| Some((*head, rate.as_ref()?)));
        heads.max_by(|a, b| a.1.share().total_cmp(&b.1.share()))
    }
}

/// How often lists in which a single pair is broken are called palindromes, pair by pair.
fn missed(subject: Subject, task: &Palindrome, lists: usize, seed: u32) -> Result<Vec<Option<Rate>>> {
    let families = task.families();
    let Some(family) = families.first() else { return Ok(Vec::new()) };
    // The first member are palindromes.
    let members = family.members.iter().skip(1).map(|member| {
        let purpose = format!("single broken pair/{}", member.name);
        let inputs: Vec<Vec<Token>> = member.draw(lists, &mut random::stream(seed.into(), &purpose));
        let data = Dataset::from_inputs(task, &inputs)?;
        let outcomes = subject.engine.outcomes(subject.model, Batch::from(&data))?;
        Ok(Rate::by_list(outcomes.iter().enumerate().map(|(list, outcome)| (list, !outcome.right))))
    });
    members.collect()
}
