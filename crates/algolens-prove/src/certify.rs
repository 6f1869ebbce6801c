//! Assembly of a certificate from a search.

use super::{Decided, Search, accuracy, confirm::plain_answers};
use algolens_check::certificate::{Certificate, ClassStatus, Counterexample, Identity, Status};
use algolens_core::{
    Error, Result,
    evaluation::{Evaluation, evaluate},
    model::{Model, processing::Step},
    provenance::Provenance,
    random,
    task::{Dataset, Task},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, write::ZlibEncoder};
use std::io::Write;

/// Inputs of a certificate beside the search.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The model searched.
    pub model: &'a Model,
    /// The weight processing that it went through.
    pub processing: &'a [Step],
    /// Its task.
    pub task: &'a dyn Task,
    /// Number of lists sampled for comparison.
    pub sampled_lists: usize,
    /// True to include a counterexample for every refuted class.
    pub counterexamples: bool,
    /// Where the certificate comes from.
    pub provenance: Option<&'a Provenance>,
}

impl Origin<'_> {
    /// The number of lists that certificates sample unless more or fewer are asked for.
    pub const SAMPLED: usize = 100_000;
}

/// The certificate of a search's present state. Every counterexample is confirmed by the plain engine, in f32.
///
/// # Errors
/// A model that the search is not about.
pub fn certificate(search: &Search, origin: &Origin) -> Result<Certificate> {
    let (model, task, classes) = (origin.model, origin.task, search.classes());
    let worst = search.worst();
    let confirmed = confirm(model, task, &worst)?;
    let mut decided = search.decided();
    for (decided, is_confirmed) in decided.iter_mut().zip(&confirmed) {
        if decided.status == Status::Refuted && decided.wrong == 0.0 && !is_confirmed {
            decided.status = Status::Undecided;
        }
    }
    let bounds = accuracy::bounds(classes, &decided);
    let (counts, mass) = accuracy::tally(classes, &decided);
    let sampled = sample(model, task, origin.sampled_lists)?;
    let bracket = |[lower, upper]: [f64; 2], sampled| algolens_check::certificate::Bracket { lower, upper, sampled };
    let wrong: Vec<Counterexample> = worst
        .iter()
        .zip(&confirmed)
        .filter(|(found, confirmed)| **confirmed && found.as_ref().is_some_and(|found| found.margin < 0.0))
        .filter_map(|(found, _)| found.clone())
        .collect();
    Ok(Certificate {
        format: Certificate::FORMAT,
        model: Identity {
            sha256: model.sha256(),
            processing: origin.processing.to_vec(),
            task: task.spec(),
            config: model.config().clone(),
        },
        classes: counts,
        mass,
        token_accuracy: bracket(bounds.token, sampled.token_accuracy),
        list_accuracy: bracket(bounds.list, sampled.list_accuracy),
        sampled_lists: origin.sampled_lists,
        worst: least(&worst),
        slack: search.slack(),
        step: search.floor_unit(),
        seconds: search.seconds(),
        work: search.work(),
        class_status: classes
            .all()
            .iter()
            .zip(&decided)
            .map(|(class, decided)| status(search, *class, decided))
            .collect(),
        counterexamples: origin.counterexamples.then_some(wrong),
        provenance: origin.provenance.cloned(),
        evidence: pack(&search.evidence())?,
    })
}

/// The list with the least margin, if one is: where nothing else may be answered margins are infinite.
fn least(worst: &[Option<Counterexample>]) -> Option<Counterexample> {
    let finite = worst.iter().flatten().filter(|found| found.margin.is_finite());
    finite.min_by(|a, b| a.margin.total_cmp(&b.margin)).cloned()
}

/// The certificate's entry of a class.
fn status(search: &Search, class: algolens_check::certificate::Class, decided: &Decided) -> ClassStatus {
    let Decided { status, right, wrong, .. } = *decided;
    let algolens_check::certificate::Class { position, token, target } = class;
    ClassStatus { position, token, target, share: search.classes().share(class), status, right, wrong }
}

/// For each class, true if the plain engine predicts its worst case wrong.
fn confirm(model: &Model, task: &dyn Task, found: &[Option<Counterexample>]) -> Result<Vec<bool>> {
    let lists: Vec<&Counterexample> = found.iter().flatten().collect();
    let mut answers = plain_answers(model, task, &lists)?.into_iter();
    let mut is_wrong = |found: &Counterexample| answers.next().is_some_and(|answer| answer != found.expected);
    Ok(found.iter().map(|found| found.as_ref().is_some_and(&mut is_wrong)).collect())
}

/// Accuracies on randomly drawn lists, all alike, the same at every call.
fn sample(model: &Model, task: &dyn Task, lists: usize) -> Result<Evaluation> {
    let mut rng = random::stream(0, "certify/sample");
    let inputs =
        task.inputs().ok_or_else(|| Error::invalid("inputs of the task", "ones that can be counted", task.spec()))?;
    let numbers = (0..lists.max(1)).map(|_| random::below_u128(&mut rng, inputs.count()));
    let lists = numbers.map(|number| inputs.get(number)).collect::<Result<Vec<_>>>()?;
    let data = Dataset::from_inputs(task, &lists)?;
    let engine = algolens_core::engine::Backend::best(model.config()).engine(algolens_core::engine::Vectors::best());
    evaluate(&*engine, model, &data)
}

/// Evidence deflated (zlib), in base 64.
fn pack(evidence: &[u8]) -> Result<String> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    let packed = zlib.write_all(evidence).and_then(|()| zlib.finish());
    let packed = packed.map_err(|error| Error::invalid("evidence", "bytes that can be packed", error))?;
    Ok(BASE64_STANDARD.encode(packed))
}
