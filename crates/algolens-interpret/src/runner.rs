//! Running a model over data: in chunks, with interventions, keeping what was asked for.

use super::{
    Subject,
    intervene::{Intervention, New, Replacement},
};
use algolens_core::{
    Result,
    engine::{
        check_tokens,
        hooks::{Cache, Filter, HookPoint, Hooks},
    },
    parallel,
    task::{Dataset, Token},
};
use ndarray::{Array3, ArrayD, ArrayView2, Axis, Zip, s};
use std::{collections::BTreeSet, ops::Range};

/// Runs a model over any number of sequences.
///
/// It is the one place that decides how many sequences are run and kept at a time, by the memory that their activations take.
/// What is found of an example does not depend on that: examples are run independently of one another, and means are added
/// up in f64 from the first example to the last. (Where a matrix has one column, the product's rounding depends on how many
/// rows it has.)
#[derive(Clone, Copy)]
pub struct Runner<'a> {
    subject: Subject<'a>,
    memory: usize,
}

/// What a run found of some consecutive examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Which examples.
    pub examples: Range<usize>,
    /// `[example, position, class]` at the positions that were asked for.
    pub logits: Array3<f32>,
    /// The activations that were asked for, after interventions.
    pub cache: Cache<f32>,
}

impl Chunk {
    /// The chunk's examples of the data that was run.
    ///
    /// # Panics
    /// If other data is given that has fewer examples.
    pub fn of(&self, data: &Dataset) -> Dataset {
        data.select(&self.examples.clone().collect::<Vec<_>>())
    }
}

/// Bytes of activations at a time.
const MEMORY: usize = 128 << 20;
/// Chunks at a time; those of the engines that cut a batch up themselves are run one by one.
const AT_ONCE: usize = 8;

impl<'a> Runner<'a> {
    /// A runner of a model.
    pub fn new(subject: Subject<'a>) -> Self {
        Self { subject, memory: MEMORY }
    }

    /// The same runner with about so many bytes for activations at a time; it takes more where one example does.
    pub fn with_memory(self, bytes: usize) -> Self {
        Self { memory: bytes, ..self }
    }

    /// Runs the model on `tokens [example, pos]` with some interventions, made in their order, and calls `each` with every chunk
    /// in the order of examples: the logits at `positions`, and the activations that `record` names. Without interventions or
    /// activations the model's fastest backend runs it.
    ///
    /// # Errors
    /// Sequences that do not fit the model, positions or points that it does not have, an intervention that does not fit, or
    /// what `each` returns.
    pub fn run(
        &self,
        tokens: ArrayView2<Token>,
        positions: &[usize],
        interventions: &[Intervention],
        record: Filter,
        mut each: impl FnMut(Chunk) -> Result<()>,
    ) -> Result<()> {
        self.run_each(tokens, positions, &[interventions], record, |_, chunk| each(chunk))
    }

    /// [`run`](Self::run) with one set of interventions after another, chunk by chunk: `each(index of the set, chunk)`. What sets
    /// share, means and resampled activations, is computed once.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_each<'i>(
        &self,
        tokens: ArrayView2<Token>,
        positions: &[usize],
        sets: &[impl AsRef<[Intervention<'i>]>],
        record: Filter,
        mut each: impl FnMut(usize, Chunk) -> Result<()>,
    ) -> Result<()> {
        let config = self.subject.model.config();
        check_tokens(self.subject.model, tokens, positions)?;
        self.check(tokens, sets)?;
        let record = record.points(config)?;
        let sets = self.with_means(sets)?;
        let resampled = sources(&sets, |value| match value {
            Replacement::Resample(tokens) => Some(*tokens),
            _ => None,
        });
        let plan = Plan { subject: self.subject, tokens, positions, sets: &sets, record, resampled };
        let at_once = if plan.has_hooks() { AT_ONCE } else { 1 };
        let size = (self.memory / at_once / plan.bytes()).max(1);
        let starts: Vec<usize> = (0..tokens.nrows()).step_by(size).collect();
        for starts in starts.chunks(at_once) {
            let mut found: Vec<Result<Vec<Chunk>>> = starts.iter().map(|_| Ok(Vec::new())).collect();
            let chunks = starts.iter().map(|from| *from..(from + size).min(tokens.nrows())).zip(&mut found).collect();
            parallel::for_each(chunks, |(examples, found): (_, &mut _)| *found = plan.run(examples));
            for chunks in found {
                chunks?.into_iter().enumerate().try_for_each(|(set, chunk)| each(set, chunk))?;
            }
        }
        Ok(())
    }

    /// The mean activation at some points over `tokens [example, pos]`: position by position, in the [shape](HookPoint::shape)
    /// of one sequence.
    ///
    /// # Errors
    /// Sequences that do not fit the model, or points that it does not have.
    pub fn mean(&self, tokens: ArrayView2<Token>, points: &[HookPoint]) -> Result<Cache<f32>> {
        let (config, names) = (self.subject.model.config(), names(points));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let zeros = |point: &HookPoint| ArrayD::<f64>::zeros(point.shape(config, tokens.ncols()));
        let mut sums: Vec<ArrayD<f64>> = points.iter().map(zeros).collect();
        self.run(tokens, &[], &[], Filter::Names(&names), |chunk| {
            for (sum, name) in sums.iter_mut().zip(&names) {
                for activation in chunk.cache.activation(name)?.outer_iter() {
                    Zip::from(&mut *sum).and(&activation).for_each(|sum, x| *sum += f64::from(*x));
                }
            }
            Ok(())
        })?;
        let mut means = Cache::default();
        for (point, sum) in points.iter().zip(sums) {
            means.insert(*point, sum.mapv(|sum| (sum / tokens.nrows() as f64) as f32));
        }
        Ok(means)
    }

    /// The same interventions with the means taken, so that several runs need not take them again.
    ///
    /// # Errors
    /// Sequences that do not fit the model, or points that it does not have.
    pub fn with_means<'i>(&self, sets: &[impl AsRef<[Intervention<'i>]>]) -> Result<Vec<Vec<Intervention<'i>>>> {
        let averaged = sources(sets, |value| match value {
            Replacement::Mean(tokens) => Some(*tokens),
            _ => None,
        });
        let means = averaged.iter().map(|source| self.mean(source.tokens, &source.points));
        let means = means.collect::<Result<Vec<_>>>()?;
        let taken = |intervention: &Intervention<'i>| {
            let Replacement::Mean(tokens) = intervention.value else { return Ok(intervention.clone()) };
            let from = averaged.iter().position(|source| same(source.tokens, tokens));
            let from = from.expect("every mean has a source");
            let mean = means[from].activation(&intervention.at.point.to_string())?;
            let mean = match intervention.at.head.zip(intervention.at.point.head_axis()) {
                None => mean,
                Some((head, axis)) => mean.index_axis_move(Axis(axis), head),
            };
            Ok(Intervention { value: Replacement::Keep(mean.to_owned()), ..intervention.clone() })
        };
        sets.iter().map(|set| set.as_ref().iter().map(taken).collect()).collect()
    }

    /// Checks that interventions fit the model, and the sequences that are run.
    pub(super) fn check<'i>(&self, tokens: ArrayView2<Token>, sets: &[impl AsRef<[Intervention<'i>]>]) -> Result<()> {
        let (examples, seq) = tokens.dim();
        let mut all = sets.iter().flat_map(|set| set.as_ref());
        all.try_for_each(|intervention| intervention.check(self.subject.model.config(), examples, seq))
    }
}

/// Sequences on which activations are recorded for interventions.
struct Source<'a> {
    tokens: ArrayView2<'a, Token>,
    points: Vec<HookPoint>,
}

/// The distinct sequences that values draw on, with the points that are recorded there.
fn sources<'i>(
    sets: &[impl AsRef<[Intervention<'i>]>],
    draws_on: impl Fn(&Replacement<'i>) -> Option<ArrayView2<'i, Token>>,
) -> Vec<Source<'i>> {
    let mut sources: Vec<Source> = Vec::new();
    for intervention in sets.iter().flat_map(|set| set.as_ref()) {
        let (Some(tokens), point) = (draws_on(&intervention.value), intervention.at.point) else { continue };
        match sources.iter_mut().find(|source| same(source.tokens, tokens)) {
            None => sources.push(Source { tokens, points: vec![point] }),
            Some(source) if source.points.contains(&point) => {}
            Some(source) => source.points.push(point),
        }
    }
    sources
}

/// Whether two views show the same memory.
fn same(a: ArrayView2<Token>, b: ArrayView2<Token>) -> bool {
    a.as_ptr() == b.as_ptr() && a.dim() == b.dim() && a.strides() == b.strides()
}

fn names(points: &[HookPoint]) -> Vec<String> {
    points.iter().map(ToString::to_string).collect()
}

/// What is done with every chunk.
struct Plan<'a, 'i> {
    subject: Subject<'a>,
    tokens: ArrayView2<'a, Token>,
    positions: &'a [usize],
    sets: &'a [Vec<Intervention<'i>>],
    record: Vec<HookPoint>,
    resampled: Vec<Source<'i>>,
}

impl Plan<'_, '_> {
    /// Whether anything is changed or recorded.
    fn has_hooks(&self) -> bool {
        !self.record.is_empty() || self.sets.iter().any(|set| !set.is_empty())
    }

    /// About how many bytes one example takes while it is run.
    fn bytes(&self) -> usize {
        let (config, seq) = (self.subject.model.config(), self.tokens.ncols());
        let recorded = |points: &[HookPoint]| -> usize {
            points.iter().map(|point| point.shape(config, seq).iter().product::<usize>()).sum()
        };
        let pass = if self.has_hooks() { config.activations(seq) as usize } else { 0 };
        let kept = self.sets.len() * (recorded(&self.record) + self.positions.len() * config.d_vocab_out);
        let drawn: usize = self.resampled.iter().map(|source| recorded(&source.points)).sum();
        let before = recorded(&self.begins());
        ((pass + kept + drawn + before) * size_of::<f32>()).max(1)
    }

    /// Runs some examples with each set.
    fn run(&self, examples: Range<usize>) -> Result<Vec<Chunk>> {
        let Subject { model, engine } = self.subject;
        let tokens = self.tokens.slice(s![examples.clone(), ..]);
        let drawn: Vec<Cache<f32>> =
            self.resampled.iter().map(|source| self.drawn(source, &examples)).collect::<Result<_>>()?;
        let names = names(&self.record);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let before = self.before(tokens)?;
        let run = |set: &Vec<Intervention>| {
            let examples = examples.clone();
            if set.is_empty() && names.is_empty() {
                let logits = engine.logits(model, tokens, self.positions)?;
                return Ok(Chunk { examples, logits, cache: Cache::default() });
            }
            let mut hooks = Hooks::new(model.config());
            for intervention in set {
                intervention.hook(&mut hooks, self.replacing(intervention, &examples, &drawn)?);
            }
            let (logits, cache) = engine.run_from(model, tokens, &before, &mut hooks, Filter::Names(&names))?;
            Ok(Chunk { examples, logits: logits.select(Axis(1), self.positions), cache })
        };
        self.sets.iter().map(run).collect()
    }

    /// What several sets of late interventions begin from, instead of each at the tokens.
    fn before(&self, tokens: ArrayView2<Token>) -> Result<Cache<f32>> {
        let Subject { model, engine } = self.subject;
        let names = names(&self.begins());
        if names.is_empty() {
            return Ok(Cache::default());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(engine.run_with_cache(model, tokens, Filter::Names(&names))?.1)
    }

    /// Where sets begin that need not begin at the tokens, each point once; nowhere if there is one such set, which would take
    /// as long.
    fn begins(&self) -> Vec<HookPoint> {
        let sets = self.sets.iter().filter(|set| !set.is_empty());
        let begin = |set: &Vec<Intervention>| {
            let points = set.iter().map(|intervention| intervention.at.point).chain(self.record.iter().copied());
            HookPoint::residual_before(points, self.subject.model.config())
        };
        let begins: Vec<HookPoint> = sets.filter_map(begin).collect();
        if begins.len() < 2 { Vec::new() } else { BTreeSet::from_iter(begins).into_iter().collect() }
    }

    /// The activations of a source on the sequences that these examples are given.
    fn drawn(&self, source: &Source, examples: &Range<usize>) -> Result<Cache<f32>> {
        let rows: Vec<usize> = examples.clone().map(|example| example % source.tokens.nrows()).collect();
        let names = names(&source.points);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let tokens = source.tokens.select(Axis(0), &rows);
        Ok(self.subject.engine.run_with_cache(self.subject.model, tokens.view(), Filter::Names(&names))?.1)
    }

    /// What an intervention puts in place in a chunk.
    fn replacing<'c>(
        &self,
        intervention: &'c Intervention,
        examples: &Range<usize>,
        drawn: &'c [Cache<f32>],
    ) -> Result<New<'c>> {
        let Intervention { at, value, .. } = intervention;
        let name = at.point.to_string();
        let activation = match value {
            Replacement::Zero => return Ok(New::Zero),
            Replacement::Add(vector) => return Ok(New::Add(vector.view())),
            Replacement::Keep(activation) => return Ok(New::Each(activation.view().insert_axis(Axis(0)))),
            Replacement::From(cache) => cache.activation(&name)?.slice_axis_move(Axis(0), examples.clone().into()),
            Replacement::Resample(tokens) => {
                let from = self.resampled.iter().position(|source| same(source.tokens, *tokens));
                drawn[from.expect("every resampled activation has a source")].activation(&name)?
            }
            Replacement::Mean(_) => unreachable!("means are taken before anything is run"),
        };
        Ok(New::Each(match at.head.zip(at.point.head_axis()) {
            None => activation,
            Some((head, axis)) => activation.index_axis_move(Axis(axis + 1), head),
        }))
    }
}
