//! Honest and forged certificates.

use super::{property::*, *};
use crate::{
    Checked, Progress,
    accuracy::share,
    bytes::unpack,
    certificate::{Bracket, Certificate, ClassStatus, Counterexample, Identity, Status, Tally},
    check,
};
use algolens_core::Error;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::ZlibEncoder};
use std::{io::Write, ops::ControlFlow};

fn pack(bytes: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    STANDARD.encode(encoder.finish().unwrap())
}

/// A certificate that claims nothing of its classes but what these say.
fn certificate(world: &World, proofs: &[Vec<u8>], claims: impl Fn(&Class) -> (Status, f64, f64)) -> Certificate {
    let class_status: Vec<ClassStatus> = world
        .counts
        .classes()
        .map(|class| {
            let (status, right, wrong) = claims(&class);
            ClassStatus {
                position: class.position,
                token: class.token.map(|token| token as u32),
                target: class.target as u32,
                share: share(&class, &world.counts, world.sizes.list_len),
                status,
                right,
                wrong,
            }
        })
        .collect();
    let mut certificate = Certificate {
        format: Certificate::FORMAT,
        model: Identity {
            sha256: world.model.sha256(),
            processing: Vec::new(),
            task: world.task.spec(),
            config: world.model.config().clone(),
        },
        classes: Tally::default(),
        mass: Tally::default(),
        token_accuracy: Bracket { lower: 0.0, upper: 1.0, sampled: 0.5 },
        list_accuracy: Bracket { lower: 0.0, upper: 1.0, sampled: 0.5 },
        sampled_lists: 0,
        worst: None,
        slack: SLACK,
        step: FLOOR_UNIT,
        seconds: 0.0,
        work: 0,
        class_status,
        counterexamples: None,
        provenance: None,
        evidence: pack(&proofs.concat()),
    };
    tally(&mut certificate);
    certificate
}

/// Makes the tallies fit the classes.
fn tally(certificate: &mut Certificate) {
    let of = |status: Status| certificate.class_status.iter().filter(move |class| class.status == status);
    let [certified, refuted, undecided] = [Status::Certified, Status::Refuted, Status::Undecided];
    let number = |status| of(status).count();
    let mass = |status| of(status).map(|class| class.share).sum();
    certificate.classes = Tally {
        total: certificate.class_status.len(),
        certified: number(certified),
        refuted: number(refuted),
        undecided: number(undecided),
    };
    certificate.mass =
        Tally { total: 1.0, certified: mass(certified), refuted: mass(refuted), undecided: mass(undecided) };
}

fn checked(certificate: &Certificate, world: &World) -> algolens_core::Result<Checked> {
    check(certificate, &world.model, &Plain::new(), &mut |_: Progress| ControlFlow::Continue(()))
}

fn world() -> World {
    World::new(3, 6, 2, Normalization::LN, Positions::Standard, 11)
}

fn open(world: &World) -> Certificate {
    let proofs = vec![vec![tag::OPEN]; world.counts.classes().count()];
    certificate(world, &proofs, |_| (Status::Undecided, 0.0, 0.0))
}

#[test]
fn a_certificate_of_nothing_proves_nothing() {
    let world = world();
    let Checked { proved, measured } = checked(&open(&world), &world).unwrap();
    assert_eq!((proved.token_accuracy.lower, proved.token_accuracy.upper), (0.0, 1.0));
    assert_eq!((proved.list_accuracy.lower, proved.list_accuracy.upper), (0.0, 1.0));
    assert_eq!(
        (proved.classes.total, proved.classes.undecided),
        (world.counts.classes().count(), proved.classes.total)
    );
    assert!((proved.mass.total - 1.0).abs() < 1e-12 && proved.positions.iter().all(|p| p.open == 1.0));
    assert!(measured.largest_difference < 1e-3 && measured.lists == 2048);
    let broken = check(&open(&world), &world.model, &Plain::new(), &mut |_: Progress| ControlFlow::Break(()));
    assert!(matches!(broken, Err(Error::Cancelled)));
}

#[test]
fn a_whole_proof_gives_the_accuracies() {
    let mut rng = random::stream(8, "test/whole");
    for seed in 0..3 {
        let world = World::new(3, 5, 1 + seed as usize % 2, NORMS[seed as usize], Positions::Standard, seed);
        let proofs: Vec<_> =
            world.counts.classes().map(|class| ProofWriter::new(&world, class, [15, 0]).proof(&mut rng)).collect();
        let Checked { proved, .. } =
            checked(&certificate(&world, &proofs, |_| (Status::Undecided, 0.0, 0.0)), &world).unwrap();
        let lists = all_lists(world.sizes);
        let right = |list: &Vec<usize>, position: usize| {
            let (token, target) = class_of(list, position);
            let class = Class { position, token, target, sets: 1 };
            let members = Members::new(world.sizes, &class);
            let numbers: Vec<_> =
                list.iter().map(|token| members.tokens.iter().position(|other| other == token).unwrap()).collect();
            let margin = world.margin(&class, &members, &numbers);
            assert!(margin.abs() > SLACK, "models of these seeds are clear");
            margin > 0.0
        };
        let tokens = lists.iter().flat_map(|list| (0..3).filter(|position| right(list, *position))).count();
        let whole = lists.iter().filter(|list| (0..3).all(|position| right(list, position))).count();
        let accuracy = tokens as f64 / (3 * lists.len()) as f64;
        assert!((proved.token_accuracy.lower - accuracy).abs() < 1e-12);
        assert!((proved.token_accuracy.upper - accuracy).abs() < 1e-12);
        let whole = whole as f64 / lists.len() as f64;
        assert!(proved.list_accuracy.lower <= whole && whole <= proved.list_accuracy.upper);
        assert_eq!(proved.classes.undecided, 0);
    }
}

#[test]
fn forged_certificates_are_refused_in_one_line() {
    let world = world();
    let right = open(&world);
    let proofs = vec![vec![tag::OPEN]; world.counts.classes().count()];
    let with_first = |proof: &[u8]| {
        let mut proofs = proofs.clone();
        proofs[0] = proof.to_vec();
        pack(&proofs.concat())
    };
    let forge = |what: &str, forgery: &dyn Fn(&mut Certificate), expected: &str| {
        let mut forged = right.clone();
        forgery(&mut forged);
        let said = checked(&forged, &world).expect_err(what).to_string();
        assert!(said.contains(expected) && !said.contains('\n'), "{what}: {said}");
    };
    forge("format", &|c| c.format = 2, "certificate's format");
    forge("digest", &|c| c.model.sha256.make_ascii_uppercase(), "SHA-256");
    forge("config", &|c| c.model.config.eps = 1e-4, "certificate's config");
    let sizes = |list_len, max_value| {
        let task = SortedList::new(list_len, max_value).unwrap().spec();
        move |c: &mut Certificate| c.model.task = task.clone()
    };
    forge("task", &sizes(3, 6), "class");
    forge("long lists", &sizes(13, 60), "list_len: expected at most 12");
    forge("a task in part", &|c| c.model.task.options.clear(), "certificate's task: expected every option");
    forge("another task", &|c| c.model.task.name = "sum".into(), "task: expected sorted_list, found sum");
    for slack in [0.0, -1.0, 1.5, f64::NAN] {
        forge("slack", &|c| c.slack = slack, "slack");
    }
    for step in [0.0, f64::INFINITY, f64::NAN] {
        forge("step", &|c| c.step = step, "step");
    }
    forge("dropped class", &|c| _ = c.class_status.remove(3), "class_status[3]");
    forge("last class", &|c| _ = c.class_status.pop(), "its end");
    forge("doubled class", &|c| c.class_status.insert(3, c.class_status[3].clone()), "class_status[4]");
    forge("one more class", &|c| c.class_status.extend(right.class_status.last().cloned()), "1 more");
    forge("other order", &|c| c.class_status.swap(2, 3), "class_status[2]");
    forge("share", &|c| c.class_status[5].share *= 1.0 + 1e-9, "the share of class");
    forge("no share", &|c| c.class_status[5].share = f64::NAN, "the share of class");

    let bytes = proofs.concat();
    forge("truncated bytes", &|c| c.evidence = pack(&bytes[1..]), "evidence");
    forge("more bytes", &|c| c.evidence = pack(&[&bytes[..], &[0]].concat()), "more bytes");
    forge("truncated text", &|c| c.evidence.truncate(8), "base 64");
    forge("no text", &|c| c.evidence = "…".into(), "base 64");
    let trailing = STANDARD.encode([&STANDARD.decode(&right.evidence).unwrap()[..], b"more"].concat());
    forge("after the stream", &|c| c.evidence.clone_from(&trailing), "4 bytes after");
    let large = unpack(&pack(&[0; 1001]), 1000).unwrap_err().to_string();
    assert_eq!(large, "evidence: expected at most 1000 bytes, found more");

    forge("bogus done", &|c| c.evidence = with_first(&[tag::DONE]), "the proof of class (0, SEP → 0)");
    forge("bogus single", &|c| c.evidence = with_first(&[tag::SINGLE]), "a part of one list");
    forge("unknown tag", &|c| c.evidence = with_first(&[9]), "the tag 9");
    forge("no such token", &|c| c.evidence = with_first(&[tag::SPLIT, 99, 1, 0, 4, 4]), "token 99");
    let splits = [[tag::SPLIT, 0, 0, 0].repeat(200), vec![tag::OPEN; 201]].concat();
    forge("endless splits", &|c| c.evidence = with_first(&splits), "splits of a part");
    let mut floor = vec![tag::RIGHT, 1, 0b110];
    [900_000, 900_000].iter().for_each(|units| write_signed(&mut floor, *units));
    forge("bogus floors", &|c| c.evidence = with_first(&[&floor[..], &[4]].concat()), "head 0 to add");
    forge("no floors", &|c| c.evidence = with_first(&[tag::RIGHT, 1, 0, 4]), "a floor of every head");
    forge(
        "no floors for cells",
        &|c| c.evidence = with_first(&[tag::RIGHT, 1, 1, 0xff, 128, 4]),
        "a floor of every head",
    );
    let mut low = vec![tag::RIGHT, 1, 0b110];
    [-900_000, -900_000].iter().for_each(|units| write_signed(&mut low, *units));
    forge("low floors", &|c| c.evidence = with_first(&[&low[..], &[4]].concat()), "floors above");
    forge("flags", &|c| c.evidence = with_first(&[tag::RIGHT, 1, 0b1000, 0, 4]), "flags of 2 heads");
    forge("the right answer", &|c| c.evidence = with_first(&[tag::RIGHT, 0, 0, 4]), "another answer");
    forge("no such answer", &|c| c.evidence = with_first(&[tag::WRONG, 70, 0, 4]), "another answer");
    low[2] |= 1;
    let split = |head: u8, halves: usize| [&low[..], &vec![head; halves], &[0xff, 1].repeat(halves + 1), &[4]].concat();
    forge("the last head's cells", &|c| c.evidence = with_first(&split(1, 1)), "cells of 1 heads");
    forge("endless halves", &|c| c.evidence = with_first(&split(0, 80)), "cells of 1 heads");

    forge("certified", &|c| (c.class_status[0].status = Status::Certified, tally(c)).1, "as it is certified");
    forge("right lists", &|c| c.class_status[4].right = 0.1, "the right lists of class");
    forge("wrong lists", &|c| c.class_status[4].wrong = f64::NAN, "the wrong lists of class");
    forge("classes", &|c| c.classes.undecided -= 1, "certificate's classes");
    forge("mass", &|c| c.mass.certified = 0.5, "certificate's mass");
    forge("token accuracy", &|c| c.token_accuracy.lower = 0.01, "token_accuracy's lower bound");
    forge("token accuracy", &|c| c.token_accuracy.upper = 0.99, "token_accuracy's upper bound");
    forge("list accuracy", &|c| c.list_accuracy.lower = f64::NAN, "list_accuracy's lower bound");
    forge("list accuracy", &|c| c.list_accuracy.upper = 0.0, "list_accuracy's upper bound");
}

#[test]
fn lists_of_a_certificate_are_what_it_says() {
    let world = world();
    let class = world.counts.classes().nth(2).unwrap();
    let members = Members::new(world.sizes, &class);
    let worst = lists_of(&class, &members)
        .into_iter()
        .min_by(|a, b| world.margin(&class, &members, a).total_cmp(&world.margin(&class, &members, b)))
        .unwrap();
    let list: Vec<usize> = worst.iter().map(|number| members.tokens[*number]).collect();
    let found = logits(&world.circuits, &list, class.position);
    let best = (0..found.len()).max_by(|a, b| found[*a].value.total_cmp(&found[*b].value)).unwrap();
    let example = Counterexample {
        list: list.iter().map(|token| *token as u32).collect(),
        position: class.position,
        predicted: best as u32,
        expected: class.target as u32,
        margin: world.margin(&class, &members, &worst),
    };
    assert!(example.margin < -2.0 * SLACK, "this model is wrong there");

    let mut right = open(&world);
    right.class_status[2].status = Status::Refuted;
    tally(&mut right);
    // Neither evidence nor a list shows that it is refuted.
    assert_eq!(checked(&right, &world).unwrap().proved.classes.refuted, 0);
    right.worst = Some(example.clone());
    assert_eq!(checked(&right, &world).unwrap().proved.classes.refuted, 1);
    right.worst = None;
    right.counterexamples = Some(vec![example]);
    assert_eq!(checked(&right, &world).unwrap().proved.classes.refuted, 1);

    let forge = |forgery: &dyn Fn(&mut Counterexample), expected: &str| {
        let mut forged = right.clone();
        forged.counterexamples.iter_mut().flatten().for_each(forgery);
        let said = checked(&forged, &world).unwrap_err().to_string();
        assert!(said.contains(expected) && !said.contains('\n'), "{said}");
    };
    forge(&|e| e.list.truncate(2), "list");
    forge(&|e| e.list[0] = e.list[1], "distinct");
    forge(&|e| e.list[0] = 77, "at most 5");
    forge(&|e| e.position = 3, "counterexample 0's position");
    forge(&|e| e.expected += 1, "counterexample 0's right answer");
    forge(&|e| e.predicted = e.expected, "a prediction that is wrong");
    forge(&|e| e.predicted = 99, "counterexample 0's prediction");
    forge(&|e| e.margin += 2.0 * SLACK, "counterexample 0's margin");
    forge(&|e| e.margin = f64::NAN, "counterexample 0's margin");
}

#[test]
fn an_engine_that_is_off_is_refused() {
    struct Off;
    impl Engine for Off {
        fn name(&self) -> &'static str {
            "off"
        }
        fn logits(
            &self,
            model: &Model,
            tokens: ndarray::ArrayView2<u32>,
            positions: &[usize],
        ) -> algolens_core::Result<ndarray::Array3<f32>> {
            let mut logits = Plain::new().logits(model, tokens, positions)?;
            logits[[0, 1, 2]] += 2.0 * SLACK as f32;
            Ok(logits)
        }
        fn loss_and_gradients(
            &self,
            model: &Model,
            batch: algolens_core::engine::Batch,
            gradients: &mut algolens_core::model::Params<f32>,
        ) -> algolens_core::Result<algolens_core::engine::Score> {
            Plain::new().loss_and_gradients(model, batch, gradients)
        }
    }
    let world = world();
    let said = check(&open(&world), &world.model, &Off, &mut |_: Progress| ControlFlow::Continue(())).unwrap_err();
    assert!(said.to_string().starts_with("logits of the engine off on 2048 lists"), "{said}");
}

#[test]
fn models_that_no_proof_is_about_are_refused() {
    let task = task(3, 6);
    let sizes = task_of(&task.spec()).unwrap().1;
    let config = random_sorting_model(&task, SortingKind::with_heads(1), 0).config().clone();
    let said = |config: Config| Circuits::new(&Model::zeros(config).unwrap(), sizes).err().unwrap().to_string();
    assert!(said(Config { n_layers: 2, ..config.clone() }).contains("one block"));
    assert!(said(Config { attention_dir: AttentionDir::Bidirectional, ..config.clone() }).contains("causal"));
    assert!(said(Config { n_heads: 63, ..config.clone() }).contains("at most 62"));
    assert!(said(Config { n_ctx: 5, ..config.clone() }).contains("n_ctx"));
    assert!(said(Config { d_vocab: 6, ..config.clone() }).contains("d_vocab"));
    let mut model = Model::<f32>::zeros(config).unwrap();
    model.params.values_mut()[3] = f32::NAN;
    assert!(Circuits::new(&model, sizes).err().unwrap().to_string().contains("finite weights"));
}
