//! The casebook of palindromes.

use super::{Evidence, claims};
use crate::{
    Arrays, Case, Casebook, Group, Study,
    claims::{Control, Gathered, random_weights},
    tasks::findings::findings_section,
};
use algolens_core::{
    Result, random,
    task::{Palindrome, Task, Token},
};

/// Lists of each single broken pair: of the model, and of a control's.
const LISTS: [usize; 2] = [400, 50];

impl Casebook for Palindrome {
    /// A palindrome, and lists in which a single pair is broken.
    fn examples(&self) -> Vec<(Group, Vec<Vec<Token>>)> {
        let families = self.families();
        let lists = families
            .first()
            .into_iter()
            .flat_map(|family| &family.members)
            .flat_map(|member| member.draw(1, &mut random::stream(0, &format!("shown/{}", member.name))));
        vec![(Group::new("single_broken_pairs", "A palindrome, then one broken pair at a time"), lists.collect())]
    }

    fn stages(&self) -> &'static [&'static str] {
        &["claims, beside controls"]
    }

    fn write(&self, case: &mut Case, study: &mut Study, _: &mut Arrays) -> Result<()> {
        let Case { subject, data, seed, processing, others, .. } = *case;
        (case.next_stage)()?;
        let controls = [(Control::RandomWeights, random_weights(subject.model, processing)?)];
        let gathered = Gathered::of(subject, self, &controls, others, |subject, control| {
            Evidence::gather(subject, self, data, LISTS[usize::from(control.is_some())], seed)
        })?;
        study.findings = gathered.findings(claims(), study.evaluation.token_accuracy);
        let at = |claim: &str| {
            if claim == "pairs_of_17_and_19_go_unseen" { "fig-family-broken-pair" } else { "fig-pattern" }
        };
        study.sections.push(findings_section(study, at, Vec::new()));
        Ok(())
    }
}
