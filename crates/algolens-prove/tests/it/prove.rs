//! Proofs against every list there is, on models small enough to run them all.

use crate::cases::{Enumerated, Kind, SLACK, certificate, kinds, largest_kinds, posts_model, train};
use algolens_check::certificate::{Class, Status};
use algolens_core::{
    engine::{Backend, Engine, Plain, Vectors},
    model::Model,
    random,
    task::{Dataset, SortedList, Task, Token},
};
use algolens_prove::{self as prove, Classes, Origin, Search, Tables};
use algolens_testing::{SortingKind, random_sorting_model};
use std::{collections::HashMap, ops::ControlFlow};

/// Advances a search until so much work is done, and holds all it says against every list.
fn check<T: Task>(case: &Enumerated<T>, search: &mut Search, work: u64) {
    advance_to(search, work);
    let classes = search.classes().clone();
    let decided = search.decided();
    for ((class, decided), worst) in
        classes.all().iter().zip(&decided).zip(search.worst().iter().chain(std::iter::repeat(&None)))
    {
        let (right, wrong) = (case.share(class, |m| m > SLACK), case.share(class, |m| m < -SLACK));
        let least = case.margins[class].iter().copied().fold(f64::INFINITY, f64::min);
        assert!(decided.right <= right + 1e-9, "{class:?}: {decided:?}, {right} are right");
        assert!(decided.wrong <= wrong + 1e-9, "{class:?}: {decided:?}, {wrong} are wrong");
        match decided.status {
            Status::Certified => assert!(least > SLACK, "{class:?} is certified, a margin is {least}"),
            Status::Refuted => assert!(least < 0.0, "{class:?} is refuted, the least margin is {least}"),
            Status::Undecided => {}
        }
        if let Some(worst) = worst {
            assert!(worst.margin >= least - 1e-9, "{class:?}: {worst:?}, the least margin is {least}");
            let found = (case.classes_of)(&case.task, &worst.list)[worst.position];
            assert_eq!(found, *class);
        }
        if search.finished() {
            assert!((decided.right - right).abs() < 1e-9, "{class:?}: {decided:?}, {right} are right");
            assert!((decided.wrong - wrong).abs() < 1e-9, "{class:?}: {decided:?}, {wrong} are wrong");
        }
    }
    let bounds = prove::accuracy_bounds(&classes, &decided);
    for ([lower, upper], true_accuracy) in [bounds.token, bounds.list].into_iter().zip(case.accuracy) {
        assert!(lower <= true_accuracy + 1e-9 && true_accuracy <= upper + 1e-9, "{bounds:?}, {:?}", case.accuracy);
    }
    if search.finished() {
        let near: usize = case.margins.values().flatten().filter(|margin| margin.abs() <= SLACK).count();
        let all: usize = case.margins.values().map(Vec::len).sum();
        let [lower, upper] = bounds.token;
        assert!((upper - lower - near as f64 / all as f64).abs() < 1e-9, "{bounds:?}, {near} of {all}");
    }
}

/// How far along a search has to be right: at its roots, on the way, at its end.
const WORK: [u64; 3] = [1, 20_000, u64::MAX];

/// Searches to the end, and holds all it says on the way against every list; the number of classes by status.
fn check_search<T: Task>(case: &Enumerated<T>) -> HashMap<Status, usize> {
    let tables = Tables::of(&case.model, &case.task).unwrap();
    let mut search = Search::new(&tables, Classes::of(&case.task).unwrap(), SLACK).unwrap();
    for work in WORK {
        check(case, &mut search, work);
        let bytes = search.to_bytes(&case.model).unwrap();
        search = Search::from_bytes(&bytes, &tables, Classes::of(&case.task).unwrap(), &case.model).unwrap();
    }
    assert!(search.finished());
    println!("accuracy {:?}, work {}", case.accuracy, search.work());
    let mut statuses = HashMap::new();
    search.decided().iter().for_each(|decided| *statuses.entry(decided.status).or_default() += 1);
    statuses
}

/// A search in parts, each of its own classes: on the way and at its end it says what holds of every list, and `check` accepts
/// what comes of it.
#[test]
fn parts_of_a_search_come_to_one_certificate() {
    let kinds = kinds();
    for (kind, of) in kinds.iter().zip([3, 2, 5, 7]) {
        let case = Enumerated::of(kind, 0);
        let tables = Tables::of(&case.model, &case.task).unwrap();
        let classes = Classes::of(&case.task).unwrap();
        let mut whole = Search::new(&tables, classes.clone(), SLACK).unwrap();
        advance_to(&mut whole, u64::MAX);
        for work in WORK {
            let mut parts: Vec<Search> =
                (0..of).map(|part| Search::new(&tables, classes.part(part, of), SLACK).unwrap()).collect();
            parts.iter_mut().for_each(begin_all);
            let certified: Vec<_> = parts.iter().flat_map(Search::certified_at_root).collect();
            let mut parts: Vec<Search> = parts.into_iter().map(|part| part.as_part(of, &certified)).collect();
            parts.iter_mut().for_each(|part| advance_to(part, work));
            // As a cluster does it.
            let bytes: Vec<Vec<u8>> = parts.iter().map(|part| part.to_bytes(&case.model).unwrap()).collect();
            let read = |(part, bytes): (usize, &Vec<u8>)| {
                Search::from_bytes(bytes, &tables, classes.part(part, of), &case.model)
            };
            let parts: Vec<Search> = bytes.iter().enumerate().map(read).collect::<Result<_, _>>().unwrap();
            let sum: u64 = parts.iter().map(Search::work).sum();
            let mut joined = Search::joined(&tables, classes.clone(), parts).unwrap();
            assert_eq!(joined.work(), sum);
            // Nothing is left to be done: it is held against every list as it is.
            check(&case, &mut joined, 0);
            assert!(joined.finished() || work < u64::MAX);
            if joined.finished() {
                let statuses = |search: &Search| search.decided().iter().map(|found| found.status).collect::<Vec<_>>();
                assert_eq!(statuses(&joined), statuses(&whole));
            }
            let origin = Origin {
                model: &case.model,
                processing: &[],
                task: &case.task,
                sampled_lists: 100,
                counterexamples: true,
                provenance: None,
            };
            let certificate = prove::certificate(&joined, &origin).unwrap();
            algolens_check::check(&certificate, &case.model, &Plain::new(), &mut |_| ControlFlow::Continue(()))
                .unwrap();
        }
    }
}

fn advance_to(search: &mut Search, work: u64) {
    while !search.finished() && search.work() < work {
        search.advance();
    }
}

fn begin_all(search: &mut Search) {
    while !search.has_begun_all() {
        search.advance();
    }
}

#[test]
fn parts_that_are_not_of_one_search_are_refused() {
    let case = Enumerated::of(&kinds()[1], 0);
    let tables = Tables::of(&case.model, &case.task).unwrap();
    let classes = Classes::of(&case.task).unwrap();
    let part = |part, slack| Search::new(&tables, classes.part(part, 2), slack).unwrap();
    let joined = |parts: Vec<Search>| Search::joined(&tables, classes.clone(), parts).unwrap_err().to_string();
    let refused = joined(vec![part(0, SLACK), part(1, SLACK)]);
    assert!(
        refused.starts_with("part 1 of 2 of a search: expected ") && refused.ends_with(" 0 of them begun"),
        "{refused}"
    );
    let begun = |number, slack| {
        let mut part = part(number, slack);
        begin_all(&mut part);
        part
    };
    assert!(joined(vec![begun(1, SLACK), begun(0, SLACK)]).starts_with("part 1 of 2"));
    assert_eq!(joined(vec![begun(0, SLACK), begun(1, 0.5)]), "slack of a part: expected 0.0001, found 0.5");
    let all: Vec<_> = [begun(0, SLACK), begun(1, SLACK)].iter().flat_map(Search::certified_at_root).collect();
    let is_none = |class: &&Class| !all.contains(class);
    let none = *classes.all().iter().find(is_none).expect("a model of few epochs has classes that are not certified");
    let said = joined(vec![begun(0, SLACK).as_part(2, &[none]), begun(1, SLACK)]);
    assert!(said.starts_with("parts of a search: expected classes that they certify, found Class {"), "{said}");
    assert_eq!(joined(Vec::new()), "parts of a search: expected at least one, found 0");
}

/// The sum of counts by status.
fn added(all: impl Iterator<Item = HashMap<Status, usize>>) -> HashMap<Status, usize> {
    all.flatten().fold(HashMap::new(), |mut sum, (status, count)| {
        *sum.entry(status).or_default() += count;
        sum
    })
}

#[test]
fn proofs_hold_for_every_list() {
    let kinds = kinds();
    let statuses = added(kinds.iter().zip(0..).map(|(kind, seed)| check_search(&Enumerated::of(kind, seed))));
    // Both kinds of classes were there to be told apart.
    assert!(statuses[&Status::Certified] > 100 && statuses[&Status::Refuted] > 100, "{statuses:?}");
}

#[test]
fn proofs_about_the_largest_value_hold_for_every_list() {
    let kinds = largest_kinds();
    let search =
        |((kind, separators), seed): (&(Kind, bool), u64)| check_search(&Enumerated::largest(kind, *separators, seed));
    let statuses = added(kinds.iter().zip(0..).map(search));
    assert!(statuses[&Status::Certified] > 20 && statuses[&Status::Refuted] > 20, "{statuses:?}");
}

/// Where heads are so sharp that no number holds the weights of some lists, a search ends, and says nothing false.
#[test]
fn a_search_of_sharp_heads_ends() {
    let (kind, separators) = &largest_kinds()[0];
    let mut case = Enumerated::largest(kind, *separators, 0);
    let keys = case.model.params.layout().blocks[0].W_QKV[1].range();
    case.model.params.values_mut()[keys].iter_mut().for_each(|weight| *weight *= 300.0);
    let certificate = certificate(&case.model, &case.task, 200_000);
    let checked = algolens_check::check(&certificate, &case.model, &Plain::new(), &mut |_| ControlFlow::Continue(()));
    // Scores of thousands lose more than the slack in f32.
    if let Err(error) = checked {
        assert!(error.to_string().starts_with("logits of the engine plain"), "{error}");
    }
}

/// More than f32 loses, whatever the logits' size.
#[test]
fn the_slack_goes_with_the_logits() {
    let (mut model, task) = (posts_model(), SortedList::POST);
    let engine = Backend::best(model.config()).engine(Vectors::best());
    assert_eq!(prove::slack(&model, &task, &*engine).unwrap(), 1e-4);
    let unembedding = model.params.layout().W_U.unwrap().range();
    model.params.values_mut()[unembedding].iter_mut().for_each(|weight| *weight *= 64.0);
    let slack = prove::slack(&model, &task, &*engine).unwrap();
    assert!((slack - 1e-2).abs() < 1e-6, "{slack}");
}

#[test]
fn counterexamples_of_a_certificate_are_predicted_wrong() {
    let (model, task) = train(&kinds()[1], 1);
    let tables = Tables::of(&model, &task).unwrap();
    let mut search = Search::new(&tables, Classes::of(&task).unwrap(), SLACK).unwrap();
    while search.begun() < search.classes().all().len() {
        search.advance();
    }
    let origin = Origin {
        model: &model,
        processing: &[],
        task: &task,
        sampled_lists: 1000,
        counterexamples: true,
        provenance: None,
    };
    let certificate = prove::certificate(&search, &origin).unwrap();
    let wrong = certificate.counterexamples.unwrap();
    assert!(wrong.len() > 10 && wrong.len() == certificate.classes.refuted);
    for found in &wrong {
        let data = Dataset::from_inputs(&task, &[&found.list]).unwrap();
        let logits = Plain::new().logits(&model, data.tokens(), data.positions()).unwrap();
        let row = logits.index_axis(ndarray::Axis(0), 0).row(found.position).to_vec();
        let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        assert_eq!((best as Token, data.classes().unwrap()[[0, found.position]]), (found.predicted, found.expected));
        let margin = row[found.expected as usize] - row[best];
        assert!((f64::from(margin) - found.margin).abs() < 1e-3, "{margin} {found:?}");
    }
}

/// Proofs of a whole search, and of one that was cut short, pass the checker; what it proves is what the search says.
#[test]
fn certificates_are_checked() {
    kinds().iter().zip(0..).for_each(|(kind, seed)| check_certificates(&Enumerated::of(kind, seed)));
    for ((kind, separators), seed) in largest_kinds().iter().zip(0..) {
        check_certificates(&Enumerated::largest(kind, *separators, seed));
    }
}

fn check_certificates<T: Task>(case: &Enumerated<T>) {
    for work in WORK {
        let certificate = certificate(&case.model, &case.task, work);
        let checked =
            algolens_check::check(&certificate, &case.model, &Plain::new(), &mut |_| ControlFlow::Continue(()))
                .unwrap();
        let proved = &checked.proved;
        assert_eq!(proved.classes, certificate.classes);
        for (proved, said, truth) in [
            (proved.token_accuracy, certificate.token_accuracy, case.accuracy[0]),
            (proved.list_accuracy, certificate.list_accuracy, case.accuracy[1]),
        ] {
            assert!(
                (proved.lower - said.lower).abs() < 1e-9 && proved.upper <= said.upper + 1e-9,
                "{proved:?} {said:?}"
            );
            assert!(proved.lower <= truth + 1e-12 && truth <= proved.upper + 1e-12, "{proved:?}, truth {truth}");
        }
    }
}

/// P(X ≤ k), or P(X ≥ k), of X hits in n draws that hit with probability p, where that is the smaller tail.
fn tail(n: usize, k: usize, p: f64) -> f64 {
    let [n, at] = [n, k].map(|number| number as f64);
    let ln_choose = libm::lgamma(n + 1.0) - libm::lgamma(at + 1.0) - libm::lgamma(n - at + 1.0);
    let first = (ln_choose + at * p.ln() + (n - at) * (-p).ln_1p()).exp();
    let odds = p / (1.0 - p);
    let down = at < n * p;
    let next = |k: f64| if down { k / (n - k + 1.0) / odds } else { (n - k) / (k + 1.0) * odds };
    let (mut sum, mut term, mut at) = (0.0, first, at);
    while term > 1e-18 * first {
        sum += term;
        term *= next(at);
        at += if down { -1.0 } else { 1.0 };
    }
    sum
}

#[test]
fn tails_of_binomials_are_right() {
    // By whole numbers: of 2¹⁰ outcomes, 1 + 10 + 45 have at most two hits, and as many at least eight.
    assert!((tail(10, 2, 0.5) - 56.0 / 1024.0).abs() < 1e-12);
    assert!((tail(10, 8, 0.5) - 56.0 / 1024.0).abs() < 1e-12);
    // 1 − 0.9⁵ of five draws hit at least once.
    assert!((tail(5, 1, 0.1) - (1.0 - 0.9_f64.powi(5))).abs() < 1e-12);
}

/// How many of ten million random lists a model sorts.
fn sorted_of_ten_million(model: &Model, task: &SortedList) -> usize {
    const AT_A_TIME: usize = 100_000;
    let engine = Backend::best(model.config()).engine(Vectors::best());
    let mut rng = random::stream(7, "ten million lists");
    let mut right = 0;
    for _ in 0..TEN_MILLION / AT_A_TIME {
        let lists = Dataset::generate(task, AT_A_TIME, &mut rng).unwrap();
        let outcomes = engine.outcomes(model, (&lists).into()).unwrap();
        right += outcomes.chunks(task.list_len()).filter(|list| list.iter().all(|outcome| outcome.right)).count();
    }
    right
}

const TEN_MILLION: usize = 10_000_000;

/// The exact binomial interval at 99.99 % of ten million lists, and what is proved of all of them, have a share in
/// common.
#[test]
fn the_bracket_of_the_posts_task_meets_ten_million_sampled_lists() {
    let model = posts_model();
    let task = SortedList::new(10, 50).unwrap();
    let (bracket, right) = std::thread::scope(|scope| {
        let sampled = scope.spawn(|| sorted_of_ten_million(&model, &task));
        (certificate(&model, &task, 3_500_000).list_accuracy, sampled.join().unwrap())
    });
    assert!(bracket.lower > 0.97 && bracket.upper < 1.0, "{bracket:?}");
    let share = right as f64 / TEN_MILLION as f64;
    let nearest = share.clamp(bracket.lower, bracket.upper);
    println!("{share} of the sampled lists, {} to {} of all", bracket.lower, bracket.upper);
    assert!(nearest == share || tail(TEN_MILLION, right, nearest) > 0.5e-4, "{share} is not in {bracket:?}");
}

/// Weights so large that a step of Dinkelbach's method hardly moves: the search goes down in ever larger steps, and its roots
/// come to an end.
#[test]
fn a_search_of_huge_weights_comes_to_its_end() {
    let task = SortedList::new(4, 9).unwrap();
    for size in [1e1, 1e3, 1e6] {
        let mut model = random_sorting_model(&task, SortingKind::with_heads(2), 3);
        model.params.values_mut().iter_mut().for_each(|weight| *weight *= size);
        let tables = Tables::of(&model, &task).unwrap();
        let mut search = Search::new(&tables, Classes::of(&task).unwrap(), SLACK).unwrap();
        while !search.finished() && search.work() < 2000 {
            search.advance();
        }
        assert!(search.work() < 200_000, "{size}: {} passes", search.work());
    }
}
