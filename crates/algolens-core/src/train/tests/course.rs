//! How a run goes: rates, epochs, what is learnt from, where it stops and what is kept.

use super::*;

/// PyTorch's `CosineAnnealingLR(T_max=300)` from 1e-3 to 1e-5, before steps 1, 101, 151 and 300; `LinearLR` warm-up is by the
/// step's number.
#[test]
fn rates_fall_as_a_cosine_or_not_at_all_and_rise_first() {
    let length = Recipe { epochs: 3, epoch_steps: Some(100), lr_start: 1e-3, lr_end: 1e-5, ..small() };
    let cosine = Recipe { lr_schedule: Schedule::Cosine, ..length.clone() };
    for (step, rate) in [(0, 1e-3), (100, 0.000_752_5), (150, 0.000_505), (299, 1.002_713_9e-5)] {
        assert!((cosine.learning_rate(step) - rate).abs() < 1e-10, "{step}: {}", cosine.learning_rate(step));
    }
    let constant = Recipe { lr_schedule: Schedule::Constant, warmup_steps: 10, ..length };
    let rates = [0, 4, 9, 10, 299].map(|step| constant.learning_rate(step));
    assert_eq!(rates.map(|rate| (rate * 1e7).round()), [1e3, 5e3, 1e4, 1e4, 1e4]);
}

#[test]
fn epochs_may_be_of_any_number_of_steps_and_see_the_passes_in_order() {
    let by_passes = trained(Recipe { epochs: 4, lr_schedule: Schedule::Constant, ..small() });
    let steps = by_passes.recipe().steps_per_pass();
    assert_eq!((steps, by_passes.recipe().examples_per_epoch()), (13, 400));
    // Four passes of 13 steps.
    let by_steps = trained(Recipe { epochs: 2, epoch_steps: Some(26), ..by_passes.recipe().clone() });
    assert_eq!(by_steps.history().last().unwrap().steps, 52);
    assert!(by_steps.model() == by_passes.model());
    let uneven = Recipe { epochs: 5, epoch_steps: Some(10), ..by_passes.recipe().clone() };
    assert_eq!(uneven.examples_per_epoch(), 320);
    let whole = bits(&trained(uneven.clone()));
    let mut cut = cut_short(uneven, |event| matches!(event, Event::Epoch(run) if run.history().len() == 3));
    cut.train(&Plain::new(), &mut heedless).unwrap();
    assert!(bits(&cut) == whole);
}

#[test]
fn the_weights_of_the_epoch_that_the_recipe_names_are_kept() {
    // The last epochs' rate is so high that they spoil what the first learnt.
    let kept = |keep| {
        let run = trained(Recipe { keep, epochs: 8, lr_start: 0.0, lr_end: 0.5, ..small() });
        assert_eq!(Run::from_bytes(&bits(&run), &Registry::default()).unwrap(), run);
        let at = run.history().iter().rposition(|record| record.best).unwrap();
        (at, run)
    };
    let (last, run) = kept(Keep::Last);
    assert!(last == 7 && run.best() == *run.model());
    let (least, run) = kept(Keep::Loss);
    let losses: Vec<f64> = run.history().iter().map(|record| record.validation_loss).collect();
    assert!(losses.iter().all(|loss| *loss >= losses[least]), "{losses:?} {least}");
}

#[test]
fn training_stops_where_its_aims_are_reached() {
    let whole = trained(Recipe { epochs: 6, ..small() });
    let third = &whole.history()[2];
    let aims = Recipe {
        stop_accuracy: Some(third.validation_accuracy),
        stop_loss: Some(third.validation_loss),
        ..whole.recipe().clone()
    };
    let stopped = trained(aims.clone());
    let expected = whole.history().iter().position(|record| {
        record.validation_accuracy >= third.validation_accuracy && record.validation_loss <= third.validation_loss
    });
    assert_eq!(stopped.history().len(), expected.unwrap() + 1);
    assert!(stopped.finished() && stopped.history().len() < 6);
    assert_eq!(Run::from_bytes(&bits(&stopped), &Registry::default()).unwrap(), stopped);
    let never = trained(Recipe { stop_loss: Some(0.0), ..aims });
    assert_eq!(never.history().len(), 6);
}

/// Pairs modulo 7: 49 inputs, of which 30 % are 14.7.
#[test]
fn a_share_of_all_inputs_is_learnt_from_and_the_others_are_held_out() {
    let task: TaskSpec = "modular_arithmetic(p=7)".parse().unwrap();
    let recipe = |seed| Recipe { seed, task: Some(task.clone()), train_share: Some(0.3), ..small() };
    let run = Run::new(recipe(1), &Registry::default()).unwrap();
    assert_eq!((run.recipe().train_size, run.recipe().validation_size), (15, 34));
    let task = Registry::default().task(&task).unwrap();
    let of = |recipe: &Recipe| {
        let (train, validation) = split::draw(&split::sized(recipe.clone(), &*task).unwrap(), &*task).unwrap();
        let rows = |data: &Dataset| data.tokens().outer_iter().map(|row| row.to_vec()).collect::<Vec<_>>();
        (rows(&train), rows(&validation))
    };
    let (train, validation) = of(&recipe(1));
    let mut all = [&train[..], &validation[..]].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 49, "each input is on one side");
    assert_eq!(of(&recipe(1)).0, train);
    assert_ne!(of(&recipe(2)).0, train);
    let few = Recipe { train_size: 5, validation_size: 6, ..recipe(1) };
    let (some, others) = of(&few);
    assert!(some.len() == 5 && some.iter().all(|input| train.contains(input)));
    assert!(others.len() == 6 && others.iter().all(|input| validation.contains(input)));
    let nothing = Recipe { train_share: Some(0.999), ..recipe(1) };
    let said = Run::new(nothing, &Registry::default()).unwrap_err().to_string();
    assert_eq!(said, "validation_size: expected 1 or more, found 0");
}

/// Sets of 4 out of 16 symbols, listed, and of 2 to 8, too many to list.
#[test]
fn inputs_of_one_group_stay_on_one_side() {
    for (task, listed) in [("set_difference(k=3,symbols=8)", true), ("set_completion", false)] {
        let spec: TaskSpec = task.parse().unwrap();
        let task = Registry::default().task(&spec).unwrap();
        let sizes = Recipe { train_size: 300, validation_size: 200, ..small() };
        let recipe = Recipe { task: Some(spec), train_share: Some(0.7), ..sizes };
        let (train, validation) = split::draw(&split::sized(recipe, &*task).unwrap(), &*task).unwrap();
        assert_eq!((train.len(), validation.len()), (300, 200));
        let groups = |data: &Dataset| -> Vec<Vec<Token>> {
            data.tokens().outer_iter().map(|row| task.group(&row.to_vec())).collect()
        };
        let (train, validation) = (groups(&train), groups(&validation));
        assert!(validation.iter().all(|group| !train.contains(group)));
        // Of 56 sets, 39 are learnt.
        let mut sets = train;
        sets.sort();
        sets.dedup();
        assert!(if listed { sets.len() == 39 } else { sets.len() > 200 }, "{}", sets.len());
    }
}
