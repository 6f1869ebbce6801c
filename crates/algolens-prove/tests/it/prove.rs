//! Proofs and attacks against every list there is, on models small enough to run them all.

use algolens_check::certificate::{Certificate, Class, Status};
use algolens_core::{
    engine::{Backend, Engine, Plain, Vectors},
    model::{
        Model, Normalization, Positions,
        checkpoint::{Checkpoint, Hints},
    },
    random,
    task::{Dataset, SortedList, TaskSpec, Token},
    train::{Architecture, Event, Recipe, Run},
};
use algolens_prove as prove;
use algolens_prove::{Classes, Order, Origin, Restrictions, Search, Tables};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use ndarray::ArrayView1;
use std::{
    collections::HashMap,
    io::{Read, Write},
    ops::ControlFlow,
};

const SLACK: f64 = 1e-4;

/// A model, and what it says of every list.
struct Enumerated {
    model: Model,
    task: SortedList,
    /// The margins of each class's lists.
    margins: HashMap<Class, Vec<f64>>,
    /// The share of predictions, and of lists, whose margin is positive.
    accuracy: [f64; 2],
}

struct Kind {
    list_len: usize,
    max_value: u32,
    n_heads: usize,
    norm: Normalization,
    positions: Positions,
    epochs: usize,
}

fn train(kind: &Kind, seed: u64) -> (Model, SortedList) {
    let recipe = Recipe {
        seed,
        task: TaskSpec::SortedList { list_len: kind.list_len, max_value: kind.max_value },
        model: Architecture {
            n_heads: kind.n_heads,
            d_model: 24,
            d_head: 12,
            normalization_type: kind.norm,
            positional_embedding_type: kind.positions,
            ..Architecture::default()
        },
        train_size: 4000,
        validation_size: 200,
        batch_size: 64,
        epochs: kind.epochs,
        lr_start: 1e-2,
        lr_end: 1e-3,
        ..Recipe::default()
    };
    let mut run = Run::new(recipe).unwrap();
    let engine = Backend::best(run.model().config()).engine(Vectors::best());
    run.train(&*engine, &mut |_: Event| ControlFlow::Continue(())).unwrap();
    (run.best(), SortedList::new(kind.list_len, kind.max_value).unwrap())
}

fn every_list(task: &SortedList) -> Vec<Vec<Token>> {
    (0..task.list_len()).fold(vec![Vec::new()], |lists, _| {
        let longer = |list: &Vec<Token>| {
            let free = (0..=task.max_value()).filter(|value| !list.contains(value));
            free.map(|value| [list.as_slice(), &[value]].concat()).collect::<Vec<_>>()
        };
        lists.iter().flat_map(longer).collect()
    })
}

fn margin(logits: ArrayView1<f64>, y: usize) -> f64 {
    let others = logits.iter().enumerate().filter(|(answer, _)| *answer != y);
    logits[y] - others.map(|(_, logit)| *logit).fold(f64::NEG_INFINITY, f64::max)
}

impl Enumerated {
    fn of(kind: &Kind, seed: u64) -> Self {
        let (model, task) = train(kind, seed);
        let classes = Classes::of(&task).unwrap();
        let exact = model.cast::<f64>();
        let (mut margins, mut right, mut lists_right, mut lists) = (HashMap::<Class, Vec<f64>>::new(), 0, 0, 0);
        for chunk in every_list(&task).chunks(2000) {
            let data = Dataset::from_inputs(&task, chunk).unwrap();
            let logits = Plain::new().logits(&exact, data.tokens(), data.positions()).unwrap();
            for (list, logits) in chunk.iter().zip(logits.outer_iter()) {
                let mut all_right = true;
                for (class, logits) in classes.along(list).into_iter().zip(logits.outer_iter()) {
                    let margin = margin(logits, class.target as usize);
                    margins.entry(class).or_default().push(margin);
                    right += usize::from(margin > 0.0);
                    all_right &= margin > 0.0;
                }
                lists += 1;
                lists_right += usize::from(all_right);
            }
        }
        let predictions = lists * task.list_len();
        let accuracy = [right as f64 / predictions as f64, lists_right as f64 / lists as f64];
        Self { model, task, margins, accuracy }
    }

    fn share(&self, class: &Class, holds: impl Fn(f64) -> bool) -> f64 {
        let margins = &self.margins[class];
        margins.iter().filter(|margin| holds(**margin)).count() as f64 / margins.len() as f64
    }
}

/// Advances a search until so much work is done, and holds all it says against every list.
fn check(case: &Enumerated, search: &mut Search, work: u64) {
    while !search.finished() && search.work() < work {
        search.advance();
    }
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
            let found = classes.along(&worst.list)[worst.position];
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

fn kinds() -> Vec<Kind> {
    let kind = |list_len, max_value, n_heads, norm, positions, epochs| Kind {
        list_len,
        max_value,
        n_heads,
        norm,
        positions,
        epochs,
    };
    use {
        Normalization::{LN, LNPre, None},
        Positions::{Shortformer, Standard},
    };
    vec![
        kind(4, 10, 2, LN, Standard, 8),
        kind(4, 10, 2, LN, Standard, 1),
        kind(5, 10, 1, LN, Standard, 4),
        kind(4, 12, 3, LN, Standard, 2),
        kind(4, 10, 2, LNPre, Standard, 2),
        kind(4, 10, 1, None, Standard, 2),
        kind(4, 10, 2, None, Shortformer, 2),
    ]
}

#[test]
fn proofs_hold_for_every_list() {
    let mut statuses = HashMap::<Status, usize>::new();
    for (seed, kind) in kinds().iter().enumerate() {
        let case = Enumerated::of(kind, seed as u64);
        let tables = Tables::of(&case.model, &case.task).unwrap();
        let mut search = Search::new(&tables, Classes::of(&case.task).unwrap(), SLACK).unwrap();
        for work in WORK {
            check(&case, &mut search, work);
            let bytes = search.to_bytes(&case.model).unwrap();
            search = Search::from_bytes(&bytes, &tables, Classes::of(&case.task).unwrap(), &case.model).unwrap();
        }
        assert!(search.finished());
        search.decided().iter().for_each(|decided| *statuses.entry(decided.status).or_default() += 1);
        println!("accuracy {:?}, work {}", case.accuracy, search.work());
    }
    // Both kinds of classes were there to be told apart.
    assert!(statuses[&Status::Certified] > 100 && statuses[&Status::Refuted] > 100, "{statuses:?}");
}

#[test]
fn counterexamples_of_a_certificate_are_predicted_wrong() {
    let (model, task) = train(&kinds()[1], 1);
    let tables = Tables::of(&model, &task).unwrap();
    let mut search = Search::new(&tables, Classes::of(&task).unwrap(), SLACK).unwrap();
    while search.begun() < search.classes().all().len() {
        search.advance();
    }
    let origin = Origin { model: &model, processing: &[], task: &task, sampled_lists: 1000, counterexamples: true };
    let certificate = prove::certificate(&search, &origin).unwrap();
    let wrong = certificate.counterexamples.unwrap();
    assert!(wrong.len() > 10 && wrong.len() == certificate.classes.refuted);
    for found in &wrong {
        let data = Dataset::from_inputs(&task, &[&found.list]).unwrap();
        let logits = Plain::new().logits(&model, data.tokens(), data.positions()).unwrap();
        let row = logits.index_axis(ndarray::Axis(0), 0).row(found.position).to_vec();
        let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        assert_eq!((best as Token, data.targets()[[0, found.position]]), (found.predicted, found.expected));
        let margin = row[found.expected as usize] - row[best];
        assert!((f64::from(margin) - found.margin).abs() < 1e-3, "{margin} {found:?}");
    }
}

/// Proofs of a whole search, and of one that was cut short, pass the checker; what it proves is what the search says.
#[test]
fn certificates_are_checked() {
    for (seed, kind) in kinds().iter().enumerate() {
        let case = Enumerated::of(kind, seed as u64);
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
}

fn certificate(model: &Model, task: &SortedList, work: u64) -> Certificate {
    let tables = Tables::of(model, task).unwrap();
    let mut search = Search::new(&tables, Classes::of(task).unwrap(), SLACK).unwrap();
    while !search.finished() && (search.work() < work || search.begun() < search.classes().all().len()) {
        search.advance();
    }
    let origin = Origin { model, processing: &[], task, sampled_lists: 1000, counterexamples: true };
    prove::certificate(&search, &origin).unwrap()
}

#[test]
fn tampered_certificates_are_refused() {
    let (model, task) = train(&kinds()[1], 1);
    let honest = certificate(&model, &task, 20_000);
    let is_refused = |tamper: &dyn Fn(&mut Certificate)| {
        let mut forged = honest.clone();
        tamper(&mut forged);
        let refused = algolens_check::check(&forged, &model, &Plain::new(), &mut |_| ControlFlow::Continue(()));
        refused.is_err_and(|error| !error.to_string().contains('\n'))
    };
    let with_evidence = |change: &dyn Fn(&mut Vec<u8>)| {
        let packed = BASE64_STANDARD.decode(&honest.evidence).unwrap();
        let mut bytes = Vec::new();
        ZlibDecoder::new(packed.as_slice()).read_to_end(&mut bytes).unwrap();
        change(&mut bytes);
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&bytes).unwrap();
        BASE64_STANDARD.encode(zlib.finish().unwrap())
    };
    assert!(!is_refused(&|_| {}));
    assert!(is_refused(&|c| c
        .model
        .sha256
        .replace_range(..1, if c.model.sha256.starts_with('0') { "1" } else { "0" })));
    assert!(is_refused(&|c| _ = c.class_status.remove(7)));
    assert!(is_refused(&|c| c.class_status.swap(3, 4)));
    assert!(is_refused(&|c| c.class_status[5].share *= 1.001));
    assert!(is_refused(&|c| c.token_accuracy.lower += 1e-6));
    assert!(is_refused(&|c| c.token_accuracy.upper -= 1e-6));
    assert!(is_refused(&|c| c.list_accuracy.lower += 1e-6));
    assert!(is_refused(&|c| c.list_accuracy.upper -= 1e-6));
    assert!(is_refused(&|c| c.step *= 1.01));
    assert!(is_refused(&|c| {
        let refuted = c.class_status.iter_mut().find(|class| class.status == Status::Refuted).unwrap();
        refuted.status = Status::Certified;
    }));
    assert!(is_refused(&|c| c.counterexamples.as_mut().unwrap()[0].list.swap(0, 1)));
    // A floor or cell moved; of the bytes of the first class, which is decided at its root, every one matters or is
    // refused.
    let mut refused = 0;
    for at in 0..40 {
        let evidence = with_evidence(&|bytes| bytes[at] = bytes[at].wrapping_add(3));
        refused += usize::from(is_refused(&|c| c.evidence = evidence.clone()));
    }
    assert!(refused > 20, "{refused} of 40 changed bytes were noticed");
    let mut other = model.clone();
    other.params.values_mut()[17] += 1e-3;
    assert!(algolens_check::check(&honest, &other, &Plain::new(), &mut |_| ControlFlow::Continue(())).is_err());
}

#[test]
fn attacks_find_the_worst_list_and_prove_that_none_is_worse() {
    let restrictions = [
        Restrictions::default(),
        Restrictions { position: Some(2), ..Restrictions::default() },
        Restrictions { min_gap: Some(3), max_gap: Some(5), ..Restrictions::default() },
        Restrictions { values: Some((2..=9).collect()), ..Restrictions::default() },
        Restrictions { order: Order::Ascending, ..Restrictions::default() },
        Restrictions { order: Order::Descending, position: Some(1), ..Restrictions::default() },
    ];
    for (seed, kind) in kinds().iter().enumerate() {
        let case = Enumerated::of(kind, seed as u64);
        let tables = Tables::of(&case.model, &case.task).unwrap();
        let classes = Classes::of(&case.task).unwrap();
        for restrictions in &restrictions {
            let mut least = f64::INFINITY;
            let exact = case.model.cast::<f64>();
            for list in every_list(&case.task) {
                let mut ordered = list.clone();
                restrictions.order.apply(&mut ordered);
                let has_other_values =
                    restrictions.values.as_ref().is_some_and(|values| list.iter().any(|value| !values.contains(value)));
                if has_other_values || ordered != list {
                    continue;
                }
                let allowed =
                    classes.along(&list).into_iter().enumerate().filter(|(_, class)| restrictions.allow(class));
                for (position, class) in allowed {
                    if restrictions.values.is_none() && restrictions.order == Order::Any {
                        // All lists of the class may be used: their margins are known.
                        least = case.margins[&class].iter().copied().fold(least, f64::min);
                        continue;
                    }
                    let data = Dataset::from_inputs(&case.task, &[&list]).unwrap();
                    let logits = Plain::new().logits(&exact, data.tokens(), data.positions()).unwrap();
                    least =
                        least.min(margin(logits.index_axis(ndarray::Axis(0), 0).row(position), class.target as usize));
                }
            }
            let found =
                prove::attack(&tables, &classes, restrictions, u64::MAX, &mut |_| ControlFlow::Continue(())).unwrap();
            assert!((found.found[0].margin - least).abs() < 1e-5, "{:?}, least {least}", found.found[0]);
            assert!(found.proved.is_some_and(|proved| proved <= least && proved > least - 1e-5), "{:?}", found.proved);
            assert!(restrictions.allow(&classes.along(&found.found[0].list)[found.found[0].position]));
            let mut ordered = found.found[0].list.clone();
            restrictions.order.apply(&mut ordered);
            assert_eq!(ordered, found.found[0].list);
        }
    }
}

/// On the post's task, where parts of classes stay open for long: what is proved of all orders holds of those that are
/// searched by themselves.
#[test]
fn no_list_in_order_is_worse_than_is_proved_of_any_order() {
    let model = posts_model();
    let task = SortedList::new(10, 50).unwrap();
    let tables = Tables::of(&model, &task).unwrap();
    let classes = Classes::of(&task).unwrap();
    for (position, token, target) in [(8, 9, 47), (2, 17, 42), (2, 6, 38), (5, 12, 40)] {
        let only_class = Restrictions {
            position: Some(position),
            token: Some(token),
            target: Some(target),
            ..Restrictions::default()
        };
        let attack = |order, work| {
            let restrictions = Restrictions { order, ..only_class.clone() };
            prove::attack(&tables, &classes, &restrictions, work, &mut |_| ControlFlow::Continue(())).unwrap()
        };
        let all = attack(Order::Any, 400_000);
        let proved = all.proved.unwrap();
        assert!((0.0..0.01).contains(&(all.found[0].margin - proved)), "{proved} {:?}", all.found[0]);
        for order in [Order::Ascending, Order::Descending] {
            let found = &attack(order, 400_000).found[0];
            assert!(found.margin >= proved, "{found:?} is worse than {proved}");
        }
    }
}

fn posts_model() -> Model {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");
    Checkpoint::open(path.as_ref(), &Hints::default()).unwrap().checkpoint.model
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

/// The exact binomial interval at 99.99 % of ten million lists, and what is proved of all of them, have a share in
/// common.
#[test]
fn the_bracket_of_the_posts_task_meets_ten_million_sampled_lists() {
    const LISTS: usize = 10_000_000;
    const AT_A_TIME: usize = 100_000;
    let model = posts_model();
    let task = SortedList::new(10, 50).unwrap();
    let bracket = certificate(&model, &task, 3_500_000).list_accuracy;
    assert!(bracket.lower > 0.97 && bracket.upper < 1.0, "{bracket:?}");

    let engine = Backend::best(model.config()).engine(Vectors::best());
    let mut rng = random::stream(7, "ten million lists");
    let mut right = 0;
    for _ in 0..LISTS / AT_A_TIME {
        let lists = Dataset::generate(&task, AT_A_TIME, &mut rng);
        let outcomes = engine.outcomes(&model, (&lists).into()).unwrap();
        right += outcomes.chunks(task.list_len()).filter(|list| list.iter().all(|outcome| outcome.right)).count();
    }
    let share = right as f64 / LISTS as f64;
    let nearest = share.clamp(bracket.lower, bracket.upper);
    println!("{share} of the sampled lists, {} to {} of all", bracket.lower, bracket.upper);
    assert!(nearest == share || tail(LISTS, right, nearest) > 0.5e-4, "{share} is not in {bracket:?}");
}
