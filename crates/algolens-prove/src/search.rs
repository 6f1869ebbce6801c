//! Best-first branch and bound over all classes: every root once, then the nodes with the most undecided lists.

use super::{
    ClassRows, Classes, Restrictions, Tables,
    descent::{descend, descend_from_worst},
    logit_difference::LogitDifference,
    minimizer::Minimizer,
    node::{Effort, Examined, Node, Remainder},
    oracle::{Oracle, Split, oracle},
    saved,
    state::{Open, State},
    tree::{Decided, Tree},
    worst_case::WorstCase,
};
use algolens_check::certificate::{Class, Counterexample, Status, evidence::tag};
use algolens_core::{Error, Result, engine::Vectors, model::Model, parallel};
use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// An anytime branch-and-bound search over every class of a task: [`advance`](Self::advance) it as long as you like.
/// Its state after so many calls depends on the model and the slack only.
#[derive(Debug)]
pub struct Search<'a> {
    tables: &'a Tables,
    pub(super) classes: Classes,
    pub(super) state: State,
    /// The rows `[class]` of classes with nodes in the queue.
    rows: Vec<Option<Box<ClassRows<'a>>>>,
    oracles: Mutex<Vec<Box<dyn Oracle>>>,
    /// The classes certified at their root.
    pub(super) certified: HashSet<Class>,
    restrictions: Restrictions,
    objective: Objective,
    /// Searches over other classes with which it shares the room of a certificate, and itself.
    pub(super) parts: usize,
}

/// The objective of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Objective {
    /// The shares of lists that are correct and that are wrong.
    Shares,
    /// Lists with small margins: one descent a class, without proofs.
    Attacks,
    /// The least margin, to within this many logits: the slack follows the worst case known. What was proved with a
    /// higher slack holds with a lower one.
    Worst(f64),
}

impl<'a> Search<'a> {
    /// Classes begun in one call of [`advance`](Self::advance).
    const CLASSES: usize = 64;
    /// Nodes branched on in one call of [`advance`](Self::advance).
    const NODES: usize = 128;
    /// Tree size up to which a class without counterexample takes precedence over all with one.
    const URGENT_NODES: usize = 8000;

    /// A search for the shares of correct and wrong lists, not begun. An answer must exceed all others by more than
    /// `slack` logits to count.
    ///
    /// # Errors
    /// A slack that is negative (a list could then count as correct and as wrong), or no number.
    pub fn new(tables: &'a Tables, classes: Classes, slack: f64) -> Result<Self> {
        if !(slack >= 0.0 && slack.is_finite()) {
            return Err(Error::invalid("slack", "a finite number, at least 0", slack));
        }
        Ok(Self::with(tables, classes, State::new(slack, tables)))
    }

    /// A search with another objective, among the lists that meet restrictions.
    pub(super) fn with_objective(
        tables: &'a Tables,
        classes: Classes,
        slack: f64,
        restrictions: &Restrictions,
        objective: Objective,
    ) -> Self {
        Self { restrictions: restrictions.clone(), objective, ..Self::with(tables, classes, State::new(slack, tables)) }
    }

    /// A search that goes on from a state.
    pub(super) fn with(tables: &'a Tables, classes: Classes, state: State) -> Self {
        let rows = (0..classes.all().len()).map(|_| None).collect();
        let trees = classes.all().iter().zip(&state.trees);
        let certified = trees.filter(|(_, tree)| tree.is_certified_at_root()).map(|(class, _)| *class);
        let certified = certified.chain(state.assumed.iter().copied()).collect();
        let (restrictions, objective) = (Restrictions::default(), Objective::Shares);
        let oracles = Mutex::new(Vec::new());
        Self { tables, classes, state, rows, oracles, certified, restrictions, objective, parts: 1 }
    }

    /// The classes of the task.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Number of classes begun.
    pub fn begun(&self) -> usize {
        self.state.trees.len()
    }

    /// Number of parts of classes in the queue: what is undecided, but for lists within the slack.
    pub fn open_parts(&self) -> usize {
        self.state.open.len()
    }

    /// Oracle passes made so far.
    pub fn work(&self) -> u64 {
        self.state.work
    }

    /// The slack: logits by which an answer must exceed another to count.
    pub fn slack(&self) -> f64 {
        self.state.slack
    }

    /// The floor unit: logits (times σ) that a floor of 1 stands for.
    pub fn floor_unit(&self) -> f64 {
        self.state.step
    }

    /// True if every class is begun and the queue is empty.
    pub fn finished(&self) -> bool {
        self.begun() == self.classes.all().len() && self.state.open.is_empty()
    }

    /// The least margin among the worst cases found; infinite where there is none.
    pub(super) fn least_margin(&self) -> f64 {
        let worst = self.state.trees.iter().filter_map(|tree| tree.worst);
        worst.fold(f64::INFINITY, |least, worst| least.min(worst.margin))
    }

    /// The classes whose trees have open leaves: some lists neither proved to exceed the slack nor evaluated.
    pub(super) fn unclosed(&self) -> HashSet<Class> {
        let closed = |number: usize| self.state.trees.get(number).is_some_and(Tree::is_closed);
        let classes = self.classes.all().iter().enumerate();
        classes.filter(|(number, _)| !closed(*number)).map(|(_, class)| *class).collect()
    }

    /// Bounds the next roots, or branches on the nodes with the highest priority.
    pub fn advance(&mut self) {
        if self.begun() < self.classes.all().len() {
            self.begin()
        } else {
            self.branch()
        }
        if let Objective::Worst(precision) = self.objective {
            self.state.slack = self.state.slack.min(self.least_margin() - precision);
        }
    }

    /// Bounds the roots of the next classes.
    fn begin(&mut self) {
        let numbers = self.begun()..(self.begun() + Self::CLASSES).min(self.classes.all().len());
        let begun = self.in_parallel(numbers.clone().collect(), |search, number, oracle| search.root(number, oracle));
        for (number, (tree, open, rows)) in numbers.zip(begun) {
            if tree.is_certified_at_root() {
                self.certified.insert(self.classes.all()[number]);
            }
            self.state.trees.push(tree);
            if let Some((node, split)) = open {
                self.rows[number] = Some(rows);
                self.push(number, 0, node, split);
            }
        }
    }

    /// Descends and bounds at a class's root; its tree, what remains, and the class's rows.
    fn root(&self, number: usize, oracle: &mut dyn Oracle) -> (Tree, Option<(Node, Split)>, Box<ClassRows<'a>>) {
        let rows = Box::new(ClassRows::of(self.tables, self.classes.all()[number]));
        let mut minimizer = Minimizer::new(&rows, oracle, self.state.step);
        let root = Node::root(&mut minimizer, &self.restrictions);
        minimizer.set_points(&root.lists);
        let lists = root.count;
        let mut worst = match self.objective {
            Objective::Worst(_) => None,
            _ => descend_from_worst(&mut minimizer, &root.region),
        };
        if self.objective == Objective::Attacks {
            return (Tree::new(lists, worst), None, rows);
        }
        let examined = root.examine(&mut minimizer, self.root_effort());
        worst = WorstCase::worse(worst, WorstCase::among_points(&minimizer));
        if let Remainder::Node(node, _) = &examined.remainder
            && self.objective == Objective::Shares
            && worst.is_none_or(|worst| worst.margin >= 0.0)
        {
            for rival in &node.rivals {
                let difference =
                    LogitDifference::new(&rows, rows.class.target as usize, rival.answer.into(), self.state.slack);
                descend(&mut minimizer, &difference, &node.region);
            }
            worst = WorstCase::worse(worst, WorstCase::among_points(&minimizer));
        }
        let mut tree = Tree::new(lists, worst);
        let open = tree.add(examined);
        (tree, open, rows)
    }

    /// Branches on the nodes with the highest priority.
    fn branch(&mut self) {
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
            open.iter().map(|open| (open.tree as usize, open.branch as usize, open.split.clone())).collect();
        let parts = self.in_parallel(open, |search, open, oracle| search.split(&open, oracle));
        for ((tree, branch, split), parts) in places.into_iter().zip(parts) {
            let proof = &mut self.state.trees[tree];
            proof.open -= 1;
            let mut numbers = [0; 2];
            let mut queued = Vec::new();
            for (number, (examined, worst)) in numbers.iter_mut().zip(parts) {
                *number = proof.nodes.len() as u32;
                if let Some((node, split)) = proof.add(examined) {
                    queued.push((*number as usize, node, split));
                }
                proof.worst = WorstCase::worse(proof.worst, worst);
            }
            proof.split(branch, split, numbers);
            for (number, node, split) in queued {
                self.push(tree, number, node, split);
            }
            if self.state.trees[tree].open == 0 {
                self.rows[tree] = None;
            }
        }
    }

    /// The two children of a node, bounded; a child without lists has nothing remaining.
    fn split(&self, open: &Open, oracle: &mut dyn Oracle) -> [(Examined, Option<WorstCase>); 2] {
        let tree = open.tree as usize;
        let rows = self.rows[tree].as_deref().expect("the rows of every node under way were made");
        let has_worst = self.objective == Objective::Shares && self.state.trees[tree].is_refuted();
        let around = match self.objective {
            Objective::Worst(_) => WorstCase::among(rows, &open.node.lists),
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
        let mut minimizer = Minimizer::new(&rows, oracle, self.state.step);
        open.node.split(&mut minimizer, &open.split).map(|part| {
            let Some(mut part) = part else {
                return (
                    Examined { moves: Vec::new(), wrong: 0.0, first_wrong: 0.0, remainder: Remainder::Nothing },
                    None,
                );
            };
            if self.objective != Objective::Shares {
                part.forget_floors();
            }
            minimizer.set_points(&part.lists);
            let examined = part.examine(&mut minimizer, self.effort());
            let worst = if has_worst { None } else { WorstCase::among_points(&minimizer) };
            (examined, worst)
        })
    }

    /// Puts a node into the queue.
    fn push(&mut self, tree: usize, branch: usize, node: Node, split: Split) {
        let proof = &mut self.state.trees[tree];
        proof.open += 1;
        let urgent = !proof.is_refuted() && proof.nodes.len() < Self::URGENT_NODES;
        let share = node.count / proof.lists;
        let priority = if urgent { 1.0 + share } else { self.classes.share(self.classes.all()[tree]) * share };
        self.state.open.push(Open { priority, tree: tree as u32, branch: branch as u32, node, split });
    }

    /// Maps `work` over the pieces in parallel, with an oracle a thread; the results in the pieces' order.
    fn in_parallel<P: Send, R: Send>(
        &mut self,
        pieces: Vec<P>,
        work: impl Fn(&Self, P, &mut dyn Oracle) -> R + Send + Sync,
    ) -> Vec<R> {
        let mut results: Vec<Option<(R, u64)>> = pieces.iter().map(|_| None).collect();
        let search = &*self;
        parallel::for_each(pieces.into_iter().zip(&mut results).collect(), |(piece, result)| {
            let held = search.oracles.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let new = || oracle(search.tables.space(), Vectors::best(), search.restrictions.order);
            let mut oracle = held.unwrap_or_else(new);
            let before = oracle.calls();
            let done = work(search, piece, &mut *oracle);
            *result = Some((done, oracle.calls() - before));
            search.oracles.lock().unwrap_or_else(PoisonError::into_inner).push(oracle);
        });
        let done: Vec<(R, u64)> = results.into_iter().flatten().collect();
        self.state.work += done.iter().map(|(_, work)| work).sum::<u64>();
        done.into_iter().map(|(result, _)| result).collect()
    }

    /// Limits for roots.
    fn root_effort(&self) -> Effort<'_> {
        let slack = self.state.slack;
        Effort { slack, closing: 5, narrowing: 1, rounds: 3, hardest_only: false, certified: None }
    }

    /// Limits for the other nodes.
    fn effort(&self) -> Effort<'_> {
        let (slack, certified) = (self.state.slack, (self.objective == Objective::Shares).then_some(&self.certified));
        Effort { slack, closing: 4, narrowing: 2, rounds: 1, hardest_only: true, certified }
    }

    /// Proved shares and status of each class, in the classes' order, rounded to the sound side.
    pub fn decided(&self) -> Vec<Decided> {
        let unknown = Decided { status: Status::Undecided, right: 0.0, wrong: 0.0, first_wrong: 0.0 };
        let mut decided: Vec<Decided> = self.state.trees.iter().map(Tree::decided).collect();
        decided.resize(self.classes.all().len(), unknown);
        decided
    }

    /// The worst case found of each class begun, in the classes' order.
    pub fn worst(&self) -> Vec<Option<Counterexample>> {
        let list_len = self.tables.space().list_len;
        let trees = self.state.trees.iter().zip(self.classes.all());
        trees.map(|(tree, class)| Some(tree.worst?.counterexample(*class, list_len))).collect()
    }

    /// The certificate's evidence, class after class, as [`evidence`](algolens_check::certificate::evidence) writes it.
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

    /// The most bytes of evidence that fit in a certificate.
    const MOST_EVIDENCE: usize = 54 << 20;

    /// Whether it goes on no further: it is finished, or a certificate has room for no more evidence.
    pub fn is_at_end(&self) -> bool {
        self.finished() || self.evidence_len() > Self::MOST_EVIDENCE / self.parts
    }

    /// Approximate bytes of evidence.
    pub fn evidence_len(&self) -> usize {
        self.state.trees.iter().map(|tree| tree.bytes).sum()
    }

    /// Seconds the search took, as told by whoever measures them.
    pub fn seconds(&self) -> f64 {
        self.state.seconds
    }

    /// Adds to [`seconds`](Self::seconds).
    pub fn add_seconds(&mut self, seconds: f64) {
        self.state.seconds += seconds;
    }

    /// A search resumed from what [`to_bytes`](Self::to_bytes) wrote, of the same model.
    ///
    /// # Errors
    /// Bytes that no search of this model wrote.
    pub fn from_bytes(bytes: &[u8], tables: &'a Tables, classes: Classes, model: &Model) -> Result<Self> {
        let state = saved::read(bytes, tables, &classes, &model.sha256())?;
        Ok(Self::with(tables, classes, state))
    }

    /// The search's state as bytes that [`from_bytes`](Self::from_bytes) resumes.
    ///
    /// # Errors
    /// Never for searches that fit in memory.
    pub fn to_bytes(&self, model: &Model) -> Result<Vec<u8>> {
        saved::write(&self.state, model.sha256())
    }
}
