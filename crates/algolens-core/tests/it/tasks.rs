//! The library's tasks: examples, inputs and answers, some against examples of their authors.

use algolens_core::{
    model::Model,
    random,
    task::{Caesar, Dataset, Palindrome, Registry, RightView, Role, Task, TaskSpec, Token},
    train::Run,
};
use algolens_testing::reference;
use ndarray::Array2;
use rand::seq::SliceRandom;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

fn task(spec: &str) -> Arc<dyn Task> {
    Registry::default().task(&spec.parse().unwrap()).unwrap()
}

/// Every task with its defaults, and those whose options make them another kind of task.
fn all() -> Vec<Arc<dyn Task>> {
    let registry = Registry::default();
    let mut all: Vec<_> = registry.defaults().map(|(spec, _)| registry.task(&spec).unwrap()).collect();
    let others = [
        "sorted_list(list_len=5,max_value=63,bos=true)",
        "caesar(level=medium)",
        "trigrams(length=20,symbols=30,set=1)",
        "max_of_list(len=5,digits=2)",
        "max_of_list(len=4,max=63,separators=false)",
        "modular_arithmetic(p=7,op=div,equals_class=true)",
        "modular_arithmetic(p=9,op=sub)",
        "group(of=D5)",
        "histogram(bos=true)",
        "dyck(kinds=3,depth=2,len=8)",
        "set_completion(k_min=1,k_max=1)",
        "balanced_brackets(max_len=2,balanced=1)",
    ];
    all.extend(others.map(task));
    let text = "It was the best of times, it was the worst of times;\nit was the age of wisdom, it was the age of foolishness!";
    all.push(Arc::new(Caesar::hard(4, text).unwrap()));
    all
}

/// What a task that calls itself permutation-invariant promises, and which do.
#[test]
fn order_makes_no_difference_where_a_task_says_so() {
    let mut invariant = Vec::new();
    for task in all().into_iter().filter(|task| task.is_permutation_invariant()) {
        let mut rng = random::from_dataset_seed(2);
        let (roles, families) = (task.roles(), task.families());
        let data = Dataset::generate(&*task, 100, &mut rng).unwrap();
        for example in data.tokens().outer_iter().map(|example| example.to_vec()) {
            let mut input = task.input(&example);
            input.shuffle(&mut rng);
            let other = task.complete(&input).unwrap();
            let [fixed, permuted] = [&example, &other].map(|example| {
                let fixed = example.iter().zip(&roles).filter(|(_, role)| **role != Role::Input);
                fixed.map(|(token, _)| *token).collect::<Vec<_>>()
            });
            assert_eq!(fixed, permuted, "{}", task.spec());
            assert_eq!(task.targets(&example), task.targets(&other), "{}", task.spec());
            for family in families.iter().filter(|family| family.tells()) {
                assert_eq!(family.member_of(&example), family.member_of(&other), "{}", task.spec());
            }
        }
        assert!(task.inputs().unwrap().multisets().is_some(), "{}", task.spec());
        invariant.push(task.spec().to_string());
    }
    assert_eq!(invariant.len(), 3, "{invariant:?}");
}

#[test]
fn examples_are_drawn_of_their_kind_and_come_from_their_inputs() {
    for task in all() {
        let spec = task.spec();
        // Targets that do not fit are refused.
        let data = Dataset::generate(&*task, 200, &mut random::from_dataset_seed(1)).unwrap();
        assert!(data.targets().total_weight() > 0.0, "{spec}");
        assert_eq!(task.roles().len(), task.n_ctx(), "{spec}");
        for example in data.tokens().outer_iter() {
            let example = example.to_vec();
            task.validate(&example).unwrap();
            let input = task.input(&example);
            assert_eq!(task.complete(&input).unwrap(), example, "{spec}: {input:?}");
            let wrong = [&example[..], &example[..1]].concat();
            assert!(task.validate(&wrong).is_err(), "{spec}: {wrong:?}");
            let mut foreign = example.clone();
            foreign[task.n_ctx() - 1] = task.token_labels().len() as Token;
            assert!(task.validate(&foreign).is_err(), "{spec}: {foreign:?}");
        }
        // A run reads what a checkpoint writes of its task.
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<TaskSpec>(&json).unwrap(), spec, "{json}");
        if spec.name != "caesar" || spec.options["level"] != "hard" {
            assert_eq!(Registry::default().task(&spec.to_string().parse().unwrap()).unwrap().spec(), spec);
        }
    }
}

#[test]
fn nonsense_is_refused_and_never_panics() {
    for task in all() {
        for length in 0..=task.n_ctx() + 1 {
            for token in [0, 1, task.token_labels().len() as Token - 1, 1 << 20, Token::MAX] {
                let nonsense = vec![token; length];
                let (validated, completed) = (task.validate(&nonsense), task.complete(&nonsense));
                for error in [validated.err(), completed.err()].into_iter().flatten() {
                    assert_eq!(error.to_string().lines().count(), 1, "{error}");
                }
            }
        }
        for text in ["", ",", "§", "1,2", "a b", "(", "9999999999999999999999", "-1 -2", "1+2=3", "\n"] {
            let _ = task.parse_input(text);
        }
    }
}

/// What the labels of an input say is the input.
#[test]
fn inputs_are_written_as_they_are_called() {
    for (spec, text) in [
        ("palindrome(half_length=2,max_value=9)", "1,2,2,1"),
        ("first_unique(length=4)", "abca"),
        ("sum(digits=4)", "2968+1606"),
        ("sum(digits=4)", "7 46"),
        ("cumulative_sum(length=3)", "-5 0,5"),
        ("caesar(words=1)", "lzw"),
        ("balanced_brackets", "(())()"),
        ("max_of_list(len=3,digits=2)", "7 99,0"),
        ("max_of_list(len=3,max=63,separators=false)", "7 63,0"),
        ("count_unique(len=4)", "jabb"),
        ("set_difference(k=3)", "pab bp"),
        ("set_completion", "ab ba"),
        ("longest_cycle(n=3)", "2 0 1"),
        ("modular_arithmetic", "112,5"),
        ("group(of=S3)", "213,132"),
        ("induction", "abc"),
        ("associative_recall(pairs=2)", "a 3 b 7 a"),
        ("histogram(len=3)", "0,31 0"),
        ("dyck(len=4)", "([])"),
    ] {
        let task = task(spec);
        let input = task.parse_input(text).unwrap_or_else(|error| panic!("{spec}: {error}"));
        let example = task.complete(&input).unwrap_or_else(|error| panic!("{spec}: {error}"));
        assert_eq!(task.input(&example), input, "{spec}");
    }
}

/// The inputs of small tasks are all there are: those of all sequences that are inputs.
#[test]
fn every_input_is_counted_once() {
    for (spec, lengths, vocabulary) in [
        ("sorted_list(list_len=2,max_value=3,bos=true)", 2..=2, 4),
        ("palindrome(half_length=1,max_value=3)", 2..=2, 4),
        ("first_unique(length=3,symbols=3)", 3..=3, 3),
        ("sum(digits=1)", 2..=2, 10),
        ("cumulative_sum(length=2)", 2..=2, 11),
        ("max_of_list(len=3,max=3)", 3..=3, 4),
        ("max_of_list(len=2,digits=2,max=20)", 4..=4, 10),
        ("count_unique(len=3,symbols=3)", 3..=3, 3),
        ("set_difference(k=3,symbols=4)", 5..=5, 4),
        ("set_completion(symbols=3,k_min=1,k_max=2)", 0..=5, 3),
        ("longest_cycle(n=3)", 3..=3, 3),
        ("modular_arithmetic(p=5)", 2..=2, 5),
        ("modular_arithmetic(p=5,op=div)", 2..=2, 5),
        ("group(of=S3)", 2..=2, 6),
        ("histogram(len=3,symbols=3)", 3..=3, 3),
    ] {
        let task = task(spec);
        let mut expected = BTreeSet::new();
        for length in lengths {
            let mut sequences: Vec<Vec<Token>> = vec![vec![]];
            for _ in 0..length {
                let longer =
                    |begun: &Vec<Token>| (0..vocabulary).map(|t| [&begun[..], &[t]].concat()).collect::<Vec<_>>();
                sequences = sequences.iter().flat_map(longer).collect();
            }
            expected.extend(sequences.into_iter().filter(|input| task.complete(input).is_ok()));
        }
        let inputs = task.inputs().unwrap();
        assert_eq!(inputs.count(), expected.len() as u128, "{spec}");
        assert_eq!(inputs.iter().collect::<BTreeSet<_>>(), expected, "{spec}");
    }
    for (spec, count) in [
        ("sum", 25_000_000),
        ("set_difference", 1_048_320),
        ("modular_arithmetic", 12_769),
        ("modular_arithmetic(op=div)", 113 * 112),
        ("max_of_list", 100_000),
        ("max_of_list(digits=2)", 10_000_000_000),
        // Σ K! · 16! / (16 − K)! of K from 2 to 5.
        ("set_completion(k_max=5)", 480 + 20_160 + 1_048_320 + 62_899_200),
    ] {
        assert_eq!(task(spec).inputs().unwrap().count(), count, "{spec}");
    }
}

fn classes(task: &dyn Task, example: &[Token]) -> Vec<Token> {
    match task.targets(example).view().right {
        RightView::Classes(classes) => classes.iter().copied().collect(),
        other => panic!("classes, not {other:?}"),
    }
}

/// Sets and distributions, worked out by hand.
#[test]
fn several_answers_may_be_right() {
    let dyck = task("dyck(kinds=2,depth=2,len=6)");
    let example = dyck.complete(&dyck.parse_input("([])()").unwrap()).unwrap();
    let targets = dyck.targets(&example);
    let RightView::Sets(sets) = targets.view().right else { panic!("sets") };
    let said: Vec<String> = sets
        .index_axis(ndarray::Axis(0), 0)
        .outer_iter()
        .map(|set| "()[]".chars().zip(set).filter(|(_, right)| **right).map(|(c, _)| c).collect())
        .collect();
    // After "(" anything opens or it closes; within two brackets only the last closes; at the end too.
    assert_eq!(said, ["()[", "]", "()[", "([", ")"]);

    let left = task("set_completion(symbols=4,k_min=2,k_max=3)");
    let example = left.complete(&[2, 0, 0, 2]).unwrap();
    assert_eq!(example, [4, 2, 0, 5, 0, 2, 6, 6, 6]);
    let targets = left.targets(&example);
    let RightView::Distributions(probs) = targets.view().right else { panic!("distributions") };
    assert_eq!(left.predicted_positions(), [3, 4, 5, 6, 7]);
    let expected: Array2<f32> = ndarray::array![
        [0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        [0.0; 7],
        [0.0; 7],
    ];
    assert_eq!(probs.index_axis(ndarray::Axis(0), 0), expected);
    assert_eq!(targets.weights.unwrap(), ndarray::array![[1.0, 1.0, 1.0, 0.0, 0.0]]);
}

/// Examples whose answers are seen at a glance.
#[test]
fn answers_are_right() {
    for (spec, text, expected) in [
        ("first_unique(length=6,symbols=3)", "aabcbc", &[3, 0, 3, 1, 1, 2, 3][..]),
        ("cumulative_sum(length=4)", "1,-3,2,5", &[2, 0, 1, 2]),
        ("sum(digits=2)", "49+27", &[7, 6]),
        ("sum(digits=3)", "499+001", &[5, 0, 0]),
        ("max_of_list(len=3,digits=2)", "7,81,80", &[8, 1, 13]),
        ("count_unique(len=5,symbols=4)", "abbca", &[4 + 2 + 2]),
        ("set_difference(k=3)", "pab bp", &[0]),
        ("longest_cycle(n=5)", "1,0,3,4,2", &[2]),
        ("modular_arithmetic(p=7,op=sub)", "2,5", &[4]),
        ("modular_arithmetic(p=7,op=mul)", "3,5", &[1]),
        ("modular_arithmetic(p=7,op=div)", "1,5", &[3]),
        ("group(of=C5)", "3,4", &[2]),
        ("associative_recall(pairs=2,keys=4)", "b 3 a 7 b", &[3]),
        ("histogram(len=4,symbols=4)", "abba", &[1, 1, 1, 1]),
        ("balanced_brackets", "())(", &[0]),
        ("balanced_brackets", "(()", &[0]),
        ("balanced_brackets", "(())()", &[1]),
    ] {
        let task = task(spec);
        let example = task.complete(&task.parse_input(text).unwrap()).unwrap();
        assert_eq!(classes(&*task, &example), expected, "{spec}: {text}");
    }
    let induction = task("induction(len=8)");
    let example = induction.complete(&[5, 0, 9]).unwrap();
    assert_eq!(example, [5, 0, 9, 5, 0, 9, 5, 0]);
    let targets = induction.targets(&example);
    assert_eq!(classes(&*induction, &example)[1..], [0, 9, 5, 0, 9]);
    assert_eq!(targets.weights.unwrap(), ndarray::array![[0.0, 1.0, 1.0, 1.0, 1.0, 1.0]]);
}

/// The examples that the authors' generators drew, and their labels.
#[test]
fn their_authors_examples_have_the_answers_that_their_authors_gave() {
    for (folder, model, spec) in [
        ("palindromes_berlin", None, "palindrome"),
        ("cumsum", None, "cumulative_sum"),
        ("caesar", Some("caesar_cipher_model_easy.pt"), "caesar"),
        ("caesar", Some("caesar_cipher_model_medium.pt"), "caesar(level=medium)"),
        ("max_of_list", None, "max_of_list"),
        ("longest_cycle", None, "longest_cycle"),
        ("modular_addition", Some("wd_10-1_mod_addition_loss_curve.pth"), "modular_arithmetic"),
        ("sum", None, "sum"),
        ("first_unique", None, "first_unique"),
        ("palindromes", None, "palindrome"),
        ("trigrams", None, "trigrams"),
        ("brackets", None, "balanced_brackets"),
        ("one_head_sorting", None, "sorted_list(list_len=5,max_value=63,bos=true)"),
    ] {
        let Some(path) = reference(&format!("{folder}/expected.json")) else { return };
        let expected: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let of_model = model.map_or(&expected, |model| &expected["models"][model]);
        let task = task(spec);
        let rows: Vec<Vec<Token>> = serde_json::from_value(of_model["tokens"].clone()).unwrap();
        assert_eq!(rows.len(), 8);
        for (at, row) in rows.iter().enumerate() {
            task.validate(row).unwrap_or_else(|error| panic!("{spec}: {error}"));
            let right = classes(&*task, row);
            match &of_model["label_tokens"][at] {
                Value::Null => {}
                Value::Array(labels) => {
                    assert_eq!(
                        right,
                        labels.iter().map(|l| l.as_u64().unwrap() as Token).collect::<Vec<_>>(),
                        "{spec}"
                    );
                }
                label => assert!(right.iter().all(|class| Some(u64::from(*class)) == label.as_u64()), "{spec}"),
            }
        }
    }
    let Some(path) = reference("brackets/brackets_1000.json") else { return };
    let strings: Vec<(String, bool)> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let brackets = task("balanced_brackets");
    for (string, balanced) in strings {
        let example = brackets.complete(&brackets.parse_input(&string).unwrap()).unwrap();
        assert_eq!(classes(&*brackets, &example), [Token::from(balanced)], "{string}");
    }
}

#[test]
fn families_are_of_inputs_of_their_task() {
    for task in all() {
        let spec = task.spec();
        let families = task.families();
        let ids: BTreeSet<&str> = families.iter().map(|family| family.id).collect();
        assert_eq!(ids.len(), families.len(), "{spec}");
        for family in &families {
            let mut drawn = 0;
            for (at, member) in family.members.iter().enumerate() {
                let inputs = member.draw(3, &mut random::stream(1, "test/family"));
                assert_eq!(inputs, member.draw(3, &mut random::stream(1, "test/family")), "{spec}: {}", member.name);
                for input in &inputs {
                    let made = task.complete(input);
                    let made = made.unwrap_or_else(|error| panic!("{spec}: {} {input:?}: {error}", member.name));
                    let told = family.member_of(&made);
                    assert!(!family.tells() || told == Some(at), "{spec}: {} {input:?}: {told:?}", member.name);
                }
                drawn += inputs.len();
            }
            // Some are too rare to be drawn, or not drawn by the task's options.
            assert!(drawn >= 3, "{spec}: {family:?}: {drawn}");
        }
    }
}

/// What the members' names say, of those that are made rather than found.
#[test]
fn members_are_as_they_are_called() {
    let palindrome = Palindrome::new(10, 30).unwrap();
    for family in palindrome.families() {
        for member in &family.members {
            for input in member.draw(20, &mut random::stream(2, "test/members")) {
                let broken = palindrome.broken_pairs(&palindrome.complete(&input).unwrap());
                let broken: Vec<String> = broken.iter().map(usize::to_string).collect();
                assert_eq!(if broken.is_empty() { "none".into() } else { broken.join("+") }, member.name);
            }
        }
    }
    for spec in ["max_of_list(len=4,max=12,digits=2)", "max_of_list(len=4,max=12,separators=false)"] {
        let task = task(spec);
        let digits = if spec.contains("digits") { 2 } else { 1 };
        for family in task.families() {
            for member in &family.members {
                for input in member.draw(20, &mut random::stream(3, "test/members")) {
                    let list: Vec<u32> = input.chunks(digits).map(|d| d.iter().fold(0, |n, d| 10 * n + d)).collect();
                    let max = *list.iter().max().unwrap();
                    let times = list.iter().filter(|number| **number == max).count() as u32;
                    let found = if family.id == "maximum" { max } else { times };
                    assert_eq!(found.to_string(), member.name, "{spec} {}: {list:?}", family.id);
                }
            }
        }
    }
}

/// Counts of all inputs that `expected.json` gives, or that combinatorics does.
#[test]
fn all_inputs_have_the_answers_that_were_counted() {
    let counts = |spec: &str| -> Vec<usize> {
        let task = task(spec);
        let mut counts = vec![0; task.output_labels().len()];
        let inputs = task.inputs().unwrap();
        inputs.iter().for_each(|input| counts[classes(&*task, &task.complete(&input).unwrap())[0] as usize] += 1);
        counts
    };
    assert_eq!(counts("longest_cycle"), [125, 93, 32, 6]);
    let maxima: Vec<usize> = (0..10_usize).map(|v| (v + 1).pow(5) - v.pow(5)).collect();
    assert_eq!(counts("max_of_list")[..10], maxima);
    assert_eq!(counts("modular_arithmetic(p=11,op=mul)"), [21, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10]);
    // Surjections: S(4, k) · k! · C(3, k).
    assert_eq!(counts("count_unique(len=4,symbols=3)")[5..], [3, 42, 36]);
}

/// Every recipe makes a run of a model that is as its task wants it.
#[test]
fn recipes_are_recipes() {
    for task in all().into_iter().filter(|task| task.spec().name != "caesar") {
        let recipe = Registry::default().recipe(&task.spec()).unwrap();
        assert_eq!(recipe.task, Some(task.spec()));
        let config = recipe.model.config(&*task);
        assert_eq!((config.attention_dir, config.pad_token), (task.attention_dir(), task.pad_token()));
        Run::new(recipe, &Registry::default()).unwrap_or_else(|error| panic!("{}: {error}", task.spec()));
    }
    let set_difference = task("set_difference");
    let recipe = Registry::default().recipe(&set_difference.spec()).unwrap();
    let model = Model::<f32>::init(recipe.model.config(&*set_difference), 0).unwrap();
    assert_eq!(model.params.values().len(), 108, "the published model");
}
