//! The section about the model: what it is, and how well it does.

use crate::{
    Unit,
    study::{
        data::Study,
        section::{Cell, Item, Section, Table},
    },
};
use algolens_core::{
    provenance::Provenance,
    task::{Token, labels_of},
};
use serde::Serialize;
use serde_json::Value;

pub(super) fn section(study: &Study) -> Section {
    let evaluation = &study.evaluation;
    let [token, list] =
        [evaluation.token_accuracy, evaluation.list_accuracy].map(|share| format!("{:.2} %", 100.0 * share));
    let of = study.seed.map_or_else(|| "of the data".to_owned(), |seed| format!("of seed {seed}"));
    let caption = format!(
        "{} parameters predict {token} of the answers right, and {list} of the examples wholly, out of {} examples {of}.",
        study.parameters, evaluation.size
    );
    let tables = [Some(model(study)), known(study), Some(evaluation_table(study))];
    let items = vec![Item::Row(tables.into_iter().flatten().map(Item::Table).collect())];
    super::section("model", "The model", (format!("{token} right"), caption), items)
}

/// A table of names and values.
pub(super) fn facts(id: &str, caption: &str, rows: Vec<(&str, String)>) -> Table {
    Table {
        id: id.into(),
        caption: caption.into(),
        columns: Vec::new(),
        rows: rows.into_iter().map(|(what, value)| vec![Cell::text(what), Cell::Text(value)]).collect(),
    }
}

fn model(study: &Study) -> Table {
    let config = &study.config;
    let task = study.task.as_ref().map_or_else(|| "none: data that a user brings".to_owned(), ToString::to_string);
    let mlp = config.mlp.map_or("attention only".into(), |mlp| format!("MLP of width {}", mlp.d_mlp));
    let steps: Vec<&str> = study.processing.iter().map(|step| step.name()).collect();
    let mut rows = vec![
        ("task", task),
        ("weights from", study.title.clone()),
        ("layers, heads", format!("{}, {} ({mlp})", config.n_layers, config.n_heads)),
        ("d_model, d_head", format!("{}, {}", config.d_model, config.d_head)),
        ("tokens, positions", format!("{}, {}", config.d_vocab, config.n_ctx)),
        ("norm", named(&config.normalization_type)),
        (
            "attention, positions",
            format!("{}, {}", named(&config.attention_dir), named(&config.positional_embedding_type)),
        ),
        ("parameters", study.parameters.to_string()),
        ("processing", if steps.is_empty() { "none: raw weights".into() } else { steps.join(", ").replace('_', " ") }),
        ("run by", format!("the {} backend, algolens {}", study.engine, study.version)),
    ];
    if let Some(Provenance { made_by, sha256, vectors, .. }) = &study.provenance {
        rows.extend([("vectors", vectors.clone()), ("made by", made_by.clone()), ("model's SHA-256", sha256.clone())]);
    }
    facts("what_it_is", "What it is", rows)
}

/// What share of inputs is right, and how that is known.
fn known(study: &Study) -> Option<Table> {
    let input = |tokens: &[Token]| labels_of(&study.labels.tokens, tokens).join(" ");
    Some(facts("known", "How right it is", study.known.as_ref()?.rows(input)))
}

/// The name of a variant in JSON.
pub(super) fn named(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(Value::String(name)) => name,
        // A variant that carries numbers.
        Ok(Value::Object(named)) => named.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}

fn evaluation_table(study: &Study) -> Table {
    let evaluation = &study.evaluation;
    let rows = [
        ("loss", evaluation.loss, Unit::Nats),
        ("mean probability on the right answer", evaluation.mean_prob, Unit::Probability),
        ("median probability on the right answer", evaluation.median_prob, Unit::Probability),
        ("smallest probability on the right answer", evaluation.min_prob, Unit::Probability),
        ("token accuracy", evaluation.token_accuracy, Unit::Accuracy),
        ("example accuracy", evaluation.list_accuracy, Unit::Accuracy),
    ];
    let of = study.seed.map_or_else(|| "examples of the data".to_owned(), |seed| format!("examples of seed {seed}"));
    Table {
        id: "evaluation".into(),
        caption: format!("Evaluation on {} {of}", evaluation.size),
        columns: ["", "this model"].map(String::from).to_vec(),
        rows: rows.map(|(what, value, unit)| vec![Cell::text(what), Cell::Number(value, unit)]).to_vec(),
    }
}
