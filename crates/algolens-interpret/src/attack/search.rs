//! The search for the inputs that are answered worst.

use super::{
    attacker::{Attacker, Kind, Tried},
    found::Found,
    moves::Moves,
};
use algolens_core::{Error, Result, observer::Observer, random, random::Twister, task::Token};
use serde::Serialize;
use std::collections::BTreeMap;

/// What an attack found.
#[derive(Clone, Debug, Serialize)]
pub struct Attack {
    /// The worst input of each kind, the worst first.
    pub found: Vec<Found>,
    /// Of how many kinds inputs were answered wrong.
    pub wrong_kinds: usize,
    /// How many inputs were run; one may have been run again.
    pub tried: u64,
    /// How many of them were answered wrong by the backend that searched.
    pub wrong: u64,
    /// Whether every input there is was run.
    pub all: bool,
}

/// How far an attack is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Inputs run.
    pub tried: u64,
    /// Inputs that may be run.
    pub of: u64,
    /// How many of them are wrong.
    pub wrong: u64,
    /// The least margin so far.
    pub least: f64,
}

/// A search under way.
struct Search<'a, 's, 'o> {
    attacker: &'s Attacker<'a>,
    moves: Moves,
    work: u64,
    tried: u64,
    wrong: u64,
    /// The worst of each kind.
    worst: BTreeMap<Kind, Tried>,
    observer: &'o mut dyn Observer<Progress>,
    stopped: bool,
}

impl Attacker<'_> {
    /// The inputs with the least margins, of at most about `work` that are run, the worst `count` kinds of them. If the observer
    /// breaks, what was found until then.
    ///
    /// # Errors
    /// Restrictions that no input meets, of those tried; logits that are not finite.
    pub fn attack(&self, work: u64, count: usize, seed: u64, observer: &mut dyn Observer<Progress>) -> Result<Attack> {
        let none = || Error::invalid("restrictions", "some input that meets them", "none of those tried");
        self.attack_if_any(work, count, seed, observer)?.ok_or_else(none)
    }

    /// [`attack`](Self::attack); nothing where no input that was tried meets the restrictions.
    pub(super) fn attack_if_any(
        &self,
        work: u64,
        count: usize,
        seed: u64,
        observer: &mut dyn Observer<Progress>,
    ) -> Result<Option<Attack>> {
        let mut search = Search {
            attacker: self,
            moves: Moves::of(self.task),
            work,
            tried: 0,
            wrong: 0,
            worst: BTreeMap::new(),
            observer,
            stopped: false,
        };
        let all = match self.task.inputs().filter(|inputs| inputs.count() <= work.into()) {
            Some(inputs) => search.run_all(&mut inputs.iter())?,
            None => search.run(seed)?,
        };
        let Search { tried, wrong, worst, .. } = search;
        if worst.is_empty() {
            return Ok(None);
        }
        let mut kinds: Vec<&Tried> = worst.values().collect();
        kinds.sort_by(|a, b| a.margin.total_cmp(&b.margin));
        let wrong_kinds = kinds.iter().filter(|tried| tried.margin <= 0.0).count();
        kinds.truncate(count);
        Ok(Some(Attack { found: self.confirm(&kinds)?, wrong_kinds, tried, wrong, all }))
    }
}

impl Search<'_, '_, '_> {
    /// Inputs that are run between two calls of the observer.
    const BATCH: usize = 16_384;

    /// Runs all inputs; whether none was left out.
    fn run_all(&mut self, inputs: &mut dyn Iterator<Item = Vec<Token>>) -> Result<bool> {
        loop {
            let batch: Vec<Vec<Token>> = inputs.take(Self::BATCH).collect();
            if batch.is_empty() {
                return Ok(true);
            }
            self.run_batch(&batch)?;
            if self.stopped {
                return Ok(false);
            }
        }
    }

    /// Draws and descends, again and again, until the work is done.
    fn run(&mut self, seed: u64) -> Result<bool> {
        /// Of the work, the share that each round draws.
        const DRAWN: u64 = 20;
        /// The most starts of a round.
        const STARTS: usize = 64;
        let draws = (self.work / DRAWN).clamp(1, 1 << 20) as usize;
        for round in 0.. {
            let mut rng = random::stream(seed, &format!("attack/{round}"));
            let before = self.tried;
            let drawn = self.draw(draws, round, &mut rng)?;
            self.descend(starts(drawn, STARTS), &mut rng)?;
            if self.is_done() || self.tried == before {
                break;
            }
        }
        Ok(false)
    }

    /// Random inputs that were run: in the first round as many of the families' members, and only such of the members that
    /// are asked for, if any are.
    fn draw(&mut self, draws: usize, round: usize, rng: &mut Twister) -> Result<Vec<Tried>> {
        let Attacker { families, members, within, .. } = self.attacker;
        let every = || {
            let of = |family: usize| (0..families[family].members.len()).map(move |member| (family, member));
            (0..families.len()).flat_map(of).collect()
        };
        let (only, within) = (members.numbers(), within.iter().map(|family| &family.members[0]));
        let is_free = only.is_empty() && within.len() == 0;
        let from: Vec<_> = if is_free && round == 0 { every() } else { only.to_vec() };
        let from = from.into_iter().map(|(family, member)| &families[family].members[member]);
        let from: Vec<_> = from.chain(within).collect();
        let mut tried = Vec::new();
        for member in &from {
            let inputs = member.draw(draws.div_ceil(from.len()), rng);
            tried.extend(self.run_batches(&inputs)?.into_iter().flatten());
        }
        if is_free && !self.is_done() {
            let inputs = self.attacker.draw(draws, rng);
            tried.extend(self.run_batches(&inputs)?.into_iter().flatten());
        }
        Ok(tried)
    }

    /// Steepest descent from several inputs side by side, until none gets worse.
    fn descend(&mut self, mut states: Vec<Tried>, rng: &mut Twister) -> Result<()> {
        /// Of a sequence with more neighbours, so many are drawn at each step.
        const NEIGHBOURS: usize = 1024;
        while !states.is_empty() && !self.is_done() {
            let near: Vec<Vec<Vec<Token>>> =
                states.iter().map(|state| self.moves.neighbours(&state.input, NEIGHBOURS, rng)).collect();
            let (lengths, all): (Vec<usize>, Vec<_>) = (near.iter().map(Vec::len).collect(), near.concat());
            let mut tried = self.run_batches(&all)?.into_iter();
            let mut next = Vec::new();
            for (state, near) in states.into_iter().zip(lengths) {
                let near = tried.by_ref().take(near).flatten();
                let least = near.min_by(|a, b| a.margin.total_cmp(&b.margin));
                next.extend(least.filter(|least| least.margin < state.margin));
            }
            // Two that meet go on as one.
            next.sort_by(|a, b| a.margin.total_cmp(&b.margin).then_with(|| a.input.cmp(&b.input)));
            next.dedup_by(|a, b| a.input == b.input);
            states = next;
        }
        Ok(())
    }

    /// Runs sequences batch by batch, as long as the work is not done.
    fn run_batches(&mut self, sequences: &[Vec<Token>]) -> Result<Vec<Option<Tried>>> {
        let mut all = Vec::new();
        for batch in sequences.chunks(Self::BATCH) {
            all.extend(self.run_batch(batch)?);
            if self.is_done() {
                break;
            }
        }
        Ok(all)
    }

    fn run_batch(&mut self, sequences: &[Vec<Token>]) -> Result<Vec<Option<Tried>>> {
        let all = self.attacker.run(sequences)?;
        for tried in all.iter().flatten() {
            self.tried += 1;
            self.wrong += u64::from(tried.margin <= 0.0);
            match self.worst.get_mut(&tried.kind) {
                Some(worst) if worst.margin <= tried.margin => {}
                Some(worst) => *worst = tried.clone(),
                None => _ = self.worst.insert(tried.kind.clone(), tried.clone()),
            }
        }
        let least = self.worst.values().map(|worst| worst.margin).fold(f64::INFINITY, f64::min);
        let progress = Progress { tried: self.tried, of: self.work, wrong: self.wrong, least };
        self.stopped |= self.observer.on(progress).is_break();
        Ok(all)
    }

    fn is_done(&self) -> bool {
        self.stopped || self.tried >= self.work
    }
}

/// So many inputs with small margins, of as many kinds as there are: the worst of each kind, then the second, and so on.
fn starts(mut tried: Vec<Tried>, count: usize) -> Vec<Tried> {
    tried.sort_by(|a, b| a.margin.total_cmp(&b.margin).then_with(|| a.input.cmp(&b.input)));
    tried.dedup_by(|a, b| a.input == b.input);
    let mut of_kind: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, Tried)> = tried
        .into_iter()
        .map(|tried| {
            let rank = of_kind.entry(tried.kind.clone()).or_default();
            *rank += 1;
            (*rank, tried)
        })
        .collect();
    // Stable: among equals the worst stays first.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.truncate(count);
    ranked.into_iter().map(|(_, tried)| tried).collect()
}
