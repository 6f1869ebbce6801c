//! The table of a sweep: a row a run, a column a field, a measure or a claim.

use crate::{ClaimFound, Row};
use algolens::{
    interpret::{Known, Verdict},
    train::EpochRecord,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// A column: its name, and a value for each run that has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The values, run by run.
    pub values: Values,
}

/// Values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Whole numbers.
    Whole(Vec<Option<i64>>),
    /// Numbers.
    Numbers(Vec<Option<f64>>),
    /// Texts.
    Texts(Vec<Option<String>>),
}

impl Values {
    /// The values as numbers; none of texts.
    pub fn numbers(&self) -> Option<Vec<Option<f64>>> {
        match self {
            Self::Whole(values) => Some(values.iter().map(|value| value.map(|value| value as f64)).collect()),
            Self::Numbers(values) => Some(values.clone()),
            Self::Texts(_) => None,
        }
    }
}

/// The table of some runs: `run` and `error`; the fields that differ; training (`trained_epochs`, `kept_epoch`, `validation_loss`, …); evaluation
/// (`loss`, `token_accuracy`, …); what is known of all inputs (`known_by`, `inputs`, `right`, and the share's bounds `right_low`
/// and `right_high`, equal where it is exact); mean ablation (`ablation.0.1`, in nats); claims (`claim.copying`,
/// `claim.copying.verdict`); and where the model comes from.
pub fn table(rows: &[Row]) -> Vec<Column> {
    let build = Build(rows);
    let mut columns =
        vec![build.texts("run", |row| Some(row.run.clone())), build.texts("error", |row| row.error.clone())];
    columns.extend(build.fields());
    columns.extend(build.training());
    columns.extend(build.evaluation());
    columns.extend(build.known());
    columns.extend(build.ablation());
    columns.extend(build.claims());
    columns.extend(build.origin());
    columns
}

/// Makes columns of rows.
struct Build<'a>(&'a [Row]);

impl Build<'_> {
    fn texts(&self, name: &str, value: impl Fn(&Row) -> Option<String>) -> Column {
        Column { name: name.into(), values: Values::Texts(self.0.iter().map(value).collect()) }
    }

    fn whole(&self, name: &str, value: impl Fn(&Row) -> Option<u64>) -> Column {
        let value = |row: &Row| value(row).and_then(|value| value.try_into().ok());
        Column { name: name.into(), values: Values::Whole(self.0.iter().map(value).collect()) }
    }

    fn numbers(&self, name: &str, value: impl Fn(&Row) -> Option<f64>) -> Column {
        Column { name: name.into(), values: Values::Numbers(self.0.iter().map(value).collect()) }
    }

    /// Each field that differs: whole numbers or numbers, where all of its values are; else texts, in which a whole number of any
    /// size is exact.
    fn fields(&self) -> Vec<Column> {
        let paths: BTreeSet<&String> = self.0.iter().flat_map(|row| row.fields.keys()).collect();
        let column = |path: &String| {
            let values: Vec<Option<&Value>> = self.0.iter().map(|row| row.fields.get(path)).collect();
            let all = |is: fn(&Value) -> bool| values.iter().flatten().all(|value| is(value));
            let values = if all(Value::is_i64) {
                Values::Whole(values.iter().map(|value| value.and_then(Value::as_i64)).collect())
            } else if all(Value::is_number) && !all(|value| value.is_i64() || value.is_u64()) {
                Values::Numbers(values.iter().map(|value| value.and_then(Value::as_f64)).collect())
            } else {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Values::Texts(values.iter().map(|value| value.map(text)).collect())
            };
            Column { name: path.clone(), values }
        };
        paths.into_iter().map(column).collect()
    }

    fn training(&self) -> Vec<Column> {
        let kept =
            |name: &str, value: fn(&EpochRecord) -> f64| self.numbers(name, move |row| row.kept.as_ref().map(value));
        vec![
            self.whole("trained_epochs", |row| row.epochs.map(|epochs| epochs as u64)),
            self.whole("kept_epoch", |row| row.kept.as_ref().map(|kept| kept.epoch as u64)),
            kept("train_loss", |kept| kept.train_loss),
            kept("validation_loss", |kept| kept.validation_loss),
            kept("train_accuracy", |kept| kept.train_accuracy),
            kept("validation_accuracy", |kept| kept.validation_accuracy),
        ]
    }

    fn evaluation(&self) -> Vec<Column> {
        vec![
            self.numbers("loss", |row| row.evaluation.map(|found| found.loss)),
            self.numbers("mean_prob", |row| row.evaluation.map(|found| found.mean_prob)),
            self.numbers("median_prob", |row| row.evaluation.map(|found| found.median_prob)),
            self.numbers("min_prob", |row| row.evaluation.map(|found| found.min_prob)),
            self.numbers("token_accuracy", |row| row.evaluation.map(|found| found.token_accuracy)),
            self.numbers("list_accuracy", |row| row.evaluation.map(|found| found.list_accuracy)),
        ]
    }

    fn known(&self) -> Vec<Column> {
        let counts = |row: &Row| match row.known {
            Some(Known::Exact { inputs, right, .. }) => Some([inputs, right]),
            Some(Known::Sampled { examples, right, .. } | Known::Counted { examples, right }) => {
                Some([examples, right])
            }
            Some(Known::Proved { .. }) | None => None,
        };
        let least = |row: &Row| match &row.known {
            Some(Known::Exact { least_margin, .. }) => least_margin.as_ref().map(|least| least.margin),
            Some(Known::Sampled { worst, .. }) => worst.as_ref().map(|worst| worst.margin),
            _ => None,
        };
        vec![
            self.texts("known_by", |row| row.known.as_ref().map(|known| by(known).into())),
            self.whole("inputs", move |row| counts(row).map(|[inputs, _]| inputs)),
            self.whole("right", move |row| counts(row).map(|[_, right]| right)),
            self.numbers("right_low", |row| row.known.as_ref().map(|known| share(known)[0])),
            self.numbers("right_high", |row| row.known.as_ref().map(|known| share(known)[1])),
            self.numbers("least_margin", least),
        ]
    }

    fn ablation(&self) -> Vec<Column> {
        let costs = |row: &Row| row.ablation.as_ref().map(|table| table.rows()).unwrap_or_default();
        let mut parts: Vec<String> = Vec::new();
        for (part, _) in self.0.iter().flat_map(costs) {
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        let column = |part: String| {
            let cost = |row: &Row| costs(row).into_iter().find(|(name, _)| *name == part).map(|(_, costs)| costs.mean);
            self.numbers(&format!("ablation.{}", part.replace(' ', "_")), cost)
        };
        parts.into_iter().map(column).collect()
    }

    fn claims(&self) -> Vec<Column> {
        let column = |id: String| {
            let found = |row: &Row| row.claims.iter().find(|claim| claim.id == id).cloned();
            let verdict = |claim: ClaimFound| word(claim.verdict).to_owned();
            [
                self.numbers(&format!("claim.{id}"), |row| found(row).and_then(|claim| claim.value)),
                self.texts(&format!("claim.{id}.verdict"), |row| found(row).map(verdict)),
            ]
        };
        claim_ids(self.0).into_iter().flat_map(column).collect()
    }

    fn origin(&self) -> Vec<Column> {
        let of = |name: &str, value: fn(&algolens::provenance::Provenance) -> &String| {
            self.texts(name, move |row| row.provenance.as_ref().map(|origin| value(origin).clone()))
        };
        vec![
            self.texts("task_spec", |row| row.recipe.as_ref()?.task.as_ref().map(ToString::to_string)),
            self.texts("checkpoint", |row| row.checkpoint.clone()),
            of("sha256", |origin| &origin.sha256),
            of("algolens", |origin| &origin.algolens),
            of("made_by", |origin| &origin.made_by),
            of("backend", |origin| &origin.backend),
            of("vectors", |origin| &origin.vectors),
            self.texts("recipe", |row| serde_json::to_string(row.recipe.as_ref()?).ok()),
        ]
    }
}

/// The claims that some run was asked, in their order.
pub(crate) fn claim_ids<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for claim in rows.into_iter().flat_map(|row| &row.claims) {
        if !ids.contains(&claim.id) {
            ids.push(claim.id.clone());
        }
    }
    ids
}

/// A verdict as a word of a column.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::HoldsAsControl => "holds_as_control",
        Verdict::Partly => "partly",
        Verdict::Fails => "fails",
        Verdict::NotAsked => "not_asked",
    }
}

fn by(known: &Known) -> &'static str {
    match known {
        Known::Exact { .. } => "exact",
        Known::Proved { .. } => "proved",
        Known::Sampled { .. } => "sampled",
        Known::Counted { .. } => "counted",
    }
}

/// The bounds of the share of all inputs that are right.
pub(crate) fn share(known: &Known) -> [f64; 2] {
    match *known {
        Known::Exact { inputs: of, right, .. } | Known::Counted { examples: of, right } => {
            [right as f64 / of as f64; 2]
        }
        Known::Proved { bounds } => bounds,
        Known::Sampled { interval, .. } => interval,
    }
}
