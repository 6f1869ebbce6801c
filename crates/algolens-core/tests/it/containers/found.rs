//! Files that the fuzz targets (`fuzz/`) found to be read wrongly, and what is said of them.

use super::{
    hints,
    make::{P, dict, dump, tensor, text, torch_zip, zipped},
    refusal,
};
use algolens_core::model::checkpoint::{Checkpoint, Hints, Settings};
use std::time::{Duration, Instant};
use zip::CompressionMethod;

/// Far more than any file here needs, and far less than what is not in proportion to it would take.
const LONG: Duration = Duration::from_secs(20);

/// A `.npy` file of this header and no data.
fn npy(header: &str) -> Vec<u8> {
    [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat()
}

/// Safetensors of this header and no data.
fn safetensors(header: &str) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
}

/// Counted one after another, the elements overflow before the zero.
#[test]
fn sizes_beyond_counting_are_refused_beside_a_zero() {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1099511627776, 0), }\n";
    let file = zipped(&[("w.npy".into(), npy(header))], CompressionMethod::Stored);
    let shape = "shape [1099511627776, 1099511627776, 0]";
    assert!(refusal(file, &hints()).contains(&format!("w: expected a view of its storage's 0 numbers, found {shape}")));
    let zero_first = r#"{"w":{"dtype":"F32","shape":[0,1099511627776,1099511627776],"data_offsets":[0,0]}}"#;
    assert!(refusal(safetensors(zero_first), &hints()).contains("w: expected a view of its storage's 0 numbers"));
}

/// A number in a name is no number of things.
#[test]
fn large_numbers_in_names_cost_nothing() {
    for number in [u32::MAX as usize, usize::MAX >> 1, usize::MAX] {
        let layers = format!(
            r#"{{"transformer.wte.weight": [[1, 2]], "transformer.wpe.weight": [[1, 2]], "transformer.h.{number}.ln_1.weight": [1]}}"#
        );
        let heads = format!(r#"{{"tok_embed.weight": [[1, 2]], "layers.0.heads.{number}.W_Q.weight": [[1, 2]]}}"#);
        for (file, missing) in [(layers, "transformer.h.0.ln_1.weight"), (heads, "layers.0.heads.0.W_Q.weight")] {
            let said = refusal(file.into_bytes(), &hints());
            assert!(said.contains(missing), "{said}");
        }
    }
}

/// What is said of a size may be any number.
#[test]
fn a_number_of_heads_beyond_counting_is_refused() {
    let file = br#"{"transformer.wte.weight": [[1, 2]], "transformer.wpe.weight": [[1, 2]],
        "transformer.h.0.ln_1.weight": [1, 2], "transformer.h.0.ln_2.weight": [1, 2], "transformer.ln_f.weight": [1, 2],
        "transformer.h.0.attn.c_attn.weight": [[1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2]],
        "transformer.h.0.attn.c_proj.weight": [[1, 2], [1, 2]], "transformer.h.0.mlp.c_fc.weight": [[1, 2]],
        "transformer.h.0.mlp.c_proj.weight": [[1], [1]], "lm_head.weight": [[1, 2]]}"#;
    for n_heads in [usize::MAX, usize::MAX / 2 + 1, 2] {
        let hints = Hints::from(Settings { n_heads: Some(n_heads), ..Settings::default() });
        assert_eq!(Checkpoint::from_bytes(file.to_vec(), &hints).is_ok(), n_heads == 2, "{n_heads}");
    }
}

/// Files of a megabyte or less on which the work, or the memory, was far from in proportion to that.
#[test]
fn what_is_said_often_is_neither_copied_nor_read_often() {
    const TIMES: usize = 100_000;
    let text = |text: &[u8]| [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text].concat();
    let long = text(&[b'x'; 1 << 19]);
    let pickle = |parts: &[&[u8]]| [b"\x80\x04".as_slice(), &parts.concat(), b"."].concat();
    let class = [b"c".as_slice(), &[b'm'; 4000], b"\n", &[b'n'; 4000], b"\nq\x00"].concat();
    let kept = |of: &[u8], each: &[u8]| pickle(&[of, b"0](", &each.repeat(TIMES), b"e"]);
    let id =
        [b"(", text(b"storage").as_slice(), b"ctorch\nFloatStorage\n", &long, &text(b"cpu"), b"K\x01tq\x00"].concat();
    let encode = [&long[..], b"q\x00", &text(b"a"), b"q\x01c_codecs\nencode\nq\x02"].concat();
    let dtype = [&text(&[b'<'; 1 << 19])[..], b"q\x00cnumpy\ndtype\nq\x01"].concat();
    let dicts = vec![r#"{"w": [[1.5]]}"#; 60_000].join(",");
    let deep = format!("{}{{\"l\": [{dicts}]}}{}", r#"{"a":"#.repeat(100), "}".repeat(100));
    let wrapped = format!(r#"{{"{}x": [[1.5, 2]]}}"#, "module.".repeat(1 << 20));
    let files: [(&str, Vec<u8>, &str); 9] = [
        ("a class called", kept(&class, b"h\x00)R"), "a list of 100000 values"),
        ("its name made", kept(&[&long[..], b"q\x00"].concat(), b"h\x00h\x00\x93"), "a name claims"),
        ("a call called", pickle(&[&long, b"q\x00h\x00\x93", &b")R".repeat(TIMES)]), "a name claims"),
        ("an encoding", kept(&encode, b"h\x02h\x01h\x00\x86R"), "a list of 100000 values"),
        ("a storage's key", kept(&id, b"h\x00Q"), "expected its type, key and size, found no key"),
        ("a dict's key", pickle(&[&long, b"q\x000}(", &b"h\x00N".repeat(TIMES), b"u"]), "a key claims"),
        ("a type's name", kept(&dtype, b"h\x01h\x00\x85R"), "a list of 100000 values"),
        ("a name's wrappers", wrapped.into_bytes(), "x"),
        ("the way to a state dict", deep.into_bytes(), "the way to a state dict claims"),
    ];
    for (what, file, expected) in files {
        let start = Instant::now();
        let said = refusal(file, &hints());
        assert!(said.contains(expected), "{what}: {said}");
        assert!(start.elapsed() < LONG, "{what}: {:?}", start.elapsed());
    }
}

/// Entries that are looked at again and again count each time, whatever their keys and whatever is found.
#[test]
fn entries_count_where_they_are_looked_at() {
    const TIMES: usize = 100_000;
    let storages = [("0".to_owned(), vec![0; 16])];
    let w = || tensor("FloatStorage", "0", &[2, 2]);
    let wide = |last: Vec<(P, P)>| P::Dict((0..TIMES).map(|_| (P::None, P::None)).chain(last).collect());
    let often = |value: P, each: P| {
        let places =
            P::List(std::iter::once(P::Put(0, Box::new(value))).chain((0..TIMES).map(|_| each.clone())).collect());
        torch_zip("m", &places, &storages)
    };
    let mixed = wide(vec![(text("mixed"), dict([("x", P::None), ("w", w())]))]);
    let optimizer = wide(vec![(text("state"), dict([("w", w())])), (text("param_groups"), P::None)]);
    let object = |state: P| P::Build(Box::new(P::New(Box::new(P::Global("x", "Y")), Vec::new())), Box::new(state));
    for (value, each) in [(mixed, P::Get(0)), (optimizer, P::Get(0)), (wide(Vec::new()), object(P::Get(0)))] {
        let start = Instant::now();
        let said = refusal(often(value, each), &hints());
        assert!(start.elapsed() < LONG, "{said}: {:?}", start.elapsed());
    }
}

/// An archive's directory may say of many files that they stand in one place; then that is read for each.
#[test]
fn files_of_an_archive_that_overlap_are_refused() {
    let files =
        [("m/data.pkl", dump(2, &P::None)), ("m/data/0", vec![1; 1 << 12]), ("m/data/1", vec![]), ("m/data/2", vec![])];
    let mut file = zipped(&files.map(|(name, bytes)| (name.to_owned(), bytes)), CompressionMethod::Stored);
    let is_entry = |at: &usize| file[*at..].starts_with(b"PK\x01\x02");
    let entries: Vec<usize> = (0..file.len()).filter(is_entry).collect();
    // The checksum, the sizes, and the place.
    for part in [16..28, 42..46] {
        let of_first = file[entries[1] + part.start..entries[1] + part.end].to_vec();
        for entry in &entries[2..] {
            file[entry + part.start..entry + part.end].copy_from_slice(&of_first);
        }
    }
    assert!(refusal(file, &hints()).ends_with("as a zip archive: its files overlap"));
}
