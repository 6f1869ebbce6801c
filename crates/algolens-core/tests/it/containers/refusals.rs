//! What cannot be read is refused on one line that says what it is.

use super::{
    contents, hints,
    make::{P, call, dict, dump, ints, state_dict, storage, tensor, text, torch_stream, torch_zip, view, zipped},
    refusal, small,
};
use algolens_core::model::checkpoint::{Checkpoint, Contents, Hints};
use zip::CompressionMethod;

fn said(bytes: impl Into<Vec<u8>>) -> String {
    let said = refusal(bytes.into(), &hints());
    said.strip_prefix("not a readable checkpoint: ").unwrap_or(&said).to_owned()
}

#[test]
fn files_of_other_kinds_are_called_by_their_names() {
    let mut tar = vec![0; 600];
    tar[257..262].copy_from_slice(b"ustar");
    let keras = zipped(&[("model.weights.h5".into(), vec![1])], CompressionMethod::Stored);
    let saved_model = zipped(&[("m/saved_model.pb".into(), vec![1])], CompressionMethod::Stored);
    let other = zipped(&[("readme.txt".into(), vec![1])], CompressionMethod::Stored);
    let script = zipped(
        &[("m/data.pkl".into(), dump(2, &P::None)), ("m/constants.pkl".into(), dump(2, &P::None))],
        CompressionMethod::Stored,
    );
    for (bytes, kind) in [
        (b"\x89HDF\r\n\x1a\n more".to_vec(), "an HDF5 file"),
        (b"\x08\x01\x12\x03abc".to_vec(), "a TensorFlow SavedModel"),
        (b"\x08\x07\x12\x07pytorch".to_vec(), "an ONNX model"),
        (b"GGUF\x03\0\0\0".to_vec(), "a GGUF file"),
        (b"\x1f\x8b\x08\0".to_vec(), "compressed with gzip"),
        (b"\x93NUMPY\x01\0".to_vec(), "a single array"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(), "a Git LFS pointer"),
        (b"\n<!DOCTYPE html>\n<html>".to_vec(), "a web page"),
        (tar, "a tar archive"),
        (keras, "a Keras model"),
        (saved_model, "a TensorFlow SavedModel"),
        (other, "a zip archive, but neither of torch.save"),
        (script, "a TorchScript program"),
        (b"import torch\n".to_vec(), "neither safetensors nor PyTorch"),
        (b"".to_vec(), "the file is empty"),
    ] {
        let said = said(bytes);
        assert!(said.starts_with(kind), "{kind}: {said}");
    }
}

/// A file in which every byte that is not ASCII became U+FFFD, as by `decode("utf-8", errors="replace")`.
fn as_text(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| if *byte < 0x80 { vec![*byte] } else { "\u{fffd}".into() }).collect()
}

fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| if *byte == b'\n' { b"\r\n".to_vec() } else { vec![*byte] }).collect()
}

#[test]
fn damage_by_programs_for_text_is_told() {
    let model = small(1);
    let (value, storages) = state_dict(&model, "");
    let zip = torch_zip("m", &value, &storages);
    let stream: Vec<_> = storages.iter().map(|(key, bytes)| (key.clone(), 4, bytes.clone())).collect();
    let stream = torch_stream(&value, &stream);
    let safetensors = Checkpoint { model, task: None }.to_bytes().unwrap();
    for (name, bytes) in [("zip", &zip), ("stream", &stream), ("safetensors", &safetensors)] {
        let said = said(as_text(bytes));
        assert!(said.starts_with("damaged by a text conversion"), "{name}: {said}");
    }
    // Its weights have two bytes that are an end of a line.
    let at = safetensors.len() - 8;
    let safetensors = [&safetensors[..at], b"\n\0\0\0\0\n\0\0"].concat();
    assert!(Contents::from_bytes(safetensors.clone()).is_ok());
    for (name, bytes) in [("zip", &zip), ("stream", &stream), ("safetensors", &safetensors)] {
        let said = said(with_crlf(bytes));
        assert!(said.starts_with("damaged by a conversion of line ends"), "{name}: {said}");
    }
}

#[test]
fn what_is_text_anyway_is_not_called_damaged() {
    let said = said("{\r\n \"a\": 1,\r\n \"b\": \u{fffd}\u{fffd}\r\n".as_bytes());
    assert_eq!(said, "as JSON: expected value at line 3 column 7");
}

#[test]
fn truncated_files_are_refused_wherever_they_end() {
    let model = small(1);
    let (value, storages) = state_dict(&model, "");
    let zip = torch_zip("m", &value, &storages);
    let stream: Vec<_> = storages.iter().map(|(key, bytes)| (key.clone(), 4, bytes.clone())).collect();
    let stream = torch_stream(&value, &stream);
    let npz = zipped(
        &[("a.npy".into(), algolens_testing::npy(ndarray::ArrayD::<f32>::ones(ndarray::IxDyn(&[2, 2]))))],
        CompressionMethod::Deflated,
    );
    let json = br#"{"embed": {"W_E": [[1.0, 2.0], [3.0, 4.0]]}}"#.to_vec();
    for bytes in [zip, stream, npz, json] {
        assert!(Contents::from_bytes(bytes.clone()).is_ok());
        for cut in 0..bytes.len() {
            let error = Contents::from_bytes(bytes[..cut].to_vec()).expect_err("it is truncated");
            assert_eq!(error.to_string().lines().count(), 1, "{cut}");
            if bytes.starts_with(b"PK") && cut > 4 {
                let expected = "not a readable checkpoint: as a zip archive: it is truncated or damaged (";
                assert!(error.to_string().starts_with(expected), "{error}");
            }
        }
    }
}

#[test]
fn archives_that_torch_save_does_not_write_are_refused() {
    let (value, storages) = state_dict(&small(1), "");
    let mut files = vec![("m/data.pkl".to_owned(), dump(2, &value))];
    files.extend(storages.iter().map(|(key, bytes)| (format!("m/data/{key}"), bytes.clone())));
    let deflated = said(zipped(&files, CompressionMethod::Deflated));
    assert_eq!(deflated, "as a zip archive: m/data.pkl is compressed, which torch.save never does");
    // The writer makes no two files of one name: one is renamed in the bytes.
    let twice = zipped(&[files.clone(), vec![("m/data/zzz".into(), vec![7])]].concat(), CompressionMethod::Stored);
    let at: Vec<usize> = (0..twice.len() - 10).filter(|at| twice[*at..].starts_with(b"m/data/zzz")).collect();
    let mut twice = [files.clone(), vec![("m/data/zzz".into(), vec![7]), ("m/data/yyy".into(), vec![8])]].concat();
    let mut twice = zipped(&std::mem::take(&mut twice), CompressionMethod::Stored);
    let places: Vec<usize> = (0..twice.len() - 10).filter(|at| twice[*at..].starts_with(b"m/data/yyy")).collect();
    assert_eq!((at.len(), places.len()), (2, 2));
    places.iter().for_each(|at| twice[at + 7..at + 10].copy_from_slice(b"zzz"));
    assert_eq!(said(twice), "as a zip archive: two of its files have one name");
    files.pop();
    let missing = said(zipped(&files, CompressionMethod::Stored));
    assert!(missing.starts_with("as a zip archive: it has no file m/data/"), "{missing}");
}

#[test]
fn a_checksum_that_does_not_fit_is_damage_unless_none_does() {
    let model = small(1);
    let (value, storages) = state_dict(&model, "");
    let intact = torch_zip("m", &value, &storages);
    let (_, weights) = &storages[0];
    let mut damaged = intact.clone();
    let at = damaged.windows(weights.len()).position(|window| window == weights.as_slice()).unwrap();
    damaged[at] ^= 1;
    assert_eq!(
        said(damaged),
        "as a zip archive: m/data/0 has another checksum than it should: it is damaged; get it again"
    );
    // torch.serialization.set_crc32_options(False)
    let mut without = intact;
    let starts: Vec<usize> = (0..without.len() - 4).filter(|at| without[*at..].starts_with(b"PK\x01\x02")).collect();
    starts.iter().for_each(|at| without[at + 16] ^= 1);
    assert_eq!(super::load(without).checkpoint.model, model);
}

/// What is said of a zip whose tensor `a.w` is a view of four numbers.
fn of_view(offset: i64, shape: P, strides: P) -> String {
    let four = P::Persistent(Box::new(P::Tuple(storage("FloatStorage", "0", 4))));
    let value = dict([("a", dict([("w", view(four, offset, shape, strides))]))]);
    said(torch_zip("m", &value, &[("0".into(), vec![0; 16])]))
}

#[test]
fn views_that_leave_their_storage_are_refused_by_name() {
    let beyond = |shape: &str, strides: &str, offset: usize| {
        format!(
            "a.w: expected a view of its storage's 4 numbers, found shape {shape} with strides {strides} from number {offset}"
        )
    };
    assert_eq!(of_view(0, ints(&[2, 3]), ints(&[3, 1])), beyond("[2, 3]", "[3, 1]", 0));
    assert_eq!(of_view(1, ints(&[2, 2]), ints(&[2, 1])), beyond("[2, 2]", "[2, 1]", 1));
    assert_eq!(of_view(4, ints(&[]), ints(&[])), beyond("[]", "[]", 4));
    let huge = 1 << (usize::BITS / 2 + 8);
    assert_eq!(of_view(0, ints(&[huge, huge]), ints(&[0, 0])), beyond(&format!("[{huge}, {huge}]"), "[0, 0]", 0));
    assert_eq!(of_view(0, ints(&[3]), ints(&[usize::MAX >> 1])), beyond("[3]", &format!("[{}]", usize::MAX >> 1), 0));
    let claims = of_view(0, ints(&[huge]), ints(&[0]));
    assert!(claims.starts_with(&format!("a.w claims {} bytes", huge * 4)), "{claims}");
    let negative = of_view(0, P::Tuple(vec![P::Int(-2)]), ints(&[1]));
    assert_eq!(negative, "a.w: expected sizes that are whole numbers from 0 up, found -2");
    let strides = of_view(0, ints(&[2]), P::Tuple(vec![P::Int(-1)]));
    assert_eq!(strides, "a.w: expected strides that are whole numbers from 0 up, found -1");
    assert_eq!(of_view(-1, ints(&[2]), ints(&[1])), "a.w: expected the place of its first number, found none");
    assert_eq!(
        of_view(0, ints(&[2]), ints(&[1, 1])),
        "a.w: expected a stride for every dimension, found shape [2], strides [1, 1]"
    );
    assert_eq!(of_view(0, ints(&[1; 17]), ints(&[1; 17])), "a.w: expected at most 16 dimensions, found 17");
}

#[test]
fn storages_that_are_none_are_refused() {
    let of = |id: Vec<P>| {
        said(torch_zip(
            "m",
            &view(P::Persistent(Box::new(P::Tuple(id))), 0, ints(&[1]), ints(&[1])),
            &[("0".into(), vec![0; 8])],
        ))
    };
    let short = of(storage("FloatStorage", "0", 3));
    assert_eq!(short, "as a zip archive: m/data/0 has 8 bytes for 3 numbers of float32");
    assert_eq!(
        of(storage("FloatStorage", "0", usize::MAX >> 2)),
        format!("as a zip archive: m/data/0 has 8 bytes for {} numbers of float32", usize::MAX >> 2)
    );
    assert!(of(storage("FancyStorage", "0", 1)).contains("expected its type, key and size, found FancyStorage"));
    assert!(of(vec![text("module"), P::None]).contains("a view of something that is no storage"));
    assert!(of(vec![text("socket"), P::None]).contains("it refers to something outside"));
    let load = |bytes: &[u8]| dump(3, &call("torch.storage", "_load_from_bytes", [P::Bytes(bytes.to_vec())]));
    assert!(said(load(b"nothing")).contains("it does not begin as a stream of PyTorch"));
    let stream = |key: &str, bytes| torch_stream(&tensor("FloatStorage", "0", &[1]), &[(key.into(), 4, bytes)]);
    assert_eq!(said(stream("0", vec![0; 8])), "as a pickle: the storage 0: expected 1 numbers, found another");
    assert_eq!(said(stream("1", vec![0; 4])), "as a pickle: nothing says what the storage 1 is");
    let alone = dump(2, &tensor("FloatStorage", "0", &[1]));
    assert_eq!(said(alone), "as a pickle: it has no storage 0: torch.save keeps them beside it");
    let more = [dump(2, &P::None), vec![1, 2]].concat();
    assert_eq!(said(more), "as a pickle: 2 bytes come after its end: expected one pickle");
    let zero = b"\x80\x02I1\n.";
    assert_eq!(said(*zero), "as a pickle: it uses I, of protocol 0; save it with protocol 2 to 5");
}

#[test]
fn numbers_that_are_none_are_named_with_their_place() {
    let mut model = small(1);
    let at = model.params.layout().names()[0].range().start + 2;
    model.params.values_mut()[at] = f32::INFINITY;
    let (value, storages) = state_dict(&model, "");
    let name = model.params.layout().names()[0].name.clone();
    assert_eq!(
        said(torch_zip("m", &value, &storages)),
        format!("{name}: expected finite numbers, found inf at element 2")
    );
}

#[test]
fn our_own_files_take_no_key() {
    let bytes = Checkpoint { model: small(1), task: None }.to_bytes().unwrap();
    let hints = Hints { key: Some("model".into()), ..hints() };
    assert_eq!(refusal(bytes.clone(), &hints), "key: expected none: the file holds one model, found model");
    assert_eq!(contents(bytes).metadata.len(), 1);
}
