//! Attacks on every member of a task's families.

use super::{
    attacker::Attacker,
    restrictions::Restrictions,
    search::{Attack, Progress},
};
use crate::{MemberScore, Subject, family_scores};
use algolens_core::{Error, Result, observer::Observer, task::Task};
use serde::Serialize;

/// How a model does on a member of a family: on random inputs of it, and on the worst that an attack finds.
#[derive(Clone, Debug, Serialize)]
pub struct MemberAttack {
    /// The family.
    pub family: String,
    /// On random inputs.
    pub sampled: MemberScore,
    /// The attack; none where it cannot be told whether an input is of the member, or none was drawn again.
    pub attack: Option<Attack>,
}

/// Attacks every member of the task's families, each with its share of the work, of which `samples` random inputs are no part.
///
/// # Errors
/// A task without families, a model that is not of the task, logits that are not finite; [`Error::Cancelled`] when the observer
/// asks to stop.
pub fn attack_members(
    subject: Subject,
    task: &dyn Task,
    samples: usize,
    work: u64,
    seed: u32,
    observer: &mut dyn Observer<Progress>,
) -> Result<Vec<MemberAttack>> {
    let families = task.families();
    if families.is_empty() {
        return Err(Error::invalid("families", "a task that has some", task.spec()));
    }
    let scores = family_scores(subject, task, samples, seed)?;
    let share = work / scores.iter().map(|family| family.members.len().max(1) as u64).sum::<u64>().max(1);
    let mut all = Vec::new();
    for (family, scores) in families.iter().zip(scores) {
        for sampled in scores.members {
            let member = [scores.id.clone(), sampled.name.clone()];
            let attack = family.tells().then(|| attack_member(subject, task, member, share, seed, observer));
            let attack = attack.transpose()?.flatten();
            all.push(MemberAttack { family: scores.id.clone(), sampled, attack });
        }
    }
    Ok(all)
}

fn attack_member(
    subject: Subject,
    task: &dyn Task,
    member: [String; 2],
    work: u64,
    seed: u32,
    observer: &mut dyn Observer<Progress>,
) -> Result<Option<Attack>> {
    let restrictions = Restrictions { members: vec![member], ..Restrictions::default() };
    let mut stopped = false;
    let attack = Attacker::new(subject, task, &restrictions)?.attack_if_any(work, 1, seed.into(), &mut |progress| {
        let flow = observer.on(progress);
        stopped = flow.is_break();
        flow
    })?;
    if stopped { Err(Error::Cancelled) } else { Ok(attack) }
}
