//! What one run comes to.

use algolens::{
    Error, Result,
    evaluation::Evaluation,
    interpret::{AblationTable, Finding, Known, Unit, Verdict},
    provenance::Provenance,
    train::{EpochRecord, Fields, Recipe},
};
use serde::{Deserialize, Serialize};

/// What one run comes to: a function of the plan and the run's number. Of a run that failed as much as there was before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// SHA-256 of the plan, with the version that began it.
    pub sweep: String,
    /// The run's name.
    pub run: String,
    /// What it has of the fields that differ.
    pub fields: Fields,
    /// Why it failed, if it did.
    pub error: Option<String>,
    /// The recipe, with all that it determines; none where there is no such recipe.
    pub recipe: Option<Recipe>,
    /// The path of its model, in the sweep's folder.
    pub checkpoint: Option<String>,
    /// Where the model comes from.
    pub provenance: Option<Provenance>,
    /// Epochs that it was trained for.
    pub epochs: Option<usize>,
    /// The epoch whose weights were kept.
    pub kept: Option<EpochRecord>,
    /// Loss, probabilities and accuracy on the examples of the study.
    pub evaluation: Option<Evaluation>,
    /// What share of all inputs is right, and how that is known.
    pub known: Option<Known>,
    /// The cost of ablating each part, in nats.
    pub ablation: Option<AblationTable>,
    /// What was found of each claim about models of the task.
    pub claims: Vec<ClaimFound>,
}

/// What was found of a claim, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimFound {
    /// The claim's id.
    pub id: String,
    /// The claim, in a sentence.
    pub claim: String,
    /// The unit of the number.
    pub unit: Unit,
    /// The number that is judged; none where the claim is not asked.
    pub value: Option<f64>,
    /// Its 95 % interval over lists, where it has one.
    pub interval: Option<[f64; 2]>,
    /// Further numbers, in words.
    pub detail: String,
    /// The verdict.
    pub verdict: Verdict,
}

impl From<Finding> for ClaimFound {
    fn from(finding: Finding) -> Self {
        let Finding { id, claim, unit, value, interval, detail, verdict, .. } = finding;
        Self { id, claim, unit, value, interval, detail, verdict }
    }
}

impl Row {
    /// A run before it was begun.
    pub(crate) fn begun(sweep: String, run: String, fields: Fields) -> Self {
        Self {
            sweep,
            run,
            fields,
            error: None,
            recipe: None,
            checkpoint: None,
            provenance: None,
            epochs: None,
            kept: None,
            evaluation: None,
            known: None,
            ablation: None,
            claims: Vec::new(),
        }
    }
}

impl Row {
    /// Whether it is read as it is written.
    ///
    /// # Errors
    /// Numbers that JSON cannot hold.
    pub(crate) fn check(&self) -> Result<()> {
        let read = serde_json::from_slice::<Self>(&self.to_bytes()?);
        read.map(drop).map_err(|_| Error::invalid("what the study found", "finite numbers", "others"))
    }

    /// Notes why the run failed; what was found after training does not stand.
    pub(crate) fn fail(&mut self, error: &Error) {
        let (evaluation, known, ablation, claims) = (None, None, None, Vec::new());
        let kept = self.kept.take().filter(|kept| kept.train_loss.is_finite() && kept.validation_loss.is_finite());
        let before = std::mem::replace(self, Self::begun(String::new(), String::new(), Fields::new()));
        *self = Self { error: Some(error.to_string()), kept, evaluation, known, ablation, claims, ..before };
    }

    /// The row as JSON.
    ///
    /// # Errors
    /// Numbers that JSON cannot hold.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::invalid("row", "JSON", error))
    }

    /// The row of the run of this name, from JSON, in the sweep of a plan with this [`digest`](crate::digest()).
    ///
    /// # Errors
    /// What is no row, or another run's or plan's.
    pub fn parse(bytes: &[u8], name: &str, digest: &str) -> Result<Self> {
        let row: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::invalid("row", "one of a sweep (without it the run is done again)", error))?;
        if row.run != name {
            return Err(Error::invalid("row", name, row.run));
        }
        if row.sweep != digest {
            return Err(Error::invalid("row", format!("one of the sweep {digest}"), format!("one of {}", row.sweep)));
        }
        Ok(row)
    }
}

/// Fields in words.
pub(crate) fn said(fields: &Fields) -> String {
    fields.iter().map(|(path, value)| format!("{path} = {value}")).collect::<Vec<_>>().join(", ")
}
