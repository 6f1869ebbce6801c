//! All inputs, counted, against a loop over them.

use algolens_core::{
    HookedTransformer,
    engine::{Engine, Plain, loss::log_softmax},
    model::{ActFn, Mlp, Model, Normalization},
    task::{ModularArithmetic, Operation, Palindrome, SetCompletion, SetDifference, Task},
    train::Architecture,
};
use algolens_interpret::{Subject, enumerate::Walk};
use ndarray::{Array2, s};

fn model(task: &dyn Task, seed: u64) -> HookedTransformer {
    let shape =
        Architecture { d_model: 8, d_head: 4, normalization_type: Normalization::LN, ..Architecture::default() };
    HookedTransformer::new(Model::init(shape.config(task), seed).unwrap())
}

/// Two blocks with an MLP, whose sequences are multiplied together.
fn deep(task: &dyn Task, seed: u64) -> HookedTransformer {
    let mlp = Some(Mlp { d_mlp: 24, act_fn: ActFn::Relu, gated: false });
    let shape = Architecture { n_layers: 2, d_model: 24, d_head: 12, mlp, ..Architecture::default() };
    HookedTransformer::new(Model::init(shape.config(task), seed).unwrap())
}

/// The plain engine on one input after another, in f64.
#[test]
fn counts_are_those_of_a_loop() {
    let task = Palindrome::new(2, 4).unwrap();
    let transformer = model(&task, 3);
    let exact = transformer.model().cast::<f64>();
    let (mut right, mut loss, mut least) = (0, 0.0, f64::INFINITY);
    for number in 0..625_u32 {
        let input: Vec<u32> = [125, 25, 5, 1].map(|place| number / place % 5).to_vec();
        let example = task.complete(&input).unwrap();
        let tokens = Array2::from_shape_vec((1, example.len()), example).unwrap();
        let logits = Plain::<f64>::new().logits(&exact, tokens.view(), &task.predicted_positions()).unwrap();
        let logits = logits.slice(s![0, 0, ..]);
        let class = usize::from(input[0] == input[3] && input[1] == input[2]);
        let margin = logits[class] - logits[1 - class];
        right += u64::from(margin > 0.0);
        loss -= log_softmax(logits)[class];
        least = f64::min(least, margin);
    }
    let walk = Walk::new(Subject::from(&transformer), &task, 1e-3, 5).unwrap();
    let mut found = walk.begin(0);
    walk.go_on(&mut found, walk.count()).unwrap();
    assert_eq!((found.inputs, found.right, found.is_whole()), (625, right, true));
    assert!(0 < right && right < 625);
    assert!((found.loss - loss / 625.0).abs() < 1e-6);
    assert!((found.least_margin.unwrap().margin - least).abs() < 1e-5);
    assert_eq!(found.wrong.len(), 5);
    // 25 palindromes; a pair differs in 5 · 5 · 4 ways, both in 20 · 20.
    let sizes = |family: usize| found.families[family].members.iter().map(|m| m.inputs).collect::<Vec<_>>();
    assert_eq!((sizes(0), sizes(1)), (vec![25, 100, 100], vec![400]));
    let of_members: u64 = found.families.iter().flat_map(|family| &family.members).map(|member| member.right).sum();
    assert_eq!(of_members, right);
}

/// However inputs are cut into runs, and with whatever slack all is run again, the counts stay.
#[test]
fn cuts_change_no_bit() {
    let (difference, completion, addition) = (
        SetDifference::new(3, 8).unwrap(),
        SetCompletion::new(6, 2, 3).unwrap(),
        ModularArithmetic::new(113, Operation::Add, false).unwrap(),
    );
    let models: [(&dyn Task, HookedTransformer); 3] =
        [(&difference, model(&difference, 1)), (&completion, model(&completion, 1)), (&addition, deep(&addition, 1))];
    for (task, transformer) in &models {
        let task = *task;
        let walk = Walk::new(Subject::from(transformer), task, 1e-3, 7).unwrap();
        let count = walk.count();
        let run = |walk: &Walk, cuts: &[u64]| {
            let mut run = walk.begin(cuts[0]);
            cuts[1..].iter().for_each(|cut| walk.go_on(&mut run, *cut).unwrap());
            run
        };
        let whole = run(&walk, &[0, count]);
        assert_eq!(run(&walk, &[0, 1, 2, count / 3, count / 3 + 5, count]), whole);
        let (mut first, second) = (run(&walk, &[0, count / 2]), run(&walk, &[count / 2, count]));
        let json = serde_json::to_string(&second).unwrap();
        first.join(serde_json::from_str(&json).unwrap()).unwrap();
        assert_eq!(first, whole);
        assert!(first.clone().join(second).is_err());
        let all_again = Walk::new(Subject::from(transformer), task, 1e9, 7).unwrap();
        let again = run(&all_again, &[0, count]);
        assert_eq!((again.right, again.sums), (whole.right, whole.sums));
        assert!(again.close.predictions >= count && again.close.changed == 0);
        assert!(again.close.largest_change > 0.0 && again.close.largest_change < 1e-4);
    }
}
