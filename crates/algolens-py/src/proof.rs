//! Attacks and proofs.

use crate::{analysis::subject, error::raised, json, model::Model, task::Task, watch::Watch};
use algolens::{
    Error,
    check::{Checked, Progress, certificate::Certificate, check},
    interpret::attack::{Attacker, Progress as Tried, Restrictions},
    prove::{self, Classes, Origin, Search, Tables},
};
use pyo3::prelude::*;
use std::time::Instant;

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
    for (what, number, most) in [("seconds", seconds, f64::MAX), ("slack", slack, 1.0)] {
        if let Some(number) = number.filter(|number| !(*number > 0.0 && *number <= most)) {
            let expected = if most == 1.0 { "a number above 0, at most 1" } else { "a number above 0" };
            return Err(raised(Error::invalid(what, expected, number)));
        }
    }
    let mut watch = Watch::new(progress);
    let result = py.detach(|| {
        let (whole, task) = (model.handle().model(), &**task.task());
        let tables = Tables::of(whole, task)?;
        let slack = slack.map_or_else(|| prove::slack(whole, task, model.handle().engine()), Ok)?;
        let mut search = Search::new(&tables, Classes::of(task)?, slack)?;
        let clock = Instant::now();
        let is_spent = |search: &Search| {
            let is_over = work.is_some_and(|work| search.work() >= work)
                || seconds.is_some_and(|seconds| clock.elapsed().as_secs_f64() >= seconds);
            is_over || search.is_at_end()
        };
        while !is_spent(&search) {
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
        let provenance = model.origin(made_by, None);
        let origin = Origin {
            model: whole,
            processing: model.processing(),
            task,
            sampled_lists: Origin::SAMPLED,
            counterexamples: true,
            provenance: Some(&provenance),
        };
        prove::certificate(&search, &origin)
    });
    json::written("certificate", &watch.outcome(py, result)?)
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
