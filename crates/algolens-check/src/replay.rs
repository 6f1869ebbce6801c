//! Replays the proof of one class.

use super::{
    bytes::{Reader, tag},
    circuits::Circuits,
    class::{Class, Counts, Members},
    contests::{Contests, Side},
    count::Counter,
    first::Certified,
    logits::{logits, margin},
};
use algolens_core::{Error, Result, engine::Vectors};

/// What is proved of a class, in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lists {
    /// All.
    pub total: u128,
    /// The right answer is above every other by more than the slack.
    pub right: u128,
    /// Another answer is above the right one by more than the slack.
    pub wrong: u128,
    /// Of those, the ones whose earlier predictions are in certified classes.
    pub first_wrong: u128,
}

/// What proofs are held against.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub certified: &'a Certified,
    pub circuits: &'a Circuits,
    pub counts: &'a Counts,
    /// Logits by which an answer must be above another.
    pub slack: f64,
    /// The unit of floors.
    pub step: f64,
    pub vectors: Vectors,
}

/// A part of a class.
#[derive(Clone, Debug)]
struct Node {
    /// What each token may do.
    region: Vec<u16>,
    /// Whether an output may still be above the right answer, or as good.
    open: Vec<bool>,
    /// Floors in steps, `[output, head]`.
    floors: Vec<Option<i64>>,
}

/// The replay of a class's proof.
pub(super) struct Replay<'a> {
    terms: Terms<'a>,
    class: Class,
    members: Members,
    contests: Contests<'a>,
    counter: Counter,
    /// Options that an output needs to be above the right answer, found since options were last struck out,
    /// `[output, token]`; `found` says for which outputs.
    kept: Vec<u16>,
    found: Vec<bool>,
    wrong: u128,
    first_wrong: u128,
    unknown: u128,
}

impl<'a> Replay<'a> {
    pub fn new(terms: Terms<'a>, class: Class) -> Self {
        let members = Members::new(terms.circuits.sizes, &class);
        let outputs = terms.circuits.outputs;
        Self {
            contests: Contests::new(terms, &class, Members::new(terms.circuits.sizes, &class)),
            counter: Counter::new(&members, terms.counts.lists, terms.vectors),
            kept: vec![0; outputs * members.tokens.len()],
            found: vec![false; outputs],
            wrong: 0,
            first_wrong: 0,
            unknown: 0,
            terms,
            class,
            members,
        }
    }

    /// Replays the proof that `bytes` are.
    ///
    /// # Errors
    /// The first claim that is not proved, or that is none.
    pub fn run(mut self, bytes: &[u8]) -> Result<Lists> {
        let outputs = self.terms.circuits.outputs;
        let root = self.members.root();
        let total = self.class.sets * self.terms.counts.orders;
        let counted = self.counter.count(&root);
        if counted != total {
            return Err(self.invalid(&format!("{total} lists"), format!("{counted}")));
        }
        // Each split takes options away on both sides.
        let deepest: u32 = root.iter().map(|options| options.count_ones()).sum();
        let mut open = vec![true; outputs];
        open[self.class.target] = false;
        let floors = vec![None; outputs * self.terms.circuits.heads];
        let mut nodes = vec![Node { region: root, open, floors }];
        let mut reader = Reader::new(bytes);
        while let Some(node) = nodes.pop() {
            if let Some((left, right)) = self.node(node, &mut reader)? {
                nodes.extend([right, left]);
                if nodes.len() > deepest as usize {
                    return Err(self.invalid(&format!("at most {deepest} splits of a part"), "more".into()));
                }
            }
        }
        if !reader.is_empty() {
            return Err(self.invalid("the end of its proof", "more bytes".into()));
        }
        let right = total - self.wrong - self.unknown;
        Ok(Lists { total, right, wrong: self.wrong, first_wrong: self.first_wrong })
    }

    fn invalid(&self, expected: &str, found: String) -> Error {
        self.class.invalid_proof(expected, found)
    }

    /// Replays a node's steps, and its end; the parts that it is split into.
    fn node(&mut self, mut node: Node, reader: &mut Reader) -> Result<Option<(Node, Node)>> {
        self.found.fill(false);
        loop {
            match reader.byte()? {
                tag::RIGHT => self.right(&mut node, reader)?,
                tag::WRONG => self.wrong(&mut node, reader)?,
                tag::KEEP => self.strike_out(&mut node),
                tag::SPLIT => return self.split(node, reader).map(Some),
                end => return self.end(&node, end).map(|()| None),
            }
        }
    }

    fn end(&mut self, node: &Node, end: u8) -> Result<()> {
        match end {
            tag::DONE if !node.open.contains(&true) => {}
            tag::DONE => match self.counter.count(&node.region) {
                0 => {}
                left => {
                    let rivals = node.open.iter().filter(|open| **open).count();
                    let found = format!("{left} lists on which {rivals} answers are open");
                    return Err(self.invalid("nothing left of a part that is done", found));
                }
            },
            tag::OPEN => self.unknown += self.counter.count(&node.region),
            tag::SINGLE => match self.counter.count(&node.region) {
                0 => {}
                1 => self.decide(&node.region),
                lists => return Err(self.invalid("a part of one list", format!("{lists} lists"))),
            },
            other => return Err(self.invalid("a step of a proof", format!("the tag {other}"))),
        }
        Ok(())
    }

    /// Judges a region's only list by its logits.
    fn decide(&mut self, region: &[u16]) {
        let Some(numbers) = self.counter.only_list(region) else { return };
        let list: Vec<usize> = numbers.into_iter().map(|number| self.members.tokens[number]).collect();
        let margin = margin(&logits(self.terms.circuits, &list, self.class.position), self.class.target);
        let (right, wrong) = (margin.low() > self.terms.slack, margin.high() < -self.terms.slack);
        if wrong {
            self.wrong += 1;
            self.first_wrong += self.count_first(region);
        }
        self.unknown += u128::from(!right && !wrong);
    }

    fn split(&mut self, node: Node, reader: &mut Reader) -> Result<(Node, Node)> {
        let token = reader.number()?;
        let options = reader.options()?;
        let tokens = node.region.len();
        let Some(token) = usize::try_from(token).ok().filter(|token| *token < tokens) else {
            return Err(self.invalid(&format!("a split on one of {tokens} tokens"), format!("token {token}")));
        };
        let (mut left, mut right) = (node.clone(), node);
        left.region[token] &= options;
        right.region[token] &= !options;
        Ok((left, right))
    }

    /// The options that no open rival needs are of lists that are right, if what each needs was found.
    fn strike_out(&mut self, node: &mut Node) {
        let tokens = node.region.len();
        let mut open = (0..node.open.len()).filter(|output| node.open[*output]);
        if open.clone().all(|output| self.found[output]) {
            let mut needed = vec![0; tokens];
            for output in &mut open {
                let kept = &self.kept[output * tokens..][..tokens];
                needed.iter_mut().zip(kept).for_each(|(needed, kept)| *needed |= kept);
            }
            node.region.iter_mut().zip(needed).for_each(|(options, needed)| *options &= needed);
        }
        self.found.fill(false);
    }

    /// The right answer against a rival.
    fn right(&mut self, node: &mut Node, reader: &mut Reader) -> Result<()> {
        let heads = self.terms.circuits.heads;
        let rival = self.rival(reader)?;
        let mut floors = node.floors[rival * heads..][..heads].to_vec();
        let mut kept = vec![0; node.region.len()];
        if self.contests.replay(Side::Right(rival), &node.region, &mut floors, &mut kept, reader)? {
            node.open[rival] = false;
        } else {
            let so_far = &mut self.kept[rival * kept.len()..][..kept.len()];
            if self.found[rival] {
                so_far.iter_mut().zip(&kept).for_each(|(so_far, kept)| *so_far &= kept);
            } else {
                so_far.copy_from_slice(&kept);
            }
            self.found[rival] = true;
        }
        node.floors[rival * heads..][..heads].copy_from_slice(&floors);
        Ok(())
    }

    /// A rival against the right answer: lists that are struck out are wrong.
    fn wrong(&mut self, node: &mut Node, reader: &mut Reader) -> Result<()> {
        let rival = self.rival(reader)?;
        let mut floors = vec![None; self.terms.circuits.heads];
        let mut kept = vec![0; node.region.len()];
        let before = self.counter.count(&node.region);
        let first_before = self.count_first(&node.region);
        // Nothing is kept if the rival wins everywhere.
        self.contests.replay(Side::Wrong(rival), &node.region, &mut floors, &mut kept, reader)?;
        node.region.iter_mut().zip(kept).for_each(|(options, kept)| *options &= kept);
        self.wrong += before - self.counter.count(&node.region);
        self.first_wrong += first_before - self.count_first(&node.region);
        Ok(())
    }

    fn count_first(&self, region: &[u16]) -> u128 {
        self.terms.certified.count(&self.members, region)
    }

    fn rival(&self, reader: &mut Reader) -> Result<usize> {
        let outputs = self.terms.circuits.outputs;
        let rival = reader.number()?;
        let is_one = |rival: &usize| *rival < outputs && *rival != self.class.target;
        usize::try_from(rival).ok().filter(is_one).ok_or_else(|| {
            self.invalid(&format!("another answer below {outputs} than the right one"), format!("{rival}"))
        })
    }
}
