//! Attacks, against a loop over all inputs.

use algolens_core::{
    HookedTransformer,
    engine::{Engine, Plain},
    model::{Model, Normalization},
    task::{Palindrome, Sum, Task, Token},
    train::Architecture,
};
use algolens_interpret::{
    Subject,
    attack::{Attack, Attacker, Restrictions, attack_members},
};
use ndarray::{Array2, s};
use std::ops::ControlFlow;

fn model(task: &dyn Task, seed: u64) -> HookedTransformer {
    let shape =
        Architecture { d_model: 8, d_head: 4, normalization_type: Normalization::LN, ..Architecture::default() };
    HookedTransformer::new(Model::init(shape.config(task), seed).unwrap())
}

/// The margin of a palindrome model's only answer, by the plain engine in f64.
fn margin(transformer: &HookedTransformer, task: &Palindrome, input: &[Token]) -> f64 {
    let example = task.complete(input).unwrap();
    let tokens = Array2::from_shape_vec((1, example.len()), example).unwrap();
    let exact = transformer.model().cast::<f64>();
    let logits = Plain::<f64>::new().logits(&exact, tokens.view(), &task.predicted_positions()).unwrap();
    let logits = logits.slice(s![0, 0, ..]);
    let class = usize::from(input.iter().eq(input.iter().rev()));
    logits[class] - logits[1 - class]
}

fn every_input() -> impl Iterator<Item = Vec<Token>> {
    (0..625_u32).map(|number| [125, 25, 5, 1].map(|place| number / place % 5).to_vec())
}

fn attack(attacker: &Attacker, work: u64, count: usize) -> Attack {
    attacker.attack(work, count, 1, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn where_all_inputs_can_be_run_the_worst_of_each_kind_is_found() {
    let task = Palindrome::new(2, 4).unwrap();
    let transformer = model(&task, 3);
    let all: Vec<(Vec<Token>, f64)> =
        every_input().map(|input| (input.clone(), margin(&transformer, &task, &input))).collect();
    let attacker = Attacker::new((&transformer).into(), &task, &Restrictions::default()).unwrap();
    let found = attack(&attacker, 625, 10);
    let wrong = all.iter().filter(|(_, margin)| *margin <= 0.0).count();
    assert!(0 < wrong && wrong < 625);
    assert_eq!((found.all, found.tried, found.wrong), (true, 625, wrong as u64));
    // No pair is broken, the outer, the inner, both.
    let broken = |input: &[Token]| (input[0] != input[3], input[1] != input[2]);
    assert_eq!(found.found.len(), 4);
    for kind in [(false, false), (true, false), (false, true), (true, true)] {
        let of_kind = all.iter().filter(|(input, _)| broken(input) == kind);
        let least = of_kind.map(|(_, margin)| *margin).fold(f64::INFINITY, f64::min);
        let found = found.found.iter().find(|found| broken(&found.input) == kind).unwrap();
        assert!((found.margin - least).abs() < 1e-6, "{found:?}, least {least}");
        assert_eq!(found.is_wrong(), found.predicted != found.expected);
    }
}

#[test]
fn what_a_search_finds_is_confirmed_and_of_the_members_asked_for() {
    let task = Palindrome::new(2, 4).unwrap();
    let transformer = model(&task, 5);
    let members = vec![["broken_pair".to_owned(), "2".to_owned()]];
    let restrictions = Restrictions { position: Some(5), members };
    let attacker = Attacker::new((&transformer).into(), &task, &restrictions).unwrap();
    let found = attack(&attacker, 400, 3);
    assert!(!found.all && (400..800).contains(&found.tried));
    let [worst] = &found.found[..] else { panic!("one kind is asked for: {:?}", found.found) };
    assert!(worst.input[0] == worst.input[3] && worst.input[1] != worst.input[2]);
    assert!((worst.margin - margin(&transformer, &task, &worst.input)).abs() < 1e-12);
    // 100 inputs are of the member: a search of 400 has come across the worst.
    let of_member = every_input().filter(|input| input[0] == input[3] && input[1] != input[2]);
    let least = of_member.map(|input| margin(&transformer, &task, &input)).fold(f64::INFINITY, f64::min);
    assert!((worst.margin - least).abs() < 1e-12, "{} and {least}", worst.margin);
}

/// Of 25 million sums a search sees few, and those that descent finds are worse than as many random ones.
#[test]
fn descent_finds_worse_inputs_than_as_many_draws() {
    let task = Sum::new(4).unwrap();
    for seed in 0..3 {
        let transformer = model(&task, seed);
        let subject = Subject::from(&transformer);
        let attacker = Attacker::new(subject, &task, &Restrictions::default()).unwrap();
        let found = attack(&attacker, 20_000, 1);
        let again = attack(&attacker, 20_000, 1);
        assert_eq!(found.found, again.found);
        let mut rng = algolens_core::random::stream(7, "test/draws");
        let data = algolens_core::task::Dataset::generate(&task, 40_000, &mut rng).unwrap();
        let logits = subject.engine.logits(subject.model, data.tokens(), data.positions()).unwrap();
        let classes = data.classes().unwrap();
        let rows = logits.rows().into_iter().zip(classes.iter());
        let least = rows.map(|(row, class)| {
            let other = |at: &usize| *at != *class as usize;
            let largest = (0..row.len()).filter(other).map(|at| row[at]).fold(f32::NEG_INFINITY, f32::max);
            row[*class as usize] - largest
        });
        let least = f64::from(least.fold(f32::INFINITY, f32::min));
        assert!(found.found[0].margin < least, "{} and {least}", found.found[0].margin);
    }
}

#[test]
fn the_fewest_changes_are_those_of_a_loop_over_all_inputs() {
    let task = Palindrome::new(2, 4).unwrap();
    let transformer = model(&task, 3);
    let attacker = Attacker::new((&transformer).into(), &task, &Restrictions::default()).unwrap();
    let one_change = |a: &[Token], b: &[Token]| {
        let differ: Vec<usize> = (0..4).filter(|at| a[*at] != b[*at]).collect();
        match differ[..] {
            [_] => true,
            [i, j] => a[i] == b[j] && a[j] == b[i],
            _ => false,
        }
    };
    let all: Vec<Vec<Token>> = every_input().collect();
    let is_wrong = |input: &[Token]| margin(&transformer, &task, input) <= 0.0;
    let wrong: Vec<bool> = all.iter().map(|input| is_wrong(input)).collect();
    let near = |of: &[Token]| -> Vec<usize> { (0..625).filter(|at| one_change(of, &all[*at])).collect() };
    let mut seen = [0; 3];
    for (input, _) in all.iter().zip(&wrong).filter(|(_, wrong)| !**wrong).step_by(7) {
        let first = near(input);
        let second = || first.iter().flat_map(|at| near(&all[*at])).any(|at| wrong[at]);
        let expected = if first.iter().any(|at| wrong[*at]) {
            1
        } else if second() {
            2
        } else {
            3
        };
        let found = attacker.fewest_changes(input, 2, u64::MAX).unwrap();
        assert_eq!((found.changes, found.found.is_some()), (expected, expected < 3), "{input:?}");
        seen[expected - 1] += 1;
        if let Some(found) = found.found {
            assert!(is_wrong(&found.input));
        }
    }
    assert!(seen[0] > 0, "{seen:?}");
    let of_wrong = all.iter().zip(&wrong).find(|(_, wrong)| **wrong).unwrap().0;
    assert!(attacker.fewest_changes(of_wrong, 2, u64::MAX).is_err());
    assert!(attacker.fewest_changes(&[0, 1], 2, u64::MAX).is_err());
}

#[test]
fn members_are_attacked_one_by_one() {
    let task = Palindrome::new(2, 4).unwrap();
    let transformer = model(&task, 3);
    let members =
        attack_members((&transformer).into(), &task, 50, 4000, 0, &mut |_| ControlFlow::Continue(())).unwrap();
    let names: Vec<_> = members.iter().map(|member| (&*member.family, &*member.sampled.name)).collect();
    let one = ["none", "1", "2"].map(|name| ("broken_pair", name));
    assert_eq!(names, [&one[..], &[("broken_pairs", "1+2")]].concat());
    for member in &members {
        let found = &member.attack.as_ref().unwrap().found[0];
        let of = found.families.iter().find(|of| of.family == member.family).unwrap();
        assert_eq!(of.member, member.sampled.name);
        assert!(member.sampled.wrong.is_none() || found.is_wrong());
    }
}

#[test]
fn restrictions_name_what_there_is() {
    let task = Palindrome::new(2, 4).unwrap();
    let transformer = model(&task, 3);
    let refused = |restrictions: &Restrictions| match Attacker::new((&transformer).into(), &task, restrictions) {
        Ok(_) => panic!("{restrictions:?}"),
        Err(error) => error.to_string(),
    };
    let member = |names: [&str; 2]| Restrictions { members: vec![names.map(String::from)], position: None };
    assert_eq!(refused(&member(["pair", "1"])), "family: expected broken_pair, broken_pairs, found pair");
    assert_eq!(refused(&member(["broken_pair", "3"])), "member of broken_pair: expected none, 1, 2, found 3");
    let position = Restrictions { position: Some(4), members: Vec::new() };
    assert_eq!(refused(&position), "position: expected one that predicts: 5, found 4");
}
