//! All inputs, counted, against a loop over them.

use algolens_core::{
    HookedTransformer,
    engine::{Engine, Plain, loss::log_softmax},
    model::{ActFn, AttentionDir, Mlp, Model, Normalization, Positions},
    task::{
        CountUnique, Dataset, Histogram, MaxOfList, ModularArithmetic, Operation, Palindrome, SetCompletion,
        SetDifference, Task,
    },
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

/// A model without positions, `layers` deep.
fn without_positions(task: &dyn Task, direction: AttentionDir, layers: usize, seed: u64) -> HookedTransformer {
    let shape = Architecture {
        n_layers: layers,
        d_model: 8,
        d_head: 4,
        attention_dir: Some(direction),
        positional_embedding_type: Positions::None,
        ..Architecture::default()
    };
    let mut model = Model::init(shape.config(task), seed).unwrap();
    // Weights that are large enough for attention to be far from even.
    model.params.values_mut().iter_mut().for_each(|weight| *weight *= 3.0);
    HookedTransformer::new(model)
}

/// One order of each multiset stands for all orders: every input, run by the plain engine in f64, gives the same counts.
#[test]
fn multisets_count_every_order() {
    let (unique, largest) = (CountUnique::new(5, 4).unwrap(), MaxOfList::new(4, 5, 1, true).unwrap());
    let cases: [(&dyn Task, AttentionDir, usize, u64); 4] = [
        (&unique, AttentionDir::Causal, 1, 56),
        (&unique, AttentionDir::Bidirectional, 3, 56),
        (&largest, AttentionDir::Causal, 1, 126),
        (&largest, AttentionDir::Bidirectional, 2, 126),
    ];
    let mut right_of = 0;
    for ((task, direction, layers, multisets), seed) in
        cases.into_iter().flat_map(|case| (0..8).map(move |s| (case, s)))
    {
        let transformer = without_positions(task, direction, layers, seed);
        let walk = Walk::new(Subject::from(&transformer), task, 1e-3, 3).unwrap();
        assert!(walk.by_multisets());
        let mut found = walk.begin(0);
        [3, 10, walk.count()].iter().for_each(|to| walk.go_on(&mut found, *to).unwrap());
        assert_eq!((found.ran, found.to_run, found.is_whole()), (multisets, multisets, true));
        found.check().unwrap();

        let inputs: Vec<_> = task.inputs().unwrap().iter().collect();
        let data = Dataset::from_inputs(task, &inputs).unwrap();
        let exact = transformer.model().cast::<f64>();
        let logits = Plain::<f64>::new().logits(&exact, data.tokens(), data.positions()).unwrap();
        let (mut right, mut loss, mut least) = (0, 0.0, f64::INFINITY);
        let families = task.families();
        let mut members: Vec<[u64; 2]> = vec![[0; 2]; families[0].members.len()];
        for ((example, logits), classes) in
            data.tokens().outer_iter().zip(logits.outer_iter()).zip(data.targets().classes().unwrap().outer_iter())
        {
            let margins = logits.outer_iter().zip(classes).map(|(logits, class)| {
                let others = logits.iter().enumerate().filter(|(other, _)| other != &(*class as usize));
                logits[*class as usize] - others.map(|(_, logit)| *logit).fold(f64::NEG_INFINITY, f64::max)
            });
            let margin = margins.fold(f64::INFINITY, f64::min);
            loss -= logits.outer_iter().zip(classes).map(|(row, class)| log_softmax(row)[*class as usize]).sum::<f64>();
            least = f64::min(least, margin);
            right += u64::from(margin > 0.0);
            if let Some(member) = families[0].member_of(example.to_slice().unwrap()) {
                members[member][0] += 1;
                members[member][1] += u64::from(margin > 0.0);
            }
        }
        assert_eq!((found.inputs, found.of, found.right), (inputs.len() as u64, inputs.len() as u64, right));
        let counted: Vec<_> = found.families[0].members.iter().map(|member| [member.inputs, member.right]).collect();
        assert_eq!(counted, members);
        let loss = loss / data.targets().total_weight();
        assert!((found.loss - loss).abs() < 1e-5 * loss, "{} instead of {loss}", found.loss);
        assert!((found.least_margin.unwrap().margin - least).abs() < 1e-4);
        assert!(found.wrong.iter().all(|wrong| wrong.input.is_sorted()));
        right_of += right;
    }
    assert!(right_of > 100, "{right_of} inputs are right");
}

/// Where order makes a difference every input is run: blocks behind the first of a causal model, positions, a query that is a
/// part of the list, a task that asks more than the multiset.
#[test]
fn order_counts_where_a_model_can_see_it() {
    let unique = CountUnique::new(5, 4).unwrap();
    let deep = without_positions(&unique, AttentionDir::Causal, 2, 5);
    let orders = [[0, 0, 1, 2, 3], [3, 2, 1, 0, 0]].map(|input| input.to_vec());
    let data = Dataset::from_inputs(&unique, &orders).unwrap();
    let logits = deep.engine().logits(deep.model(), data.tokens(), data.positions()).unwrap();
    assert!((&logits.slice(s![0, .., ..]) - &logits.slice(s![1, .., ..])).iter().any(|change| change.abs() > 0.01));
    let last = MaxOfList::new(4, 5, 1, false).unwrap();
    let histogram = Histogram::new(3, 4, false).unwrap();
    for (task, transformer) in [
        (&unique as &dyn Task, &deep),
        (&unique, &model(&unique, 1)),
        (&last, &without_positions(&last, AttentionDir::Causal, 1, 1)),
        (&histogram, &without_positions(&histogram, AttentionDir::Bidirectional, 1, 1)),
    ] {
        let walk = Walk::new(Subject::from(transformer), task, 1e-3, 3).unwrap();
        assert!(!walk.by_multisets(), "{}", task.spec());
        assert_eq!(u128::from(walk.count()), task.inputs().unwrap().count());
    }
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
