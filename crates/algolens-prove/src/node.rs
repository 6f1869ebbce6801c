//! Nodes of the branch-and-bound tree: bounding, bound tightening, and the choice of the branching variable.

use super::{
    List, Order, Restrictions,
    dominance::{DominanceProof, NO_FLOOR, Outcome},
    logit_difference::LogitDifference,
    minimizer::Minimizer,
    oracle::{Region, Split},
};
use algolens_check::certificate::{
    Class,
    evidence::{tag, write_number, write_signed},
};
use algolens_core::task::Token;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A subproblem of branch and bound: a region of a class whose lists are not all decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// The region: its lists, by the options of each token.
    pub region: Region,
    /// Number of lists in the region; exact below 2⁵³.
    pub count: f64,
    /// The wrong answers not yet dominated on the region, hardest first.
    pub rivals: Vec<Rival>,
    /// The candidate lists handed down: those where bounds were least.
    pub lists: Vec<List>,
}

/// A wrong answer that the target is not known to dominate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rival {
    /// The output token.
    pub answer: u16,
    /// Lower bounds `[head]` proved on the node, in floor units: see [`DominanceProof::floors`].
    pub floors: Box<[i32]>,
    /// Those of the lower bounds that the evidence has written down.
    pub written: Box<[i32]>,
}

/// Result of bounding a node.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The moves, as [`evidence`](algolens_check::certificate::evidence) writes them.
    pub moves: Vec<u8>,
    /// Number of lists proved wrong.
    pub wrong: f64,
    /// Number of those that have only certified classes at earlier positions; see [`Effort::certified`].
    pub first_wrong: f64,
    /// What remains to be decided.
    pub remainder: Remainder,
}

/// The undecided remainder of a node.
#[derive(Clone, Debug)]
pub enum Remainder {
    /// Nothing: every list is decided.
    Nothing,
    /// One list, which its logits decide.
    Single {
        /// True if its prediction is correct, or wrong, by more than the slack.
        decided: bool,
    },
    /// Undecided lists, and the split to branch on; none if no token has two options.
    Node(Node, Option<Split>),
}

/// The least bound among a node's cells, with the min-marginals `[token][option]` of that cell.
type Worst = (f64, Vec<[f32; 16]>);

/// What a proof that a rival dominates the target decides.
struct Refuted {
    /// Number of lists proved wrong.
    wrong: f64,
    /// Number of those that [`count_first`](Node::count_first) counts.
    first_wrong: f64,
    /// Where the proof's bound was least, if it does not hold on the whole region.
    worst: Option<Worst>,
}

/// The largest share of a node's lists that may remain for a round to be written down.
const WORTHWHILE: f64 = 0.9;

/// Limits on the work that bounding one node may take.
#[derive(Clone, Copy, Debug)]
pub struct Effort<'c> {
    /// Logits by which an answer must exceed another to dominate it.
    pub slack: f64,
    /// Most halvings of a cell where no violating list is known.
    pub closing: usize,
    /// Most halvings of a cell otherwise.
    pub narrowing: usize,
    /// Most rounds of bound tightening.
    pub rounds: usize,
    /// True to end a round once one rival needs every option.
    pub hardest_only: bool,
    /// The certified classes. Where none are given, no list is proved wrong.
    pub certified: Option<&'c HashSet<Class>>,
}

impl Node {
    /// The most candidate lists that a node hands down to its children.
    const MOST_LISTS: usize = 8;

    /// The root node: the lists of a class that meet restrictions, and all wrong answers as rivals.
    pub fn root(minimizer: &mut Minimizer, restrictions: &Restrictions) -> Self {
        let rows = minimizer.rows;
        let mut region = Region::whole(rows);
        restrictions.restrict(&rows.tokens, &mut region);
        let answers = (0..rows.tables.d_vocab_out()).filter(|answer| *answer != rows.class.target as usize);
        let floors: Box<[i32]> = vec![NO_FLOOR; rows.tables.n_heads()].into();
        let rival = |answer| Rival { answer: answer as u16, floors: floors.clone(), written: floors.clone() };
        let middle = rows.middle();
        let zeros = vec![0.0; rows.rows.len()];
        let list = match restrictions.order == Order::Any && region.has(rows, &middle) {
            true => Some(middle),
            false => minimizer.oracle.minimum(rows, &region, &zeros).map(|minimum| minimum.list),
        };
        let count = minimizer.oracle.count(rows, &region);
        Self { count, region, rivals: answers.map(rival).collect(), lists: list.into_iter().collect() }
    }

    /// The two children of a split; none for a child without lists.
    pub fn split(&self, minimizer: &mut Minimizer, split: &Split) -> [Option<Self>; 2] {
        split.parts(&self.region).map(|region| {
            let count = minimizer.oracle.count(minimizer.rows, &region);
            let lists = self.lists.iter().filter(|list| region.has(minimizer.rows, list)).copied().collect();
            (count > 0.5).then(|| Self { region, count, rivals: self.rivals.clone(), lists })
        })
    }

    /// Resets the floors, which hold for one slack and one bound on σ only.
    pub fn forget_floors(&mut self) {
        for rival in &mut self.rivals {
            rival.floors.fill(NO_FLOOR);
            rival.written.fill(NO_FLOOR);
        }
    }

    /// Bounds every rival on the node and tightens its region: what that decides and what remains.
    pub fn examine(mut self, minimizer: &mut Minimizer, effort: Effort) -> Examined {
        let mut moves = Vec::new();
        let mut refuted = self.examine_typical(minimizer, effort, &mut moves);
        let mut worst = refuted.as_mut().and_then(|refuted| refuted.worst.take());
        if refuted.is_none() {
            for _ in 0..effort.rounds {
                let before = self.count;
                match self.round(minimizer, effort, &mut moves) {
                    Some(found) => worst = found,
                    None => return Examined { moves, wrong: 0.0, first_wrong: 0.0, remainder: Remainder::Nothing },
                }
                if self.count < 1.5 || self.count > 0.5 * before {
                    break;
                }
            }
            refuted = self.examine_wrong(minimizer, effort, None, &mut moves);
        }
        let (mut wrong, mut first_wrong) = refuted.map_or((0.0, 0.0), |refuted| (refuted.wrong, refuted.first_wrong));
        if self.count < 0.5 {
            return Examined { moves, wrong, first_wrong, remainder: Remainder::Nothing };
        }
        if self.count < 1.5 {
            let zeros = vec![0.0; minimizer.rows.rows.len()];
            let list = minimizer.oracle.minimum(minimizer.rows, &self.region, &zeros).expect("a list remains").list;
            let point = minimizer.add_point(list);
            let (margin, _) = minimizer.rows.margin(&minimizer.points[point].rows);
            let correct = margin > effort.slack;
            if !correct && margin < -effort.slack {
                wrong += 1.0;
                first_wrong += effort.certified.map_or(0.0, |certified| self.count_first(minimizer, certified));
            }
            let decided = margin.abs() > effort.slack;
            return Examined { moves, wrong, first_wrong, remainder: Remainder::Single { decided } };
        }
        let split = worst.and_then(|(least, marginals)| self.choose_split(minimizer.rows, least, &marginals));
        self.lists = minimizer.points.iter().rev().map(|point| point.list).take(Self::MOST_LISTS).collect();
        Examined { moves, wrong, first_wrong, remainder: Remainder::Node(self, split) }
    }

    /// One round: tries to prove that the target dominates each rival, and keeps the options that some rival needs. The
    /// least bound found, for a split; none if every rival is dominated or no list remains.
    ///
    /// A round that decides little is undone and not written down.
    fn round(&mut self, minimizer: &mut Minimizer, effort: Effort, moves: &mut Vec<u8>) -> Option<Option<Worst>> {
        let target = minimizer.rows.class.target as usize;
        let all = self.region.options().to_vec();
        let mut kept = vec![0; all.len()];
        let mut worst: Option<Worst> = None;
        let mut open: Vec<(usize, Rival, Vec<u8>)> = Vec::new();
        for mut rival in std::mem::take(&mut self.rivals) {
            if effort.hardest_only && kept == all {
                open.push((0, rival, Vec::new()));
                continue;
            }
            let difference = LogitDifference::new(minimizer.rows, target, rival.answer.into(), effort.slack);
            let mut proof = DominanceProof::new(minimizer, &difference, &self.region, rival.floors.to_vec());
            let outcome = prove_dominance(&mut proof, effort);
            let mut written = Vec::new();
            write_dominance(&mut written, tag::RIGHT, &rival, &proof);
            rival.floors = proof.floors.into();
            match outcome {
                Outcome::Empty => return None,
                Outcome::Dominates => moves.extend(written),
                Outcome::Unknown => {
                    kept.clone_from(&all);
                    open.push((usize::MAX, rival, Vec::new()));
                }
                Outcome::Narrowed => {
                    kept.iter_mut().zip(&proof.kept).for_each(|(kept, more)| *kept |= more);
                    if let Some(found) = proof.worst
                        && worst.as_ref().is_none_or(|worst| found.0 < worst.0)
                    {
                        worst = Some(found);
                    }
                    let hardness = proof.kept.iter().map(|kept| kept.count_ones() as usize).sum();
                    open.push((hardness, rival, written));
                }
            }
        }
        if open.is_empty() {
            return None;
        }
        let (region, count) = (self.region.clone(), self.count);
        self.restrict(minimizer, &kept);
        let worthwhile = self.count < WORTHWHILE * count;
        if !worthwhile {
            (self.region, self.count) = (region, count);
        }
        open.sort_by_key(|(hardness, ..)| std::cmp::Reverse(*hardness));
        for (_, mut rival, written) in open {
            if worthwhile && !written.is_empty() {
                moves.extend(written);
                rival.written = rival.floors.clone();
            }
            self.rivals.push(rival);
        }
        if worthwhile {
            moves.push(tag::KEEP);
        }
        (self.count > 0.5).then_some(worst)
    }

    /// Removes options that are not kept from the region, and the lists that have them from the minimizer's points.
    fn restrict(&mut self, minimizer: &mut Minimizer, kept: &[u16]) {
        let changed = self.region.options().iter().zip(kept).any(|(options, kept)| options & !kept != 0);
        if changed {
            self.region.options_mut().iter_mut().zip(kept).for_each(|(options, kept)| *options &= kept);
            self.count = minimizer.oracle.count(minimizer.rows, &self.region);
            let (rows, region) = (minimizer.rows, &self.region);
            minimizer.points.retain(|point| region.has(rows, &point.list));
        }
    }

    /// The number of the region's lists with only certified classes at earlier positions.
    fn count_first(&self, minimizer: &mut Minimizer, certified: &HashSet<Class>) -> f64 {
        minimizer.oracle.count_with_transitions(minimizer.rows, &self.region, &|position, token, target| {
            certified.contains(&Class { position, token: token.map(Token::from), target: target.into() })
        })
    }

    /// [`examine_wrong`](Self::examine_wrong) where typical lists of the region are wrong: the target then dominates nowhere
    /// much, and is not tried.
    fn examine_typical(&mut self, minimizer: &mut Minimizer, effort: Effort, moves: &mut Vec<u8>) -> Option<Refuted> {
        if self.count < 1.5 || effort.certified.is_none() {
            return None;
        }
        let winner = self.typical_winner(minimizer, effort.slack)?;
        self.examine_wrong(minimizer, effort, Some(winner), moves)
    }

    /// Tries to prove that the winner of typical lists, or else a rival that no known list speaks against, dominates the
    /// target on the region or on some of its options: what that decides as wrong; none if nothing is proved.
    fn examine_wrong(
        &mut self,
        minimizer: &mut Minimizer,
        effort: Effort,
        winner: Option<Rival>,
        moves: &mut Vec<u8>,
    ) -> Option<Refuted> {
        let certified = effort.certified.filter(|_| self.count > 1.5)?;
        let (rows, is_typical) = (minimizer.rows, winner.is_some());
        let rival = winner.unwrap_or_else(|| {
            let points: Vec<usize> = (0..minimizer.points.len()).collect();
            self.winner(minimizer, &points)
        });
        let difference = LogitDifference::new(rows, rival.answer.into(), rows.class.target as usize, effort.slack);
        let floors: Box<[i32]> = vec![NO_FLOOR; rows.tables.n_heads()].into();
        let mut proof = DominanceProof::new(minimizer, &difference, &self.region, floors.to_vec());
        if !is_typical && proof.finds_violation()? {
            return None;
        }
        let outcome = prove_dominance(&mut proof, effort);
        let kept = match outcome {
            Outcome::Empty | Outcome::Unknown => return None,
            Outcome::Dominates => vec![0; proof.kept.len()],
            Outcome::Narrowed => proof.kept.clone(),
        };
        if outcome == Outcome::Narrowed && kept == self.region.options() {
            return None;
        }
        write_dominance(moves, tag::WRONG, &Rival { written: floors, ..rival }, &proof);
        let worst = proof.worst.take();
        let (before, first_before) = (self.count, self.count_first(minimizer, certified));
        if outcome == Outcome::Dominates {
            self.count = 0.0;
            return Some(Refuted { wrong: before, first_wrong: first_before, worst: None });
        }
        self.restrict(minimizer, &kept);
        let first_wrong = (first_before - self.count_first(minimizer, certified)).max(0.0);
        Some(Refuted { wrong: before - self.count, first_wrong, worst })
    }
}

/// Runs a dominance proof: raises floors, then divides the box.
fn prove_dominance(proof: &mut DominanceProof, effort: Effort) -> Outcome {
    match proof.raise_floors() {
        None => Outcome::Empty,
        Some(true) => {
            proof.cells.clear();
            Outcome::Dominates
        }
        Some(false) => {
            let depth = if proof.is_violated() { effort.narrowing } else { effort.closing };
            proof.divide(depth)
        }
    }
}

/// Appends a dominance proof's tag, rival, floors and cells to the evidence.
fn write_dominance(moves: &mut Vec<u8>, tag: u8, before: &Rival, proof: &DominanceProof) {
    moves.push(tag);
    write_number(moves, before.answer.into());
    let moved = before.written.iter().zip(&proof.floors);
    let flags = moved.clone().enumerate().fold(u64::from(!proof.cells.is_empty()), |flags, (head, (before, after))| {
        flags | u64::from(before != after) << (head + 1)
    });
    write_number(moves, flags);
    for (before, after) in moved.filter(|(before, after)| before != after) {
        let before = if *before == NO_FLOOR { 0 } else { *before };
        write_signed(moves, i64::from(*after) - i64::from(before));
    }
    moves.extend(&proof.cells);
}
