use super::*;
use algolens::{interpret::Casebooks, task::Registry};

fn known() -> Program {
    Program::Known(Registry::default(), Casebooks::default())
}

const FILE: &str = r#"
vectors = "scalar"
[recipe]
epochs = 2
model.n_heads = 1
[recipe.task]
name = "sorted_list"
list_len = 5
[grid]
seed = "3..5"
task.max_value = [20, 30]
"model.d_model" = [32, 48]
[sample]
draws = 3
[sample.fields]
lr_start = { from = 1e-4, to = 1e-2, scale = "log" }
"#;

#[test]
fn every_combination_is_a_run_with_a_recipe_of_its_own() {
    let plan = Plan::from_toml(FILE).unwrap().check(&known()).unwrap();
    assert_eq!((plan.runs(), plan.name(0), plan.name(23)), (24, "run-00".into(), "run-23".into()));
    assert_eq!(plan.swept(), ["lr_start", "model.d_model", "seed", "task.max_value"]);
    let recipes: Vec<Recipe> = (0..plan.runs()).map(|run| plan.recipe(run, &known()).unwrap()).collect();
    let mut combinations: Vec<String> = (0..24).map(|run| format!("{:?}", plan.fields(run))).collect();
    combinations.sort();
    combinations.dedup();
    assert_eq!(combinations.len(), 24);
    for recipe in &recipes {
        assert_eq!((recipe.epochs, recipe.model.n_heads), (2, 1));
        let options = &recipe.task.as_ref().unwrap().options;
        assert_eq!(options["list_len"], 5);
        assert!([20, 30].contains(&options["max_value"].as_u64().unwrap()));
    }
    // A draw stays while the grid is gone through.
    assert!(recipes[..8].iter().all(|recipe| recipe.lr_start == recipes[0].lr_start));
    assert_ne!(recipes[0].lr_start, recipes[8].lr_start);
}

#[test]
fn a_plan_reads_what_it_writes() {
    let plan = Plan::from_toml(FILE).unwrap();
    assert_eq!(Plan::from_json(serde_json::to_value(&plan).unwrap()).unwrap(), plan);
}

#[test]
fn the_task_of_a_run_says_what_its_recipe_leaves_open() {
    let plan = Plan::from_toml("grid.task = [\"palindrome\", \"sum\"]").unwrap().check(&known()).unwrap();
    for (run, name) in ["palindrome", "sum"].into_iter().enumerate() {
        let (found, own) =
            (plan.recipe(run, &known()).unwrap(), Registry::default().recipe(&TaskSpec::new(name)).unwrap());
        assert_eq!(Recipe { task: own.task.clone(), ..found }, own);
    }
}

#[test]
fn what_makes_no_sweep_is_refused_by_name() {
    for (file, expected) in [
        ("", "sweep: expected what differs from run to run: a grid, or a sample, found neither"),
        ("grid.seed = []", "grid.seed: expected at least one value, found none"),
        ("grid.seed = [1, 2, 1]", "grid.seed: expected distinct values, found 1 twice"),
        ("grid.stop_loss = [inf, 0.1]", "grid.stop_loss: expected a finite number, found another"),
        (
            "grid = { \"model.n_heads\" = [1], model.n_heads = [2] }",
            "model.n_heads: expected to be said once, found it twice",
        ),
        ("grid.seed = 3", "grid.seed: expected a list of values, or \"A..B\" with A < B, found 3"),
        ("grid.seed = \"3..3\"", "grid.seed: expected a list of values, or \"A..B\" with A < B, found \"3..3\""),
        ("grid.epoch = [3]", "no field of a recipe is called \"epoch\"; near it: epochs"),
        ("grid.model.n_head = [3]", "no field of a recipe is called \"model.n_head\"; near it: model.n_heads"),
        ("grid.epochs = [1, \"two\"]", "epochs: expected a whole number from 0 on, found \"two\""),
        (
            "grid.task.list_length = [5]",
            "option of sorted_list: expected list_len or max_value or bos, found list_length",
        ),
        ("grid.task = [\"sorting\"]", "no task is called \"sorting\""),
        (
            "grid.seed = [1]\nsample = { draws = 2, fields = { seed = [1] } }",
            "seed: expected a field of the grid or of the sample, found both",
        ),
        ("sample = { draws = 0, fields = { seed = [1] } }", "sample.draws: expected 1 or more, found 0"),
        (
            "sample = { draws = 2, fields = { seed = 1 } }",
            "seed: expected a list, or { from, to, scale = \"linear\" or \"log\" }, found 1",
        ),
        ("grid = { seed = \"0..2000\", epochs = \"1..2000\" }", "sweep: expected at most 1000000 runs, found 3998000"),
        ("grids.seed = [1]", "sweep: expected what a sweep's file holds, found unknown field `grids`"),
        ("grid.seed = [1]\nvectors = \"avx1024\"", "vector instructions: expected "),
        ("grid.seed = [1", "line 1: expected TOML, found "),
    ] {
        let refused = Plan::from_toml(file).and_then(|plan| plan.check(&known())).unwrap_err().to_string();
        assert!(refused.starts_with(expected), "{file}: {refused}");
    }
}

/// Values that do not go together make failed rows, not a plan that is refused.
#[test]
fn values_that_go_together_in_some_run_are_no_fault_of_the_plan() {
    let file = "grid.task.list_len = [3, 30]\ngrid.task.max_value = [20, 60]";
    let plan = Plan::from_toml(file).unwrap().check(&known()).unwrap();
    let refused: Vec<bool> = (0..4)
        .map(|run| {
            let recipe = plan.recipe(run, &known());
            recipe.and_then(|recipe| known().task(recipe.task_spec()?)).is_err()
        })
        .collect();
    assert_eq!(refused, [false, false, true, false]);
}

#[test]
fn a_plan_begins_with_the_vectors_of_the_machine_and_goes_on_with_them() {
    let plan = Plan::from_toml("grid.seed = [1]").unwrap();
    let begun = plan.clone().beginning();
    assert_eq!(begun.vectors(), Some(algolens::engine::Vectors::best().name()));
    let found = crate::begun(&begun).unwrap();
    assert_eq!(crate::check_begun(found.as_bytes(), plan.clone()).unwrap(), begun);
    let scalar = Plan::from_toml("grid.seed = [1]\nvectors = \"scalar\"").unwrap();
    let found = crate::begun(&scalar).unwrap();
    assert_eq!(crate::check_begun(found.as_bytes(), plan).unwrap(), scalar);
    assert_ne!(crate::digest(&scalar).unwrap(), crate::digest(&begun).unwrap());
    let other = found.replace("0.1.0", "0.0.9");
    let refused = crate::check_begun(other.as_bytes(), scalar).unwrap_err().to_string();
    assert_eq!(refused, "sweep: expected one that algolens 0.1.0 began, found algolens 0.0.9");
}

#[test]
fn an_mlp_is_swept_with_what_it_has() {
    let plan = Plan::from_toml("grid.model.mlp = { d_mlp = [0, 8], act_fn = [\"relu\", \"gelu\"] }")
        .unwrap()
        .check(&known())
        .unwrap();
    let mlps: Vec<_> = (0..4).map(|run| plan.recipe(run, &known()).unwrap().model.mlp.map(|mlp| mlp.d_mlp)).collect();
    assert_eq!(mlps, [None, Some(8), None, Some(8)]);
}
