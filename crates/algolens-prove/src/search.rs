//! The search for proofs and counterexamples: every class once, then whatever holds the most undecided lists.

use super::{
    ClassRows, Classes, Tables,
    attack::{Found, Restrictions, descend, descend_from_worst},
    contest::Contest,
    node::{Effort, Examined, Left, Node, Split},
    oracle::Oracle,
    prover::Prover,
    saved,
    tree::{Decided, Tree},
};
use algolens_check::certificate::{Class, Counterexample, Status, digest, evidence::tag};
use algolens_core::{Error, Result, engine::Vectors, model::Model, parallel};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    cmp::Ordering,
    collections::{BinaryHeap, HashSet},
    sync::{Mutex, PoisonError},
};

/// A search under way: [`advance`](Self::advance) it as long as you like. How far it comes in so many steps depends on the
/// model and the slack only.
#[derive(Debug)]
pub struct Search<'a> {
    tables: &'a Tables,
    classes: Classes,
    state: State,
    /// The rows of classes that are being worked on.
    rows: Vec<Option<Box<ClassRows<'a>>>>,
    oracles: Mutex<Vec<Oracle>>,
    /// Classes that their root decides as certified.
    certified: HashSet<Class>,
    restrictions: Restrictions,
    aim: Aim,
}

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aim {
    /// What share of lists is right, and what share is wrong.
    Shares,
    /// Lists that do badly: each class is attacked once, and nothing is proved.
    Attacks,
    /// That no list is worse than the worst by more than this: the slack follows the worst list that is known. What was
    /// proved with a higher slack holds with a lower one.
    Worst(f64),
}

/// Where a search stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Logits by which an answer must win to count.
    pub slack: f64,
    pub step: f64,
    /// One a class; those after are not begun.
    pub trees: Vec<Tree>,
    pub open: BinaryHeap<Open>,
    pub work: u64,
    pub seconds: f64,
}

impl State {
    fn new(slack: f64, tables: &Tables) -> Self {
        Self { slack, step: step(tables), trees: Vec::new(), open: BinaryHeap::new(), work: 0, seconds: 0.0 }
    }
}

/// A node to be split.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Open {
    /// What is worked on first.
    pub priority: f64,
    pub tree: u32,
    pub branch: u32,
    pub node: Node,
    pub split: Split,
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |open: &Self| (std::cmp::Reverse(open.tree), std::cmp::Reverse(open.branch));
        self.priority.total_cmp(&other.priority).then_with(|| key(self).cmp(&key(other)))
    }
}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Open {}

impl<'a> Search<'a> {
    /// Classes that are begun at a time.
    const CLASSES: usize = 64;
    /// Nodes that are split at a time.
    const NODES: usize = 128;
    /// A class of which neither a proof nor a counterexample is known comes first, up to this many nodes.
    const URGENT_NODES: usize = 8000;

    /// A search that has not begun. An answer must be above all others by more than `slack` logits to count.
    ///
    /// # Errors
    /// A slack that is negative (a list could then count as right and as wrong), or no number.
    pub fn new(tables: &'a Tables, classes: Classes, slack: f64) -> Result<Self> {
        if !(slack >= 0.0 && slack.is_finite()) {
            return Err(Error::invalid("slack", "a finite number, at least 0", slack));
        }
        Ok(Self::with(tables, classes, State::new(slack, tables)))
    }

    /// A search of the lists that meet restrictions.
    pub(super) fn aimed(
        tables: &'a Tables,
        classes: Classes,
        slack: f64,
        restrictions: &Restrictions,
        aim: Aim,
    ) -> Self {
        Self { restrictions: restrictions.clone(), aim, ..Self::with(tables, classes, State::new(slack, tables)) }
    }

    fn with(tables: &'a Tables, classes: Classes, state: State) -> Self {
        let rows = (0..classes.all().len()).map(|_| None).collect();
        let trees = classes.all().iter().zip(&state.trees);
        let certified = trees.filter(|(_, tree)| tree.is_certified_at_root()).map(|(class, _)| *class).collect();
        let (restrictions, aim) = (Restrictions::default(), Aim::Shares);
        Self { tables, classes, state, rows, oracles: Mutex::new(Vec::new()), certified, restrictions, aim }
    }

    /// The classes of the task.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// How many classes are begun.
    pub fn begun(&self) -> usize {
        self.state.trees.len()
    }

    /// Passes of the oracle so far.
    pub fn work(&self) -> u64 {
        self.state.work
    }

    /// The slack.
    pub fn slack(&self) -> f64 {
        self.state.slack
    }

    /// The unit of floors.
    pub fn step(&self) -> f64 {
        self.state.step
    }

    /// Whether there is nothing left to work on.
    pub fn finished(&self) -> bool {
        self.begun() == self.classes.all().len() && self.state.open.is_empty()
    }

    /// The least margin among the worst lists found; infinite where there is none.
    pub(super) fn least_margin(&self) -> f64 {
        let worst = self.state.trees.iter().filter_map(|tree| tree.worst);
        worst.fold(f64::INFINITY, |least, worst| least.min(worst.margin))
    }

    /// The classes of which some lists are neither proved to be above the slack nor were looked at by themselves.
    pub(super) fn unclosed(&self) -> HashSet<Class> {
        let closed = |number: usize| self.state.trees.get(number).is_some_and(Tree::is_closed);
        let classes = self.classes.all().iter().enumerate();
        classes.filter(|(number, _)| !closed(*number)).map(|(_, class)| *class).collect()
    }

    /// Works on some classes that are not begun, or on the parts that hold the most undecided lists.
    pub fn advance(&mut self) {
        if self.begun() < self.classes.all().len() {
            self.begin()
        } else {
            self.go_on()
        }
        if let Aim::Worst(precision) = self.aim {
            self.state.slack = self.state.slack.min(self.least_margin() - precision);
        }
    }

    fn begin(&mut self) {
        let numbers = self.begun()..(self.begun() + Self::CLASSES).min(self.classes.all().len());
        let begun = self.in_parallel(numbers.clone().collect(), |search, number, oracle| search.root(number, oracle));
        for (number, (tree, left, rows)) in numbers.zip(begun) {
            if tree.is_certified_at_root() {
                self.certified.insert(self.classes.all()[number]);
            }
            self.state.trees.push(tree);
            if let Some((node, split)) = left {
                self.rows[number] = Some(rows);
                self.push(number, 0, node, split);
            }
        }
    }

    fn root(&self, number: usize, oracle: &mut Oracle) -> (Tree, Option<(Node, Split)>, Box<ClassRows<'a>>) {
        let rows = Box::new(ClassRows::of(self.tables, self.classes.all()[number]));
        let mut prover = Prover::new(&rows, oracle, self.state.step);
        let root = Node::root(&mut prover, &self.restrictions);
        prover.know(&root.lists);
        let lists = root.count;
        let mut worst = match self.aim {
            Aim::Worst(_) => None,
            _ => descend_from_worst(&mut prover, &root),
        };
        if self.aim == Aim::Attacks {
            return (Tree::new(lists, worst), None, rows);
        }
        let examined = root.examine(&mut prover, self.root_effort());
        worst = Found::worse(worst, Found::worst_of(&prover));
        if let Left::Node(node, _) = &examined.left
            && self.aim == Aim::Shares
            && worst.is_none_or(|worst| worst.margin >= 0.0)
        {
            for rival in &node.rivals {
                let contest = Contest::new(&rows, rows.class.target as usize, rival.answer.into(), self.state.slack);
                descend(&mut prover, &contest, &node.region);
            }
            worst = Found::worse(worst, Found::worst_of(&prover));
        }
        let mut tree = Tree::new(lists, worst);
        let left = tree.add(examined);
        (tree, left, rows)
    }

    fn go_on(&mut self) {
        let open: Vec<Open> = std::iter::from_fn(|| self.state.open.pop()).take(Self::NODES).collect();
        let mut missing: Vec<usize> = open.iter().map(|open| open.tree as usize).collect();
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|tree| self.rows[*tree].is_none());
        let rows = self.in_parallel(missing.clone(), |search, number, _| {
            Box::new(ClassRows::of(search.tables, search.classes.all()[number]))
        });
        missing.into_iter().zip(rows).for_each(|(tree, rows)| self.rows[tree] = Some(rows));

        let places: Vec<(usize, usize, Split)> =
            open.iter().map(|open| (open.tree as usize, open.branch as usize, open.split)).collect();
        let parts = self.in_parallel(open, |search, open, oracle| search.split(&open, oracle));
        for ((tree, branch, split), parts) in places.into_iter().zip(parts) {
            let of_tree = &mut self.state.trees[tree];
            of_tree.open -= 1;
            let mut numbers = [0; 2];
            let mut left = Vec::new();
            for (number, (examined, worst)) in numbers.iter_mut().zip(parts) {
                *number = of_tree.nodes.len() as u32;
                if let Some((node, split)) = of_tree.add(examined) {
                    left.push((*number as usize, node, split));
                }
                of_tree.worst = Found::worse(of_tree.worst, worst);
            }
            of_tree.split(branch, split, numbers);
            for (number, node, split) in left {
                self.push(tree, number, node, split);
            }
            if self.state.trees[tree].open == 0 {
                self.rows[tree] = None;
            }
        }
    }

    /// Both parts of a node, examined; a part without lists as nothing left.
    fn split(&self, open: &Open, oracle: &mut Oracle) -> [(Examined, Option<Found>); 2] {
        let tree = open.tree as usize;
        let rows = self.rows[tree].as_deref().expect("the rows of every node under way were made");
        let has_worst = self.aim == Aim::Shares && self.state.trees[tree].is_refuted();
        let around = match self.aim {
            Aim::Worst(_) => Found::worst_among(rows, &open.node.lists),
            _ => None,
        };
        let rows = match around {
            None => Cow::Borrowed(rows),
            Some(worst) => {
                let mut rows = rows.clone();
                rows.bound_sigma_around(&worst.list);
                Cow::Owned(rows)
            }
        };
        let mut prover = Prover::new(&rows, oracle, self.state.step);
        open.node.split(&mut prover, open.split).map(|part| {
            let Some(mut part) = part else {
                return (Examined { steps: Vec::new(), wrong: 0.0, first_wrong: 0.0, left: Left::Nothing }, None);
            };
            if self.aim != Aim::Shares {
                part.forget_floors();
            }
            prover.know(&part.lists);
            let examined = part.examine(&mut prover, self.effort());
            let worst = if has_worst { None } else { Found::worst_of(&prover) };
            (examined, worst)
        })
    }

    fn push(&mut self, tree: usize, branch: usize, node: Node, split: Split) {
        let of_tree = &mut self.state.trees[tree];
        of_tree.open += 1;
        let urgent = !of_tree.is_refuted() && of_tree.nodes.len() < Self::URGENT_NODES;
        let share = node.count / of_tree.lists;
        let priority = if urgent { 1.0 + share } else { self.classes.share(self.classes.all()[tree]) * share };
        self.state.open.push(Open { priority, tree: tree as u32, branch: branch as u32, node, split });
    }

    /// Runs `work` on every piece; the results in the pieces' order.
    fn in_parallel<P: Send, R: Send>(
        &mut self,
        pieces: Vec<P>,
        work: impl Fn(&Self, P, &mut Oracle) -> R + Send + Sync,
    ) -> Vec<R> {
        let mut results: Vec<Option<(R, u64)>> = pieces.iter().map(|_| None).collect();
        let search = &*self;
        parallel::for_each(pieces.into_iter().zip(&mut results).collect(), |(piece, result)| {
            let held = search.oracles.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let new = || Oracle::new(search.tables.list_len(), Vectors::best()).ordered(search.restrictions.order);
            let mut oracle = held.unwrap_or_else(new);
            let before = oracle.calls();
            let done = work(search, piece, &mut oracle);
            *result = Some((done, oracle.calls() - before));
            search.oracles.lock().unwrap_or_else(PoisonError::into_inner).push(oracle);
        });
        let done: Vec<(R, u64)> = results.into_iter().flatten().collect();
        self.state.work += done.iter().map(|(_, work)| work).sum::<u64>();
        done.into_iter().map(|(result, _)| result).collect()
    }

    fn root_effort(&self) -> Effort<'_> {
        let slack = self.state.slack;
        Effort { slack, closing: 5, narrowing: 1, rounds: 3, hardest_only: false, certified: None }
    }

    fn effort(&self) -> Effort<'_> {
        let (slack, certified) = (self.state.slack, (self.aim == Aim::Shares).then_some(&self.certified));
        Effort { slack, closing: 4, narrowing: 2, rounds: 1, hardest_only: true, certified }
    }

    /// What is known of each class, in their order; the shares err on the safe side.
    pub fn decided(&self) -> Vec<Decided> {
        let unknown = Decided { status: Status::Undecided, right: 0.0, wrong: 0.0, first_wrong: 0.0 };
        let mut decided: Vec<Decided> = self.state.trees.iter().map(Tree::decided).collect();
        decided.resize(self.classes.all().len(), unknown);
        decided
    }

    /// The worst list found of each class that is begun.
    pub fn worst(&self) -> Vec<Option<Counterexample>> {
        let list_len = self.tables.list_len();
        let trees = self.state.trees.iter().zip(self.classes.all());
        trees.map(|(tree, class)| Some(tree.worst?.of_class(*class, list_len))).collect()
    }

    /// The evidence of every class, as [`evidence`](algolens_check::certificate::evidence) writes it.
    pub fn evidence(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 0..self.classes.all().len() {
            match self.state.trees.get(number) {
                Some(tree) => tree.write(&mut bytes),
                None => bytes.push(tag::OPEN),
            }
        }
        bytes
    }

    /// About how many bytes of evidence there are.
    pub fn evidence_len(&self) -> usize {
        self.state.trees.iter().map(|tree| tree.bytes).sum()
    }

    /// How long the search took, by whoever measures it.
    pub fn seconds(&self) -> f64 {
        self.state.seconds
    }

    /// Adds to [`seconds`](Self::seconds).
    pub fn add_seconds(&mut self, seconds: f64) {
        self.state.seconds += seconds;
    }

    /// The search that [`to_bytes`](Self::to_bytes) wrote, of the same model.
    ///
    /// # Errors
    /// Bytes that no search of this model wrote.
    pub fn from_bytes(bytes: &[u8], tables: &'a Tables, classes: Classes, model: &Model) -> Result<Self> {
        let state = saved::read(bytes, tables, &classes, &digest(model))?;
        Ok(Self::with(tables, classes, state))
    }

    /// Where the search stands, as bytes to go on from.
    ///
    /// # Errors
    /// Never for searches that fit in memory.
    pub fn to_bytes(&self, model: &Model) -> Result<Vec<u8>> {
        saved::write(&self.state, digest(model))
    }
}

/// The unit of floors: a power of two, about 2⁻¹⁶ of the largest contribution.
fn step(tables: &Tables) -> f64 {
    let largest = tables.G.iter().flatten().fold(f64::MIN_POSITIVE, |largest, g| g.abs().max(largest));
    libm::exp2(libm::floor(libm::log2(largest)) - 16.0)
}
