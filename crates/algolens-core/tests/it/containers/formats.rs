//! Every container gives the weights that were put into it.

use super::{
    contents, hints, load,
    make::{
        P, call, dict, dump, ints, saved, state_dict, tensor, text, torch_stream, torch_zip, view, weights, zipped,
    },
    refusal, small,
};
use algolens_core::model::checkpoint::{Container, Dtype, Tensor, Value};
use algolens_testing::npy;
use ndarray::{ArrayD, IxDyn};
use safetensors::tensor::TensorView;
use std::sync::Arc;
use zip::CompressionMethod;

#[test]
fn a_zip_of_torch_save_is_read_whatever_its_folder_is_called() {
    let model = small(1);
    let (value, storages) = state_dict(&model, "");
    // With 21 characters, the directory's first entry takes as many bytes as the records after the last.
    for folder in ["archive", "palindrome_classifier", "a", "mo del/ö", "PK\u{1}\u{2}"] {
        let file = torch_zip(folder, &value, &storages);
        let loaded = load(file.clone());
        assert_eq!(loaded.checkpoint.model, model, "{folder}");
        assert_eq!((loaded.key.as_str(), loaded.passed_over.len()), ("", 0));
        assert_eq!(contents(file).container, Container::TorchZip);
    }
}

#[test]
fn a_stream_of_torch_save_is_read() {
    let model = small(1);
    let (value, storages) = state_dict(&model, "");
    let storages: Vec<_> = storages.into_iter().map(|(key, bytes)| (key, 4, bytes)).collect();
    let file = torch_stream(&value, &storages);
    assert_eq!(load(file.clone()).checkpoint.model, model);
    assert_eq!(contents(file).container, Container::TorchStream);
}

#[test]
fn a_pickled_state_dict_is_read_in_every_protocol() {
    let model = small(1);
    let entry = |(name, shape, bytes): (String, Vec<usize>, Vec<u8>)| {
        let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        (P::Text(name), view(saved("FloatStorage", 4, &bytes), 0, ints(&shape), ints(&strides)))
    };
    let value = P::Dict(weights(&model).into_iter().map(entry).collect());
    for protocol in 2..=5 {
        let file = dump(protocol, &value);
        assert_eq!(load(file.clone()).checkpoint.model, model, "{protocol}");
        assert_eq!(contents(file).container, Container::Pickle);
    }
}

#[test]
fn safetensors_keep_their_metadata_and_refuse_a_name_twice() {
    let model = small(1);
    let weights = weights(&model);
    let views = weights.iter().map(|(name, shape, bytes)| {
        (name.as_str(), TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let metadata = [("config".to_owned(), "{}".to_owned())].into();
    let file = safetensors::serialize(views, Some(metadata)).unwrap();
    assert_eq!(load(file.clone()).checkpoint.model, model);
    let read = contents(file);
    assert_eq!((read.container, read.metadata["config"].as_str()), (Container::Safetensors, "{}"));
    let one = |from| format!("\"a\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[{from},{}]}}", from + 4);
    let header = format!("{{{},{}}}", one(0), one(4));
    let twice = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat();
    let said = refusal(twice, &hints());
    assert!(said.contains("its header: the key \"a\" is there twice"), "{said}");
}

#[test]
fn npz_is_read_stored_and_deflated_in_rows_and_in_columns() {
    let model = small(1);
    let file = |method, in_columns: bool| {
        let arrays = model.params.tensors().map(|(name, array)| {
            let array = if in_columns {
                // The same array with its first dimension closest.
                let turned = array.t().as_standard_layout().into_owned();
                turned.reversed_axes()
            } else {
                array.to_owned()
            };
            (format!("{name}.npy"), npy(array))
        });
        zipped(&arrays.collect::<Vec<_>>(), method)
    };
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        for in_columns in [false, true] {
            let file = file(method, in_columns);
            let says_so = file.windows(4).any(|window| window == b"True");
            assert!(method == CompressionMethod::Deflated || says_so == in_columns);
            assert_eq!(load(file.clone()).checkpoint.model, model, "{method} {in_columns}");
            assert_eq!(contents(file).container, Container::Npz);
        }
    }
}

#[test]
fn json_of_nested_lists_is_read() {
    let model = small(1);
    let mut nested = serde_json::Map::new();
    for (name, array) in model.params.tensors() {
        let value = match array.ndim() {
            1 => serde_json::to_value(array.to_vec1()),
            2 => serde_json::to_value(
                array.outer_iter().map(|row| row.iter().copied().collect()).collect::<Vec<Vec<f32>>>(),
            ),
            _ => {
                let rows = |a: ndarray::ArrayViewD<f32>| -> Vec<Vec<f32>> {
                    a.outer_iter().map(|row| row.iter().copied().collect()).collect()
                };
                serde_json::to_value(array.outer_iter().map(rows).collect::<Vec<_>>())
            }
        };
        // An object in an object for every part of the name.
        let mut at = &mut nested;
        let (path, last) = name.rsplit_once('.').unwrap();
        for part in path.split('.') {
            at = at.entry(part).or_insert_with(|| serde_json::json!({})).as_object_mut().unwrap();
        }
        at.insert(last.to_owned(), value.unwrap());
    }
    let file = serde_json::to_vec(&serde_json::json!({"weights": nested, "epochs": 3})).unwrap();
    let loaded = load(file.clone());
    assert_eq!((loaded.checkpoint.model, loaded.key.as_str()), (model, "weights"));
    let read = contents(file);
    assert_eq!(read.container, Container::Json);
    assert_eq!(read.root.get("epochs").unwrap().as_int(), Some(3));
    let said = refusal(b"{\"a\": [1], \"a\": [2]}".to_vec(), &hints());
    assert!(said.contains("the key \"a\" is there twice"), "{said}");
}

trait ToVec {
    fn to_vec1(&self) -> Vec<f32>;
}

impl ToVec for ndarray::ArrayViewD<'_, f32> {
    fn to_vec1(&self) -> Vec<f32> {
        self.iter().copied().collect()
    }
}

/// The tensors of a zip of these values and storages.
fn tensors(entries: Vec<(&str, P)>, storages: &[(&str, Vec<u8>)]) -> impl Fn(&str) -> Arc<Tensor> + use<> {
    let storages: Vec<_> = storages.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.clone())).collect();
    let value = P::Dict(entries.into_iter().map(|(name, value)| (text(name), value)).collect());
    let chosen = contents(torch_zip("m", &value, &storages)).choose(None).unwrap();
    move |name| chosen.tensors[name].clone()
}

fn le(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn views_have_the_numbers_that_their_strides_say() {
    let numbers: Vec<f32> = (0..12_u8).map(f32::from).collect();
    let on = |offset, shape: &[usize], strides: &[usize]| {
        view(
            P::Persistent(Box::new(P::Tuple(super::make::storage("FloatStorage", "0", 12)))),
            offset,
            ints(shape),
            ints(strides),
        )
    };
    let of = tensors(
        vec![
            ("whole", on(0, &[3, 4], &[4, 1])),
            ("turned", on(0, &[4, 3], &[1, 4])),
            ("part", on(5, &[2, 2], &[4, 1])),
            ("repeated", on(7, &[2, 3], &[0, 1])),
            ("one", on(11, &[1, 1], &[usize::MAX >> 1, 99])),
            ("scalar", on(3, &[], &[])),
            ("none", on(0, &[0, 7], &[7, 1])),
        ],
        &[("0", le(&numbers))],
    );
    let read = |name: &str| of(name).floats::<f32>().unwrap();
    assert_eq!(read("whole"), numbers);
    assert_eq!(read("turned"), [0., 4., 8., 1., 5., 9., 2., 6., 10., 3., 7., 11.]);
    assert_eq!(read("part"), [5., 6., 9., 10.]);
    assert_eq!(read("repeated"), [7., 8., 9., 7., 8., 9.]);
    assert_eq!((read("one"), read("scalar"), read("none")), (vec![11.], vec![3.], vec![]));
}

#[test]
fn numbers_of_every_type_are_what_they_were() {
    let doubles: Vec<u8> = [0.1_f64, -1e300].iter().flat_map(|x| x.to_le_bytes()).collect();
    let of = tensors(
        vec![
            ("double", tensor("DoubleStorage", "0", &[1, 2])),
            ("half", tensor("HalfStorage", "1", &[2])),
            ("brain", tensor("BFloat16Storage", "2", &[2])),
            ("bool", tensor("BoolStorage", "3", &[3])),
            ("long", tensor("LongStorage", "4", &[1])),
            ("byte", tensor("ByteStorage", "3", &[3])),
        ],
        &[
            ("0", doubles),
            ("1", vec![0x00, 0x3c, 0x01, 0x80]),
            ("2", vec![0x80, 0x3f, 0x49, 0xc0]),
            ("3", vec![0, 1, 2]),
            ("4", (-5_i64).to_le_bytes().to_vec()),
        ],
    );
    assert_eq!(of("double").floats::<f64>().unwrap(), [0.1, -1e300]);
    assert_eq!(of("double").floats::<f32>().unwrap(), [0.1, f32::NEG_INFINITY]);
    assert_eq!(of("half").floats::<f32>().unwrap(), [1.0, -(2.0_f32.powi(-24))]);
    assert_eq!(of("brain").floats::<f32>().unwrap(), [1.0, -3.140_625]);
    assert_eq!(of("bool").bools().unwrap(), [false, true, true]);
    assert_eq!(of("long").integers().unwrap(), [-5]);
    assert_eq!((of("byte").dtype(), of("byte").integers().unwrap()), (Dtype::UInt8, vec![0, 1, 2]));
    assert!(of("long").floats::<f32>().is_none() && of("half").integers().is_none() && of("byte").bools().is_none());
}

#[test]
fn big_numbers_first_and_arrays_of_numpy_are_read() {
    let type_of = |name: &str, order: &str| {
        let made = call("numpy", "dtype", [text(name), P::Bool(false), P::Bool(true)]);
        let state =
            P::Tuple(vec![P::Int(3), text(order), P::None, P::None, P::None, P::Int(-1), P::Int(-1), P::Int(0)]);
        P::Build(Box::new(made), Box::new(state))
    };
    let array = |module, order: &str, in_columns, bytes: &[u8]| {
        let empty = call(module, "_reconstruct", [P::Global("numpy", "ndarray"), ints(&[0]), P::Bytes(b"b".to_vec())]);
        let state = vec![P::Int(1), ints(&[2, 2]), type_of("f4", order), P::Bool(in_columns), P::Bytes(bytes.to_vec())];
        P::Build(Box::new(empty), Box::new(P::Tuple(state)))
    };
    let big: Vec<u8> = [1.0_f32, 2., 3., 4.].iter().flat_map(|x| x.to_be_bytes()).collect();
    let scalar =
        call("numpy.core.multiarray", "scalar", [type_of("f8", "<"), P::Bytes(2.5_f64.to_le_bytes().to_vec())]);
    let buffer = P::Bytes(le(&[5., 6., 7., 8.]));
    let value = dict([
        ("rows", array("numpy._core.multiarray", "<", false, &le(&[1., 2., 3., 4.]))),
        ("columns", array("numpy.core.multiarray", "<", true, &le(&[1., 2., 3., 4.]))),
        ("big", array("numpy.core.multiarray", ">", false, &big)),
        ("buffer", call("numpy._core.numeric", "_frombuffer", [buffer, type_of("f4", "<"), ints(&[2, 2]), text("C")])),
        ("scalar", scalar),
    ]);
    for protocol in 2..=5 {
        let read = contents(dump(protocol, &value));
        let chosen = read.choose(None).unwrap();
        let of = |name: &str| chosen.tensors[name].floats::<f32>().unwrap();
        assert_eq!(of("rows"), [1., 2., 3., 4.]);
        assert_eq!(of("columns"), [1., 3., 2., 4.]);
        assert_eq!(of("big"), [1., 2., 3., 4.]);
        assert_eq!(of("buffer"), [5., 6., 7., 8.]);
        assert_eq!(read.root.get("scalar").unwrap().as_float(), Some(2.5));
    }
    let words = algolens_testing::npy_of_words(&["to", "be"]);
    let numbers = npy(ArrayD::from_elem(IxDyn(&[2, 1]), 7_i16));
    let file = zipped(&[("x.npy".into(), numbers), ("words.npy".into(), words)], CompressionMethod::Stored);
    let read = contents(file);
    let Some(Value::Tensor(x)) = read.root.get("x") else { panic!("no tensor") };
    assert_eq!((x.integers().unwrap(), x.shape()), (vec![7, 7], &[2, 1][..]));
    assert!(matches!(read.root.get("words"), Some(Value::Name(name)) if &**name == "a NumPy array of type <U2"));
}
