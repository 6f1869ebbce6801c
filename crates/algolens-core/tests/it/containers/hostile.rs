//! Files made to do harm: nothing panics, and work and memory stay in proportion to the file.

use super::{
    hints,
    make::{
        P, call, dict, dump, ints, state_dict, storage, tensor, text, torch_stream, torch_zip, view, weights, zipped,
    },
    refusal, small,
};
use algolens_core::model::checkpoint::{Checkpoint, Contents};
use algolens_testing::{npy, reference, with_cases};
use ndarray::{ArrayD, IxDyn};
use proptest::{prelude::*, sample::Index};
use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};
use zip::CompressionMethod;

/// Far more than any file here needs, and far less than what is not in proportion to it would take.
const LONG: Duration = Duration::from_secs(20);

fn said(bytes: Vec<u8>) -> String {
    let start = Instant::now();
    let said = refusal(bytes, &hints());
    assert!(start.elapsed() < LONG, "{said}");
    said
}

/// Dicts of two entries each, both of them the dict before: twice as many paths at each step.
fn doubled(first: P, times: u8) -> P {
    let mut value = P::Put(0, Box::new(first));
    for at in 0..times {
        value = P::Put(at + 1, Box::new(dict([("a", value), ("b", P::Get(at))])));
    }
    value
}

#[test]
fn what_is_mentioned_often_is_neither_copied_nor_walked_often() {
    let storages = [("0".to_owned(), vec![0; 16])];
    let bomb = |times| torch_zip("m", &doubled(tensor("FloatStorage", "0", &[2, 2]), times), &storages);
    assert!(said(bomb(60)).ends_with("it holds more than 262144 tensors"));
    assert!(said(bomb(150)).ends_with("it holds more than 262144 tensors"));
    // A count that may be, but not with all that they claim.
    let large = [("0".to_owned(), vec![0; 4 << 20])];
    let mentioned = torch_zip("m", &doubled(tensor("FloatStorage", "0", &[1024, 1024]), 10), &large);
    assert!(said(mentioned).contains("claims 4194304 bytes"));
    // Many entries without a tensor beside one with it, looked at from many places.
    let mixed = dict([("x", P::None), ("w", tensor("FloatStorage", "0", &[2, 2]))]);
    let ints = (0..50_000).map(|at| (P::Int(at), P::None));
    let wide = P::Put(0, Box::new(P::Dict(ints.chain([(text("mixed"), mixed)]).collect())));
    let places = P::List(std::iter::once(wide).chain((0..20_000).map(|_| P::Get(0))).collect());
    assert!(said(torch_zip("m", &places, &storages)).contains("a map claims"));
    // Nothing but empty dicts.
    assert!(said(dump(2, &doubled(P::Dict(vec![]), 190))).ends_with("found a dict without tensors: a, b"));
    let list = P::Put(0, Box::new(P::List((0..50_000).map(P::Int).collect())));
    let calls = (0..50_000).map(|_| call("collections", "Counter", [P::Get(0)]));
    assert!(said(dump(2, &P::List(std::iter::once(list).chain(calls).collect()))).contains("a copied list claims"));
    let long = P::Put(0, Box::new(text(&"x".repeat(1 << 20))));
    let calls = (0..10_000).map(|_| call("_codecs", "encode", [P::Get(0), text("latin1")]));
    assert!(said(dump(2, &P::List(std::iter::once(long).chain(calls).collect()))).contains("a copied text claims"));
}

#[test]
fn deep_nesting_is_refused() {
    let nested = |opcodes: &[u8], times: usize| [b"\x80\x02N".as_slice(), &opcodes.repeat(times), b"."].concat();
    for times in [201, 1_000_000] {
        assert!(said(nested(b"\x85", times)).ends_with("its values are nested more than 200 deep"), "{times}");
    }
    assert!(said(nested(b"\x85", 200)).ends_with("a list of 1 values without a state dict"));
    // A list of values of which each holds the one before: none is deep on the way to it.
    let mut chain = b"\x80\x02](]q\x00".to_vec();
    for _ in 0..100_000 {
        chain.extend(b"h\x00\x85q\x00");
    }
    chain.extend(b"e.");
    assert!(said(chain).ends_with("its values are nested more than 200 deep"));
    assert!(said([b"[".repeat(1 << 20), b"]".repeat(1 << 20)].concat()).contains("as JSON: recursion limit"));
}

#[test]
fn claims_are_checked_before_memory_is_taken() {
    let huge = u64::MAX >> 1;
    for opcode in [0x8d_u8, 0x8e, 0x96] {
        let pickle = [b"\x80\x04".as_slice(), &[opcode], &huge.to_le_bytes(), b"."].concat();
        assert!(said(pickle).contains("truncated or damaged"));
    }
    let expanded = |sizes: usize| {
        let one = P::Persistent(Box::new(P::Tuple(storage("FloatStorage", "0", 1))));
        let value = dict([("w", view(one, 0, ints(&[sizes, 1024]), ints(&[0, 0])))]);
        torch_zip("m", &value, &[("0".into(), vec![0; 4])])
    };
    assert!(Contents::from_bytes(expanded(1024)).is_ok());
    assert!(said(expanded(8192)).contains("w claims 33554432 bytes"));
    // A hundred megabytes of zeros in a hundred kilobytes.
    let zeros = npy(ArrayD::<f32>::zeros(IxDyn(&[25 << 20])));
    assert!(said(zipped(&[("w.npy".into(), zeros)], CompressionMethod::Deflated)).contains("w.npy claims"));
    let mut lying = npy(ArrayD::<f32>::zeros(IxDyn(&[11])));
    let at = lying.windows(4).position(|window| window == b"(11,").unwrap();
    lying[at..at + 4].copy_from_slice(b"(99,");
    let said_of_it = said(zipped(&[("w.npy".into(), lying)], CompressionMethod::Stored));
    assert!(said_of_it.starts_with("w: expected a view of its storage's 11 numbers"), "{said_of_it}");
    let header = br#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#;
    said([&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat());
    said([&(1_u64 << 40).to_le_bytes()[..], b"{}"].concat());
}

#[test]
fn long_pickles_end() {
    let pushes = [b"\x80\x02".as_slice(), &vec![b'N'; (1 << 24) + 1], b"."].concat();
    assert!(said(pushes).ends_with("it takes more than 16777216 operations"));
    let objects = [b"\x80\x02".as_slice(), &vec![b']'; (1 << 22) + 1], b"."].concat();
    assert!(said(objects).ends_with("it makes more than 4194304 objects"));
    let prefixes = (0..20_000).map(|at| (P::Text(format!("x{at}.embed.W_E")), tensor("FloatStorage", "0", &[1, 1])));
    let many = torch_zip("m", &P::Dict(prefixes.collect()), &[("0".into(), vec![0; 4])]);
    assert!(said(many).ends_with("and 19992 more: say which with key"));
}

/// Files of every kind, small ones made here and those of others that are there.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let model = small(1);
    let (value, storages) = state_dict(&model, "");
    let stream: Vec<_> = storages.iter().map(|(key, bytes)| (key.clone(), 4, bytes.clone())).collect();
    let arrays: Vec<_> =
        model.params.tensors().map(|(name, array)| (format!("{name}.npy"), npy(array.to_owned()))).collect();
    let pickled = weights(&model).into_iter().map(|(name, shape, bytes)| {
        let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        (P::Text(name), view(super::make::saved("FloatStorage", 4, &bytes), 0, ints(&shape), ints(&strides)))
    });
    let mut files = vec![
        torch_zip("m", &dict([("model", value.clone()), ("lr", P::Float(0.1))]), &storages),
        torch_stream(&value, &stream),
        dump(4, &P::Dict(pickled.collect())),
        zipped(&arrays, CompressionMethod::Stored),
        zipped(&arrays, CompressionMethod::Deflated),
        Checkpoint { model, task: None }.to_bytes().unwrap(),
        br#"{"embed.W_E": [[1.5, -2e3], [3, 4]], "cfg": {"a": null, "b": [true, "x"]}}"#.to_vec(),
    ];
    for path in
        ["palindromes_berlin/palindrome_classifier.pt", "one_head_sorting/model_1.pkl", "whole_module/l_2_2_model.pth"]
    {
        files.extend(reference(path).map(|path| std::fs::read(path).unwrap()));
    }
    files
});

/// A change of a file.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Cut(Index),
    Drop(Index, usize),
    Repeat(Index, usize),
    /// A part of another file in the place of a part of this.
    Splice(Index, Index, Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let length = || 1..64_usize;
    prop_oneof![
        6 => (any::<Index>(), any::<u8>()).prop_map(|(at, to)| Change::Set(at, to)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => (any::<Index>(), length()).prop_map(|(at, length)| Change::Drop(at, length)),
        1 => (any::<Index>(), length()).prop_map(|(at, length)| Change::Repeat(at, length)),
        2 => (any::<Index>(), any::<Index>(), any::<Index>(), length()).prop_map(|(at, other, from, length)| {
            Change::Splice(at, other, from, length)
        }),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    match change {
        Change::Set(at, to) => {
            // Pickles and headers stand at the beginning, the directory of a zip at the end.
            let at = at.index(bytes.len());
            bytes[at] = *to;
        }
        Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Change::Drop(at, length) => {
            let at = at.index(bytes.len());
            bytes.drain(at..(at + length).min(bytes.len()));
        }
        Change::Repeat(at, length) => {
            let at = at.index(bytes.len());
            let part = bytes[at..(at + length).min(bytes.len())].to_vec();
            bytes.splice(at..at, part);
        }
        Change::Splice(at, other, from, length) => {
            let (at, other) = (at.index(bytes.len()), &FILES[other.index(FILES.len())]);
            let from = from.index(other.len());
            let part = other[from..(from + length).min(other.len())].to_vec();
            let end = (at + part.len()).min(bytes.len());
            bytes.splice(at..end, part);
        }
    }
}

proptest! {
    #![proptest_config(with_cases(1500))]

    #[test]
    fn a_changed_file_is_read_or_refused_on_one_line(
        file in any::<Index>(),
        near in prop_oneof![Just(None), (0..6000_usize).prop_map(Some)],
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let file = &FILES[file.index(FILES.len())];
        let mut bytes = file.clone();
        // Most of a file is weights, which may be any numbers: half of the changes are made where it begins.
        let tail = near.map(|near| bytes.split_off(near.min(bytes.len())));
        changes.iter().for_each(|change| apply(&mut bytes, change));
        bytes.extend(tail.unwrap_or_default());
        let start = Instant::now();
        if let Err(error) = Checkpoint::from_bytes(bytes.clone(), &hints()) {
            prop_assert_eq!(error.to_string().lines().count(), 1);
        }
        if let Ok(contents) = Contents::from_bytes(bytes) {
            let _ = contents.choose(Some("model"));
        }
        prop_assert!(start.elapsed() < LONG);
    }
}

proptest! {
    #![proptest_config(with_cases(400))]

    /// Pickles without checksums before them, changed opcode by opcode.
    #[test]
    fn a_changed_pickle_is_read_or_refused_on_one_line(changes in prop::collection::vec(change(), 1..12)) {
        type Files = Vec<(String, Vec<u8>)>;
        static VALUE: LazyLock<(Vec<u8>, Files)> = LazyLock::new(|| {
            let (value, storages) = state_dict(&small(1), "");
            (dump(2, &dict([("model", value), ("x", call("argparse", "Namespace", []))])), storages)
        });
        let (pickle, storages) = &*VALUE;
        let mut pickle = pickle.clone();
        changes.iter().for_each(|change| apply(&mut pickle, change));
        let mut files = vec![("m/data.pkl".to_owned(), pickle)];
        files.extend(storages.iter().map(|(key, bytes)| (format!("m/data/{key}"), bytes.clone())));
        let start = Instant::now();
        if let Err(error) = Checkpoint::from_bytes(zipped(&files, CompressionMethod::Stored), &hints()) {
            prop_assert_eq!(error.to_string().lines().count(), 1);
        }
        prop_assert!(start.elapsed() < LONG);
    }
}
