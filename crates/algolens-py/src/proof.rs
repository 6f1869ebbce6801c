//! Attacks and proofs.

use crate::{analysis::subject, error::raised, json, model::Model, task::Task, watch::Watch};
use algolens::{
    Error,
    check::{
        Checked, Progress,
        certificate::{Certificate, Class},
        check,
    },
    interpret::attack::{Attacker, Progress as Tried, Restrictions},
    prove::{self, Classes, Origin, Search, Tables},
    task,
};
use pyo3::{prelude::*, types::PyBytes};
use std::{collections::HashSet, time::Instant};

/// The worst inputs that an attack finds, as JSON: of `work` inputs that are run so many, distinct in kind; only those that are
/// wrong at a position, or of these members of families. And whether the user interrupted it; then what was found until then.
#[pyfunction]
#[pyo3(signature = (model, task, count=3, work=500_000, seed=0, position=None, members=Vec::new(), progress=None))]
#[expect(clippy::too_many_arguments, reason = "one for each of Python's")]
pub fn attack(
    py: Python<'_>,
    model: &Model,
    task: &Task,
    count: usize,
    work: u64,
    seed: u64,
    position: Option<usize>,
    members: Vec<[String; 2]>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(String, bool)> {
    let mut watch = Watch::new(progress);
    let result = py.detach(|| {
        let attacker = Attacker::new(subject(model), &**task.task(), &Restrictions { position, members })?;
        attacker.attack(work, count, seed, &mut |Tried { tried, of, wrong, least }: Tried| {
            watch.tell(|| (tried, of, format!("least margin {least:.4} · {wrong} wrong")))
        })
    });
    task.raised(py)?;
    let interrupted = watch.is_interrupted(py);
    Ok((json::written("attack", &watch.outcome(py, result)?)?, interrupted))
}

/// The certificate of what a search of so many seconds, or of so much work, proves of a model over all inputs, as JSON.
#[pyfunction]
#[pyo3(signature = (model, task, seconds=None, work=None, slack=None, made_by="certify", progress=None))]
#[expect(clippy::too_many_arguments, reason = "one for each of Python's")]
pub fn certify(
    py: Python<'_>,
    model: &Model,
    task: &Task,
    seconds: Option<f64>,
    work: Option<u64>,
    slack: Option<f64>,
    made_by: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    check_numbers(seconds, slack)?;
    let mut watch = Watch::new(progress);
    let result = py.detach(|| {
        let (whole, task) = (model.handle().model(), &**task.task());
        let tables = Tables::of(whole, task)?;
        let slack = slack.map_or_else(|| prove::slack(whole, task, model.handle().engine()), Ok)?;
        let mut search = Search::new(&tables, Classes::of(task)?, slack)?;
        advance(&mut search, seconds, work, &mut watch)?;
        certificate(&search, model, task, made_by)
    });
    json::written("certificate", &watch.outcome(py, result)?)
}

/// The certificate of a search, as it stands.
fn certificate(search: &Search, model: &Model, task: &dyn task::Task, made_by: &str) -> algolens::Result<Certificate> {
    let provenance = model.origin(made_by, None);
    let origin = Origin {
        model: model.handle().model(),
        processing: model.processing(),
        task,
        sampled_lists: Origin::SAMPLED,
        counterexamples: true,
        provenance: Some(&provenance),
    };
    prove::certificate(search, &origin)
}

/// Whether a search can have this length and slack.
fn check_numbers(seconds: Option<f64>, slack: Option<f64>) -> PyResult<()> {
    for (what, number, most) in [("seconds", seconds, f64::MAX), ("slack", slack, 1.0)] {
        if let Some(number) = number.filter(|number| !(*number > 0.0 && *number <= most)) {
            let expected = if most == 1.0 { "a number above 0, at most 1" } else { "a number above 0" };
            return Err(raised(Error::invalid(what, expected, number)));
        }
    }
    Ok(())
}

/// Advances a search for so many seconds, or until it has done so much work, or to its end.
fn advance(
    search: &mut Search<'_>,
    seconds: Option<f64>,
    work: Option<u64>,
    watch: &mut Watch,
) -> algolens::Result<()> {
    let clock = Instant::now();
    let is_spent = |search: &Search| {
        let is_over = work.is_some_and(|work| search.work() >= work)
            || seconds.is_some_and(|seconds| clock.elapsed().as_secs_f64() >= seconds);
        is_over || search.is_at_end()
    };
    while !is_spent(search) {
        search.advance();
        let far = || {
            let [low, high] = prove::accuracy_bounds(search.classes(), &search.decided()).token;
            let of = seconds.unwrap_or(0.0);
            (clock.elapsed().as_secs(), of as u64, format!("token accuracy {low:.5} to {high:.5}"))
        };
        if watch.tell(far).is_break() {
            return Err(Error::Cancelled);
        }
    }
    search.add_seconds(clock.elapsed().as_secs_f64());
    Ok(())
}

/// A proof that can be made of a model: the number of its classes, and the slack that is said, or that the model needs.
#[pyfunction]
#[pyo3(signature = (model, task, seconds=None, slack=None))]
pub fn proof_size(
    py: Python<'_>,
    model: &Model,
    task: &Task,
    seconds: Option<f64>,
    slack: Option<f64>,
) -> PyResult<(usize, f64)> {
    check_numbers(seconds, slack)?;
    let (whole, task) = (model.handle().model(), &**task.task());
    let size = || {
        Tables::of(whole, task)?;
        let slack = slack.map_or_else(|| prove::slack(whole, task, model.handle().engine()), Ok)?;
        Ok((Classes::of(task)?.all().len(), slack))
    };
    py.detach(size).map_err(raised)
}

/// The state of one of `of` parts of a search, counted from 0, once all of its classes are begun.
#[pyfunction]
#[pyo3(signature = (model, task, part, of, slack, progress=None))]
pub fn begin_part<'py>(
    py: Python<'py>,
    model: &Model,
    task: &Task,
    part: usize,
    of: usize,
    slack: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut watch = Watch::new(progress);
    let result = py.detach(|| {
        let (whole, task) = (model.handle().model(), &**task.task());
        let tables = Tables::of(whole, task)?;
        let mut search = Search::new(&tables, Classes::of(task)?.part(part, of), slack)?;
        let clock = Instant::now();
        while !search.has_begun_all() {
            search.advance();
            let of = search.classes().all().len() as u64;
            if watch.tell(|| (search.begun() as u64, of, "classes".into())).is_break() {
                return Err(Error::Cancelled);
            }
        }
        search.add_seconds(clock.elapsed().as_secs_f64());
        search.to_bytes(whole)
    });
    Ok(PyBytes::new(py, &watch.outcome(py, result)?))
}

/// The numbers, among all classes, of those that parts of a search, begun, have certified at their roots.
#[pyfunction]
pub fn certified_by_parts(py: Python<'_>, model: &Model, task: &Task, states: Vec<Vec<u8>>) -> PyResult<Vec<usize>> {
    let certified = || {
        let (whole, task) = (model.handle().model(), &**task.task());
        let tables = Tables::of(whole, task)?;
        let classes = Classes::of(task)?;
        let parts = parts(&states, &tables, &classes, whole)?;
        let certified: HashSet<Class> = parts.iter().flat_map(Search::certified_at_root).collect();
        let numbers = classes.all().iter().enumerate().filter(|(_, class)| certified.contains(class));
        Ok(numbers.map(|(number, _)| number).collect())
    };
    py.detach(certified).map_err(raised)
}

/// The state to which a part of a search comes from another, where these classes are certified by all parts.
#[pyfunction]
#[pyo3(signature = (model, task, part, of, state, certified, seconds=None, work=None, progress=None))]
#[expect(clippy::too_many_arguments, reason = "one for each of Python's")]
pub fn go_on_with_part<'py>(
    py: Python<'py>,
    model: &Model,
    task: &Task,
    part: usize,
    of: usize,
    state: &[u8],
    certified: Vec<usize>,
    seconds: Option<f64>,
    work: Option<u64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    check_numbers(seconds, None)?;
    let mut watch = Watch::new(progress);
    let result = py.detach(|| {
        let (whole, task) = (model.handle().model(), &**task.task());
        let tables = Tables::of(whole, task)?;
        let classes = Classes::of(task)?;
        let class = |number: usize| {
            let unknown = || Error::invalid("certified class", format!("below {}", classes.all().len()), number);
            classes.all().get(number).copied().ok_or_else(unknown)
        };
        let certified = certified.into_iter().map(class).collect::<algolens::Result<Vec<_>>>()?;
        let mut search = Search::from_bytes(state, &tables, classes.part(part, of), whole)?.as_part(of, &certified);
        advance(&mut search, seconds, work, &mut watch)?;
        search.to_bytes(whole)
    });
    Ok(PyBytes::new(py, &watch.outcome(py, result)?))
}

/// The parts of a search, in their order, from their states.
fn parts<'t>(
    states: &[Vec<u8>],
    tables: &'t Tables,
    classes: &Classes,
    model: &algolens::model::Model,
) -> algolens::Result<Vec<Search<'t>>> {
    let part =
        |(part, state): (usize, &Vec<u8>)| Search::from_bytes(state, tables, classes.part(part, states.len()), model);
    states.iter().enumerate().map(part).collect()
}

/// The certificate of what the parts of a search, in their order, prove of a model together, as JSON.
#[pyfunction]
pub fn join_search(
    py: Python<'_>,
    model: &Model,
    task: &Task,
    states: Vec<Vec<u8>>,
    made_by: &str,
) -> PyResult<String> {
    let result = py.detach(|| {
        let (whole, task) = (model.handle().model(), &**task.task());
        let tables = Tables::of(whole, task)?;
        let classes = Classes::of(task)?;
        let parts = parts(&states, &tables, &classes, whole)?;
        let search = Search::joined(&tables, classes, parts)?;
        certificate(&search, model, task, made_by)
    });
    json::written("certificate", &result.map_err(raised)?)
}

/// What a certificate, as JSON, proves of a model, as JSON.
#[pyfunction]
#[pyo3(signature = (certificate, model, progress=None))]
pub fn check_certificate(
    py: Python<'_>,
    certificate: &str,
    model: &Model,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let certificate: Certificate = json::parsed("certificate", certificate)?;
    let mut watch = Watch::new(progress);
    let result = py.detach(|| -> algolens::Result<Checked> {
        let processed;
        let whole = model.handle().model();
        let whole = if certificate.model.processing.is_empty() || !model.processing().is_empty() {
            whole
        } else {
            processed = whole.process().model;
            &processed
        };
        check(&certificate, whole, model.handle().engine(), &mut |Progress { done, of }: Progress| {
            watch.tell(|| (done as u64, of as u64, "classes".into()))
        })
    });
    json::written("check", &watch.outcome(py, result)?)
}
