//! One node of a proof: what its bounds decide, and how to split what is left.

use super::{
    ClassRows, List, Order,
    attack::Restrictions,
    bout::{Bout, NO_FLOOR, Outcome},
    contest::Contest,
    oracle::{ABSENT, Region},
    prover::Prover,
};
use algolens_check::certificate::{
    Class,
    evidence::{tag, write_number, write_signed},
};
use algolens_core::task::Token;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// A part of a class that is not decided yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its lists.
    pub region: Region,
    /// How many they are.
    pub count: f64,
    /// The wrong answers that may still win on some of them, hardest first.
    pub rivals: Vec<Rival>,
    /// Some of its lists: where bounds were least.
    pub lists: Vec<List>,
}

/// A wrong answer that may win somewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rival {
    /// The output class.
    pub answer: u16,
    /// What holds of the heads' contributions in the node: see [`Bout::floors`].
    pub floors: Box<[i32]>,
    /// As much of that as is written down.
    pub written: Box<[i32]>,
}

/// How a node was examined.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The steps, as [`evidence`](algolens_check::certificate::evidence) writes them.
    pub steps: Vec<u8>,
    /// How many lists are wrong for sure.
    pub wrong: f64,
    /// How many of them have only certified classes at earlier positions; see [`Effort::certified`].
    pub first_wrong: f64,
    /// What is left.
    pub left: Left,
}

/// What is left of a node.
#[derive(Clone, Debug)]
pub enum Left {
    /// Nothing: every list is decided.
    Nothing,
    /// One list, which its logits decide.
    Single {
        /// Whether its prediction is right by the slack.
        right: bool,
    },
    /// Undecided lists, and the split to go on with; none if there is no way to split.
    Node(Node, Option<Split>),
}

/// Of the cell with the least bound, that and the bounds of every option.
type Worst = (f64, Vec<[f32; 16]>);

/// Of a node's lists at most this share may be left for a round to be written down.
const WORTHWHILE: f64 = 0.9;

/// A token by its number in the class, and which of its options go left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The token.
    pub token: usize,
    /// Its options on the left; the others go right.
    pub options: u16,
}

/// How hard a node is worked on.
#[derive(Clone, Copy, Debug)]
pub struct Effort<'c> {
    /// Logits by which an answer must win to count.
    pub slack: f64,
    /// How often the cells are halved when no list is known that violates.
    pub closing: usize,
    /// How often they are halved otherwise.
    pub narrowing: usize,
    /// Rounds of striking out options, at most.
    pub rounds: usize,
    /// Whether a round ends once one rival may win with every option.
    pub hardest_only: bool,
    /// The classes that are known to be right on every list. Where none are given, no list is looked for that is wrong.
    pub certified: Option<&'c HashSet<Class>>,
}

impl Node {
    /// The most lists that a node hands down.
    const MOST_LISTS: usize = 8;

    /// The lists of a class that meet restrictions, and all wrong answers.
    pub fn root(prover: &mut Prover, restrictions: &Restrictions) -> Self {
        let rows = prover.rows;
        let mut region = Region::whole(rows);
        restrictions.restrict(&rows.tokens, &mut region);
        let answers = (0..rows.tables.d_vocab_out()).filter(|answer| *answer != rows.class.target as usize);
        let floors: Box<[i32]> = vec![NO_FLOOR; rows.tables.n_heads()].into();
        let rival = |answer| Rival { answer: answer as u16, floors: floors.clone(), written: floors.clone() };
        let middle = rows.middle();
        let zeros = vec![0.0; rows.rows.len()];
        let list = match restrictions.order == Order::Any && region.has(rows, &middle) {
            true => Some(middle),
            false => prover.oracle.minimum(rows, &region, &zeros).map(|minimum| minimum.list),
        };
        let count = prover.oracle.count(rows, &region);
        Self { count, region, rivals: answers.map(rival).collect(), lists: list.into_iter().collect() }
    }

    /// The two parts of a split; none for a part that has no list.
    pub fn split(&self, prover: &mut Prover, split: Split) -> [Option<Self>; 2] {
        [split.options, !split.options].map(|options| {
            let mut region = self.region.clone();
            region.options_mut()[split.token] &= options;
            let count = prover.oracle.count(prover.rows, &region);
            let lists = self.lists.iter().filter(|list| region.has(prover.rows, list)).copied().collect();
            (count > 0.5).then(|| Self { region, count, rivals: self.rivals.clone(), lists })
        })
    }

    /// Forgets floors: they hold for one slack and one bound on σ.
    pub fn forget_floors(&mut self) {
        for rival in &mut self.rivals {
            rival.floors.fill(NO_FLOOR);
            rival.written.fill(NO_FLOOR);
        }
    }

    /// Bounds what rivals can do in the node.
    pub fn examine(mut self, prover: &mut Prover, effort: Effort) -> Examined {
        let mut steps = Vec::new();
        let (mut wrong, mut first_wrong) = (0.0, 0.0);
        let mut worst = None;
        for _ in 0..effort.rounds {
            let before = self.count;
            match self.round(prover, effort, &mut steps) {
                Some(found) => worst = found,
                None => return Examined { steps, wrong, first_wrong, left: Left::Nothing },
            }
            if self.count < 1.5 || self.count > 0.5 * before {
                break;
            }
        }
        if self.count > 1.5
            && let Some(certified) = effort.certified
            && let Some((decided, first)) = self.examine_wrong(prover, effort, certified, &mut steps)
        {
            wrong += decided;
            first_wrong += first;
            if self.count < 0.5 {
                return Examined { steps, wrong, first_wrong, left: Left::Nothing };
            }
        }
        if self.count < 1.5 {
            let zeros = vec![0.0; prover.rows.rows.len()];
            let list = prover.oracle.minimum(prover.rows, &self.region, &zeros).expect("a list is left").list;
            let point = prover.remember(list);
            let (margin, _) = prover.rows.margin(&prover.points[point].rows);
            let right = margin > effort.slack;
            if !right && margin < -effort.slack {
                wrong += 1.0;
                first_wrong += effort.certified.map_or(0.0, |certified| self.count_first(prover, certified));
            }
            return Examined { steps, wrong, first_wrong, left: Left::Single { right } };
        }
        let split = worst.and_then(|(least, marginals)| self.choose_split(prover.rows, least, &marginals));
        self.lists = prover.points.iter().rev().map(|point| point.list).take(Self::MOST_LISTS).collect();
        Examined { steps, wrong, first_wrong, left: Left::Node(self, split) }
    }

    /// Lets the right answer fight every rival once; strikes out what none of them needs. Where the least bound was found,
    /// for a split; none if nothing is left.
    ///
    /// What decides little is not written down, and does not count.
    fn round(&mut self, prover: &mut Prover, effort: Effort, steps: &mut Vec<u8>) -> Option<Option<Worst>> {
        let target = prover.rows.class.target as usize;
        let all = self.region.options().to_vec();
        let mut kept = vec![0; all.len()];
        let mut worst: Option<Worst> = None;
        let mut open: Vec<(usize, Rival, Vec<u8>)> = Vec::new();
        for mut rival in std::mem::take(&mut self.rivals) {
            if effort.hardest_only && kept == all {
                open.push((0, rival, Vec::new()));
                continue;
            }
            let contest = Contest::new(prover.rows, target, rival.answer.into(), effort.slack);
            let mut bout = Bout::new(prover, &contest, &self.region, rival.floors.to_vec());
            let outcome = fight(&mut bout, effort);
            let mut written = Vec::new();
            write_bout(&mut written, tag::RIGHT, &rival, &bout);
            rival.floors = bout.floors.into();
            match outcome {
                Outcome::Empty => return None,
                Outcome::Won => steps.extend(written),
                Outcome::Narrowed => {
                    kept.iter_mut().zip(&bout.kept).for_each(|(kept, more)| *kept |= more);
                    if let Some(found) = bout.worst
                        && worst.as_ref().is_none_or(|worst| found.0 < worst.0)
                    {
                        worst = Some(found);
                    }
                    let hardness = bout.kept.iter().map(|kept| kept.count_ones() as usize).sum();
                    open.push((hardness, rival, written));
                }
            }
        }
        if open.is_empty() {
            return None;
        }
        let (region, count) = (self.region.clone(), self.count);
        self.restrict(prover, &kept);
        let worthwhile = self.count < WORTHWHILE * count;
        if !worthwhile {
            (self.region, self.count) = (region, count);
        }
        open.sort_by_key(|(hardness, ..)| std::cmp::Reverse(*hardness));
        for (_, mut rival, written) in open {
            if worthwhile && !written.is_empty() {
                steps.extend(written);
                rival.written = rival.floors.clone();
            }
            self.rivals.push(rival);
        }
        if worthwhile {
            steps.push(tag::KEEP);
        }
        (self.count > 0.5).then_some(worst)
    }

    /// Strikes out options that are not kept.
    fn restrict(&mut self, prover: &mut Prover, kept: &[u16]) {
        let changed = self.region.options().iter().zip(kept).any(|(options, kept)| options & !kept != 0);
        if changed {
            self.region.options_mut().iter_mut().zip(kept).for_each(|(options, kept)| *options &= kept);
            self.count = prover.oracle.count(prover.rows, &self.region);
            let (rows, region) = (prover.rows, &self.region);
            prover.points.retain(|point| region.has(rows, &point.list));
        }
    }

    /// How many lists have only certified classes at earlier positions.
    fn count_first(&self, prover: &mut Prover, certified: &HashSet<Class>) -> f64 {
        prover.oracle.count_with_steps(prover.rows, &self.region, |position, token, target| {
            certified.contains(&Class { position, token: token.map(Token::from), target: target.into() })
        })
    }

    /// Whether the hardest rival wins on all that is left or on some options: how many lists that decides as wrong, and
    /// how many of those [`count_first`](Self::count_first).
    fn examine_wrong(
        &mut self,
        prover: &mut Prover,
        effort: Effort,
        certified: &HashSet<Class>,
        steps: &mut Vec<u8>,
    ) -> Option<(f64, f64)> {
        let rival = self.rivals[0].clone();
        let contest = Contest::new(prover.rows, rival.answer.into(), prover.rows.class.target as usize, effort.slack);
        // The list on which the rival does worst, seen from some list: where it loses, it is not tried further.
        let (a, b) = contest.sums(&prover.points.last()?.rows).linear_part();
        prover.minimise(&contest, &self.region, &a, &b)?;
        let floors: Box<[i32]> = vec![NO_FLOOR; a.len()].into();
        let mut bout = Bout::new(prover, &contest, &self.region, floors.to_vec());
        if bout.is_violated() {
            return None;
        }
        let outcome = fight(&mut bout, effort);
        let kept = match outcome {
            Outcome::Empty => return None,
            Outcome::Won => vec![0; bout.kept.len()],
            Outcome::Narrowed => bout.kept.clone(),
        };
        if outcome == Outcome::Narrowed && kept == self.region.options() {
            return None;
        }
        write_bout(steps, tag::WRONG, &Rival { written: floors, ..rival }, &bout);
        let (before, first_before) = (self.count, self.count_first(prover, certified));
        if outcome == Outcome::Won {
            self.count = 0.0;
            return Some((before, first_before));
        }
        self.restrict(prover, &kept);
        Some((before - self.count, (first_before - self.count_first(prover, certified)).max(0.0)))
    }

    /// The token whose options differ most in how far violations are from them.
    fn choose_split(&self, rows: &ClassRows, least: f64, marginals: &[[f32; 16]]) -> Option<Split> {
        let mut best: Option<(f64, Split)> = None;
        let [below, above] = self.share_present(rows);
        for (token, &options) in self.region.options().iter().enumerate() {
            if options.count_ones() < 2 {
                continue;
            }
            let optional = options >> ABSENT & 1 == 1;
            let present = match optional {
                true if token < rows.low => below,
                true => above,
                false => 1.0,
            };
            let positions = f64::from((options & !(1 << ABSENT)).count_ones());
            let mut ways: Vec<(f64, f64, u16)> = (0..16_u32)
                .filter(|option| options >> option & 1 == 1)
                .map(|option| {
                    let share = if option == ABSENT { 1.0 - present } else { present / positions };
                    let most = (-3.0 * least).max(0.0);
                    let raised = (f64::from(marginals[token][option as usize]) - least).clamp(0.0, most);
                    (raised, share, 1 << option)
                })
                .collect();
            ways.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (mut left, mut share_left) = (0, 0.0);
            for at in 0..ways.len() - 1 {
                left |= ways[at].2;
                share_left += ways[at].1;
                let share_right = 1.0 - share_left;
                let gain = ways[at + 1].0 * share_right + 1e-6 * share_left * share_right;
                if best.as_ref().is_none_or(|(best, _)| gain > *best) {
                    best = Some((gain, Split { token, options: left }));
                }
            }
        }
        best.map(|(_, split)| split)
    }

    /// About which share of the optional tokens below `d` and above `y` a list has.
    fn share_present(&self, rows: &ClassRows) -> [f64; 2] {
        let share = |tokens: std::ops::Range<usize>, needed: usize| {
            let options = &self.region.options()[tokens];
            let forced = options.iter().filter(|options| **options >> ABSENT & 1 == 0).count();
            let optional = options.iter().filter(|o| **o >> ABSENT & 1 == 1 && **o != 1 << ABSENT).count();
            (needed.saturating_sub(forced) as f64 / optional.max(1) as f64).min(1.0)
        };
        let (low, position) = (rows.low, rows.class.position);
        [share(0..low, position), share(low..rows.tokens.len(), rows.list_len() - position)]
    }
}

/// Raises floors, then divides the box.
fn fight(bout: &mut Bout, effort: Effort) -> Outcome {
    match bout.raise_floors() {
        None => Outcome::Empty,
        Some(true) => {
            bout.cells.clear();
            Outcome::Won
        }
        Some(false) => {
            let depth = if bout.is_violated() { effort.narrowing } else { effort.closing };
            bout.divide(depth)
        }
    }
}

fn write_bout(steps: &mut Vec<u8>, tag: u8, before: &Rival, bout: &Bout) {
    steps.push(tag);
    write_number(steps, before.answer.into());
    let moved = before.written.iter().zip(&bout.floors);
    let flags = moved.clone().enumerate().fold(u64::from(!bout.cells.is_empty()), |flags, (head, (before, after))| {
        flags | u64::from(before != after) << (head + 1)
    });
    write_number(steps, flags);
    for (before, after) in moved.filter(|(before, after)| before != after) {
        let before = if *before == NO_FLOOR { 0 } else { *before };
        write_signed(steps, i64::from(*after) - i64::from(before));
    }
    steps.extend(&bout.cells);
}
