//! A study as data: what was measured of a model, and the sections that show it.

use super::{
    ablations::AblationTable,
    arrays::Arrays,
    examples::{Group, ShownExample},
    figure::Figure,
    known::Known,
    labels::Labels,
    section::{Cell, Section},
    whole::{self, check_sections},
};
use crate::{Finding, Shown};
use algolens_core::{
    Error, Result,
    evaluation::Evaluation,
    model::{Config, processing::Step},
    provenance::Provenance,
    task::TaskSpec,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// A study: all that was measured of a model, and how it is shown. Its [`Arrays`] stand beside it, by name.
///
/// A terminal, a page and any other reader show the same [`sections`](Self::sections); a script reads the numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// The version of this structure.
    pub schema: u32,
    /// The version of algolens.
    pub version: String,
    /// What the model is called: the file that its weights come from.
    pub title: String,
    /// The backend that ran the model; hooks are run by the plain one.
    pub engine: String,
    /// The dataset seed of the evaluation; none where a user brought the data.
    pub seed: Option<u32>,
    /// Where the study comes from; none in results of earlier versions, and where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// The task; none where a user brought the data.
    pub task: Option<TaskSpec>,
    /// True if nobody says the task: of those that the program knows only this one has the model's sizes.
    #[serde(default)]
    pub task_assumed: bool,
    /// The model's shape, after weight processing.
    pub config: Config,
    /// Number of parameters.
    pub parameters: usize,
    /// The processing steps that the weights went through.
    pub processing: Vec<Step>,
    /// What tokens, classes and positions are called.
    pub labels: Labels,
    /// What the axes of tokens and classes go over, in figures and in the arrays of circuits and probabilities.
    pub shown: Shown,
    /// The predicted positions.
    pub positions: Vec<usize>,
    /// Loss, probabilities and accuracy on the evaluation data.
    pub evaluation: Evaluation,
    /// What share of inputs is right, and how that is known; none in results of earlier versions.
    #[serde(default)]
    pub known: Option<Known>,
    /// The cost of ablating each part, in nats.
    pub ablation: AblationTable,
    /// The groups of shown examples, in their order.
    pub groups: Vec<Group>,
    /// The examples that are shown one by one, in the order of the arrays' example axis.
    #[serde(rename = "lists")]
    pub examples: Vec<ShownExample>,
    /// The claims about the model, measured and judged.
    pub findings: Vec<Finding>,
    /// Number of models of other seeds in the spread of findings.
    pub other_models: usize,
    /// What a casebook measured, by name.
    #[serde(flatten)]
    pub measures: Map<String, Value>,
    /// How all of it is shown, section by section.
    pub sections: Vec<Section>,
}

/// The version of [`Study`].
pub(super) const SCHEMA: u32 = 4;

impl Study {
    /// What a casebook measured, as its type.
    ///
    /// # Errors
    /// A study without these measures.
    pub fn measures<M: DeserializeOwned>(&self) -> Result<M> {
        serde_json::from_value(Value::Object(self.measures.clone()))
            .map_err(|error| Error::invalid("the study's measures", "those of its casebook", error))
    }

    /// Notes that nobody says the task: of those that the program knows only this one has the model's sizes.
    pub fn assume_task(&mut self) {
        self.task_assumed = true;
        if let Some(table) = self.section_mut("model").and_then(|section| section.table_mut("what_it_is"))
            && let Some(Cell::Text(words)) = table.rows.first_mut().and_then(|row| row.get_mut(1))
        {
            words.push_str(" (assumed: the file names none, and only this one has its sizes)");
        }
    }

    /// The section of a name.
    pub fn section_mut(&mut self, id: &str) -> Option<&mut Section> {
        self.sections.iter_mut().find(|section| section.id == id)
    }

    /// Takes a section out.
    pub fn take_section(&mut self, id: &str) -> Option<Section> {
        let at = self.sections.iter().position(|section| section.id == id)?;
        Some(self.sections.remove(at))
    }

    /// The figures of all sections.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.sections.iter().flat_map(Section::figures)
    }

    /// Whether every array that a figure names is there, every claim has a place, and no two things have one name.
    ///
    /// # Errors
    /// Names the first that is amiss.
    pub fn check(&self, arrays: &Arrays) -> Result<()> {
        let ids = check_sections(&self.sections, arrays, "study")?;
        let claims: Vec<_> = self.sections.iter().flat_map(Section::claims).collect();
        for finding in &self.findings {
            if !claims.iter().any(|shown| shown.claim == finding.id) {
                let expected = "a figure or section that shows it";
                return Err(Error::invalid(format!("the claim {}", finding.id), expected, "none"));
            }
        }
        for shown in claims {
            if !ids.contains(&shown.at) {
                let what = format!("where the claim {} is shown", shown.claim);
                return Err(Error::invalid(what, "a figure or section of the study", &shown.at));
            }
        }
        Ok(())
    }

    /// The ids of sections, and those that figures have on the page: where a claim can be shown.
    pub(crate) fn anchors(&self) -> impl Iterator<Item = String> {
        whole::anchors(&self.sections)
    }
}
