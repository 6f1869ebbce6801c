//! The fields of a recipe by name: what files say of it, and what sweeps change.

use super::{DataSource, Recipe};
use crate::{
    Error, Result,
    model::{ActFn, Mlp},
    task::TaskSpec,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Values of a recipe's fields in JSON, by the path that each has in a file: `epochs`, `model.n_heads`, `model.mlp.d_mlp`,
/// `task.list_len`.
pub type Fields = BTreeMap<String, Value>;

/// The fields that the keys of a recipe set: those of the model and of its MLP one by one, the task as one.
pub fn fields(keys: &Map<String, Value>) -> Fields {
    let mut found = Fields::new();
    collect("", keys, &mut found);
    found
}

fn collect(above: &str, keys: &Map<String, Value>, found: &mut Fields) {
    for (key, value) in keys {
        let path = format!("{above}{key}");
        match value {
            Value::Object(below) if ["model", "model.mlp"].contains(&path.as_str()) => {
                collect(&format!("{path}."), below, found);
            }
            value => drop(found.insert(path, value.clone())),
        }
    }
}

/// What an MLP is of which only a part is said.
const NONE_YET: Mlp = Mlp { d_mlp: 0, act_fn: ActFn::Relu, gated: false };

impl Recipe {
    /// The names of all fields, but the options of a task (`task.list_len`).
    pub fn field_names() -> Vec<String> {
        let mut whole = Self {
            task: Some(TaskSpec::new("")),
            data: Some(DataSource::new("", &[])),
            train_share: Some(0.0),
            epoch_steps: Some(0),
            stop_accuracy: Some(0.0),
            stop_loss: Some(0.0),
            ..Self::default()
        };
        whole.model.mlp = Some(Mlp { gated: true, ..NONE_YET });
        let keys = serde_json::to_value(&whole).ok();
        let keys = keys.as_ref().and_then(Value::as_object).map(fields).unwrap_or_default();
        keys.into_keys().chain(["model.mlp".to_owned()]).collect()
    }

    /// The recipe with other values of some fields. A `task` is an object or a text, and goes before options of it; a
    /// `model.mlp.d_mlp` of 0 is no MLP.
    ///
    /// # Errors
    /// Names the first field that there is not, or whose value it cannot have.
    pub fn with(&self, fields: &Fields) -> Result<Self> {
        let known = Self::field_names();
        let is_known = |path: &String| known.contains(path) || path.starts_with(OF_TASK);
        if let Some(unknown) = fields.keys().find(|path| !is_known(path)) {
            return Err(Error::unknown("field of a recipe", unknown, known));
        }
        let changed = self.changed(fields).map_err(|whole| {
            let alone = |(path, value): (&String, &Value)| {
                let one = Fields::from([(path.clone(), value.clone())]);
                let error = self.changed(&one).err()?;
                let said = error.to_string();
                let expected = said.rsplit_once("expected ").map_or(said.as_str(), |(_, expected)| expected);
                let expected = match expected {
                    "usize" | "u64" | "u32" => "a whole number from 0 on",
                    "f64" => "a number",
                    expected => expected,
                };
                Some(Error::invalid(path.as_str(), expected, value))
            };
            fields.iter().find_map(alone).unwrap_or(whole)
        })?;
        match (&changed.model.mlp, fields.keys().find(|path| path.starts_with(OF_MLP))) {
            (None, Some(part)) if !fields.contains_key(D_MLP) => {
                Err(Error::invalid(part.as_str(), format!("a model with an MLP ({D_MLP})"), "none"))
            }
            _ => Ok(changed),
        }
    }

    fn changed(&self, fields: &Fields) -> Result<Self> {
        let broken = |error: serde_json::Error| Error::invalid("recipe", "one that JSON can hold", error);
        let mut whole = self.clone();
        if fields.keys().any(|path| path.starts_with(OF_MLP)) {
            whole.model.mlp.get_or_insert(NONE_YET);
        }
        let mut tree = serde_json::to_value(&whole).map_err(broken)?;
        for (path, value) in fields {
            match value {
                Value::String(text) if path == "task" => {
                    set(&mut tree, path, serde_json::to_value(text.parse::<TaskSpec>()?).map_err(broken)?);
                }
                value => set(&mut tree, path, value.clone()),
            }
        }
        let mut changed: Self = serde_json::from_value(tree).map_err(broken)?;
        changed.model.mlp = changed.model.mlp.filter(|mlp| mlp.d_mlp > 0);
        Ok(changed)
    }
}

const OF_TASK: &str = "task.";
const OF_MLP: &str = "model.mlp.";
const D_MLP: &str = "model.mlp.d_mlp";

/// Sets what a path leads to.
fn set(tree: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        None => tree[path] = value,
        Some((first, rest)) => {
            if !tree[first].is_object() {
                tree[first] = Value::Object(Map::new());
            }
            set(&mut tree[first], rest, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(changes: Value) -> Result<Recipe> {
        let Value::Object(keys) = changes else { panic!("{changes}") };
        let task = TaskSpec::new("sorted_list").with("list_len", 5);
        Recipe { task: Some(task), ..Recipe::default() }.with(&fields(&keys))
    }

    #[test]
    fn fields_are_set_by_the_paths_that_files_have() {
        let changed = with(json!({
            "epochs": 3, "model": { "n_heads": 4, "mlp": { "d_mlp": 8 } }, "task.max_value": 9, "train_share": 0.5,
        }));
        let changed = changed.unwrap();
        assert_eq!((changed.epochs, changed.model.n_heads, changed.train_share), (3, 4, Some(0.5)));
        assert_eq!(changed.model.mlp, Some(Mlp { d_mlp: 8, act_fn: ActFn::Relu, gated: false }));
        assert_eq!(changed.task.unwrap().to_string(), "sorted_list(list_len=5,max_value=9)");
        let changed = with(json!({ "task": "sum(digits=2)", "task.base": 5, "model.mlp.d_mlp": 0 })).unwrap();
        assert_eq!((changed.task.unwrap().to_string(), changed.model.mlp), ("sum(base=5,digits=2)".into(), None));
    }

    #[test]
    fn every_field_of_a_file_has_a_name() {
        for path in Recipe::field_names() {
            let (whole, part) = path.split_once('.').unwrap_or((&path, ""));
            assert!(whole != "model" || !part.is_empty(), "{path}");
            // What no field can be is refused with the name of the field, so there is one.
            let refused = Recipe::default().with(&Fields::from([(path.clone(), json!([[]]))])).unwrap_err();
            assert!(refused.to_string().starts_with(&format!("{path}: ")), "{refused}");
        }
        assert!(Recipe::field_names().len() > 30);
    }

    #[test]
    fn what_is_no_field_or_no_value_of_it_is_named() {
        for (changes, expected) in [
            (json!({ "epoch": 3 }), r#"no field of a recipe is called "epoch"; near it: epochs"#),
            (
                json!({ "model": { "n_head": 3 } }),
                r#"no field of a recipe is called "model.n_head"; near it: model.n_heads"#,
            ),
            (json!({ "seed": 1, "epochs": "three" }), r#"epochs: expected a whole number from 0 on, found "three""#),
            (json!({ "optimizer": "sgd" }), r#"optimizer: expected `adam` or `adamw`, found "sgd""#),
            (
                json!({ "model.mlp.act_fn": "gelu" }),
                "model.mlp.act_fn: expected a model with an MLP (model.mlp.d_mlp), found none",
            ),
            (json!({ "task": "sum(" }), "task: expected NAME, or NAME(OPTION=VALUE,…), found \"sum(\""),
        ] {
            let refused = with(changes).unwrap_err().to_string();
            assert!(refused.starts_with(expected), "{refused}");
        }
    }
}
