//! The replay of one class's branch-and-bound proof.

use super::{
    bytes::{Reader, tag},
    class::{Class, Members},
    context::Context,
    count::Counter,
    logit_difference::{LogitDifferences, Side},
    logits::{logits, margin},
    sizes::Asks,
};
use algolens_core::{Error, Result};

/// Numbers of a class's lists, by what is proved of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lists {
    /// All lists.
    pub total: u128,
    /// The target exceeds every other answer by more than the slack.
    pub right: u128,
    /// Another answer exceeds the target by more than the slack.
    pub wrong: u128,
    /// The wrong ones whose earlier predictions are all in certified classes.
    pub first_wrong: u128,
}

/// A node of the proof's tree: a region of the class.
#[derive(Clone, Debug)]
struct Node {
    /// The option bits `[token]`.
    region: Vec<u16>,
    /// `[output token]`, true while the target is not proved to dominate it.
    open: Vec<bool>,
    /// Floors `[output token, head]`, in floor units.
    floors: Vec<Option<i64>>,
}

/// The replay of a class's proof.
pub(super) struct Replay<'a> {
    context: Context<'a>,
    class: Class,
    members: Members,
    differences: LogitDifferences<'a>,
    counter: Counter,
    /// Option bits `[output token, token]` of lists on which an output token may reach the target, found since options
    /// were last removed; `found` says for which output tokens.
    kept: Vec<u16>,
    found: Vec<bool>,
    wrong: u128,
    first_wrong: u128,
    unknown: u128,
}

impl<'a> Replay<'a> {
    /// The replay of a class, not begun.
    pub fn new(context: Context<'a>, class: Class) -> Self {
        let members = Members::new(context.circuits.sizes, &class);
        let outputs = context.circuits.outputs;
        Self {
            differences: LogitDifferences::new(context, &class, Members::new(context.circuits.sizes, &class)),
            counter: Counter::new(&members, context.counts.lists, context.vectors),
            kept: vec![0; outputs * members.tokens.len()],
            found: vec![false; outputs],
            wrong: 0,
            first_wrong: 0,
            unknown: 0,
            context,
            class,
            members,
        }
    }

    /// Walks the proof that `bytes` hold; the lists that it decides.
    ///
    /// # Errors
    /// The first claim that is not proved, or bytes that are none.
    pub fn run(mut self, bytes: &[u8]) -> Result<Lists> {
        let outputs = self.context.circuits.outputs;
        let root = self.members.root();
        let total = self.class.sets * self.context.counts.orders;
        let counted = self.counter.count(&root);
        if counted != total {
            return Err(self.invalid(&format!("{total} lists"), format!("{counted}")));
        }
        // Each split takes options away on both sides.
        let deepest: u32 = root.iter().map(|options| options.count_ones()).sum();
        let mut open = vec![true; outputs];
        open[self.class.target] = false;
        let floors = vec![None; outputs * self.context.circuits.heads];
        let mut nodes = vec![Node { region: root, open, floors }];
        let mut reader = Reader::new(bytes);
        while let Some(node) = nodes.pop() {
            if let Some((first, second)) = self.node(node, &mut reader)? {
                nodes.extend([second, first]);
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

    /// Replays a node's moves and its end; the children that it is split into.
    fn node(&mut self, mut node: Node, reader: &mut Reader) -> Result<Option<(Node, Node)>> {
        self.found.fill(false);
        loop {
            match reader.byte()? {
                tag::RIGHT => self.target_dominates(&mut node, reader)?,
                tag::WRONG => self.rival_dominates(&mut node, reader)?,
                tag::KEEP => self.remove_unneeded(&mut node),
                tag::SPLIT => return self.split(node, reader).map(Some),
                tag::SPLIT_AT => return self.split_at(node, reader).map(Some),
                end => return self.end(&node, end).map(|()| None),
            }
        }
    }

    /// Replays a node's end other than a split: counts the lists it leaves.
    fn end(&mut self, node: &Node, end: u8) -> Result<()> {
        match end {
            tag::DONE if !node.open.contains(&true) => {}
            tag::DONE => match self.counter.count(&node.region) {
                0 => {}
                lists => {
                    let rivals = node.open.iter().filter(|open| **open).count();
                    let found = format!("{lists} lists on which {rivals} answers are open");
                    return Err(self.invalid("nothing left of a part that is done", found));
                }
            },
            tag::OPEN => self.unknown += self.counter.count(&node.region),
            tag::SINGLE => match self.counter.count(&node.region) {
                0 => {}
                1 => self.decide(&node.region),
                lists => return Err(self.invalid("a part of one list", format!("{lists} lists"))),
            },
            other => return Err(self.invalid("a move of a proof", format!("the tag {other}"))),
        }
        Ok(())
    }

    /// Decides a region's only list by its logits.
    fn decide(&mut self, region: &[u16]) {
        let Some(numbers) = self.counter.only_list(region) else { return };
        let list: Vec<usize> = numbers.into_iter().map(|number| self.members.tokens[number]).collect();
        let margin = margin(&logits(self.context.circuits, &list, self.class.position), self.class.target);
        let (right, wrong) = (margin.low() > self.context.slack, margin.high() < -self.context.slack);
        if wrong {
            self.wrong += 1;
            self.first_wrong += self.count_first(region);
        }
        self.unknown += u128::from(!right && !wrong);
    }

    /// Reads a split; the two children.
    fn split(&mut self, node: Node, reader: &mut Reader) -> Result<(Node, Node)> {
        if self.members.sizes.asks != Asks::Sorted {
            return Err(self.invalid("splits on positions", "a split on a token".into()));
        }
        let token = reader.number()?;
        let options = reader.options()?;
        let tokens = node.region.len();
        let Some(token) = usize::try_from(token).ok().filter(|token| *token < tokens) else {
            return Err(self.invalid(&format!("a split on one of {tokens} tokens"), format!("token {token}")));
        };
        let (mut first, mut second) = (node.clone(), node);
        first.region[token] &= options;
        second.region[token] &= !options;
        Ok((first, second))
    }

    /// Reads a split on a position; the two children.
    fn split_at(&mut self, node: Node, reader: &mut Reader) -> Result<(Node, Node)> {
        let sizes = self.members.sizes;
        if sizes.asks == Asks::Sorted {
            return Err(self.invalid("splits on tokens", "a split on a position".into()));
        }
        let (position, bits) = (reader.number()?, reader.bits()?);
        let tokens = node.region.len();
        if bits.len() != tokens.div_ceil(8) {
            return Err(self.invalid(&format!("a bit for each of {tokens} tokens"), format!("{} bytes", bits.len())));
        }
        let Some(position) = usize::try_from(position).ok().filter(|position| *position < sizes.list_len) else {
            return Err(self.invalid(&format!("a split on one of {} positions", sizes.list_len), format!("{position}")));
        };
        let (mut first, mut second) = (node.clone(), node);
        for token in 0..tokens {
            let without = if bits[token / 8] >> (token % 8) & 1 == 1 { &mut second } else { &mut first };
            without.region[token] &= !(1 << position);
        }
        Ok((first, second))
    }

    /// Removes the options that no open rival needs, which are of lists proved correct, if the needs of each were
    /// found.
    fn remove_unneeded(&mut self, node: &mut Node) {
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

    /// Replays a claim that the target dominates a rival.
    fn target_dominates(&mut self, node: &mut Node, reader: &mut Reader) -> Result<()> {
        let heads = self.context.circuits.heads;
        let rival = self.rival(reader)?;
        let mut floors = node.floors[rival * heads..][..heads].to_vec();
        let mut kept = vec![0; node.region.len()];
        if self.differences.replay(Side::Target(rival), &node.region, &mut floors, &mut kept, reader)? {
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

    /// Replays a claim that a rival dominates the target: lists that it removes are wrong.
    fn rival_dominates(&mut self, node: &mut Node, reader: &mut Reader) -> Result<()> {
        let rival = self.rival(reader)?;
        let mut floors = vec![None; self.context.circuits.heads];
        let mut kept = vec![0; node.region.len()];
        let before = self.counter.count(&node.region);
        let first_before = self.count_first(&node.region);
        // Nothing is kept if the rival dominates everywhere.
        self.differences.replay(Side::Rival(rival), &node.region, &mut floors, &mut kept, reader)?;
        node.region.iter_mut().zip(kept).for_each(|(options, kept)| *options &= kept);
        self.wrong += before - self.counter.count(&node.region);
        self.first_wrong += first_before - self.count_first(&node.region);
        Ok(())
    }

    /// Number of a region's lists whose earlier predictions are all in certified classes.
    fn count_first(&mut self, region: &[u16]) -> u128 {
        let certified = self.context.certified;
        match self.members.sizes.asks {
            Asks::Sorted => certified.count(&self.members, region),
            _ if certified.has_before(&self.members) => self.counter.count(region),
            _ => 0,
        }
    }

    /// Reads a rival.
    fn rival(&self, reader: &mut Reader) -> Result<usize> {
        let outputs = self.context.circuits.outputs;
        let rival = reader.number()?;
        let is_one = |rival: &usize| *rival < outputs && *rival != self.class.target;
        usize::try_from(rival).ok().filter(is_one).ok_or_else(|| {
            self.invalid(&format!("another answer below {outputs} than the right one"), format!("{rival}"))
        })
    }
}
