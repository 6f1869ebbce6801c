//! What stands in pickles beside tensors is kept, and nothing of it is executed.

use super::{
    contents, hints, load,
    make::{P, call, dict, dump, ints, object, state_dict, tensor, text, torch_zip},
    refusal, small,
};
use algolens_core::model::checkpoint::Value;

/// The value of a pickle, in every protocol the same.
fn value(value: &P) -> Value {
    contents(dump(2, value)).root
}

#[test]
fn plain_values_come_back() {
    let root = value(&dict([
        ("none", P::None),
        ("yes", P::Bool(true)),
        ("no", P::Bool(false)),
        ("small", P::Int(-7)),
        ("large", P::Int(1 << 40)),
        ("float", P::Float(0.1)),
        ("bytes", P::Bytes(vec![0, 200])),
        ("list", P::List(vec![P::Int(1), text("two")])),
        ("size", call("torch", "Size", [ints(&[2, 3])])),
        ("set", call("__builtin__", "set", [P::List(vec![text("a")])])),
        ("device", call("torch", "device", [text("cuda"), P::Int(1)])),
        ("dtype", P::Global("torch", "float32")),
        ("path", call("pathlib", "PosixPath", [text("/"), text("home"), text("me")])),
        ("date", call("datetime", "date", [P::Bytes(vec![7, 230, 1, 2])])),
        ("ordered", call("collections", "OrderedDict", [P::List(vec![P::List(vec![text("k"), P::Int(1)])])])),
        ("namespace", object("argparse", "Namespace", [("lr", P::Float(1e-3))])),
    ]));
    let of = |name: &str| root.get(name).unwrap();
    assert!(matches!(of("none"), Value::None));
    assert_eq!((of("yes").as_bool(), of("no").as_bool()), (Some(true), Some(false)));
    assert_eq!((of("small").as_int(), of("large").as_int()), (Some(-7), Some(1 << 40)));
    assert_eq!((of("float").as_float(), of("small").as_float()), (Some(0.1), Some(-7.0)));
    assert!(matches!(of("bytes"), Value::Bytes(bytes) if **bytes == [0, 200]));
    let list = |name: &str| match of(name) {
        Value::List(list) => list.items().to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!((list("list")[0].as_int(), list("list")[1].as_text()), (Some(1), Some("two")));
    assert_eq!((list("size")[1].as_int(), list("set")[0].as_text()), (Some(3), Some("a")));
    assert_eq!((of("device").as_text(), of("path").as_text()), (Some("cuda:1"), Some("/home/me")));
    assert!(matches!(of("dtype"), Value::Name(name) if &**name == "torch.float32"));
    assert!(
        matches!(of("date"), Value::Object(date) if &*date.class == "datetime.date" && date.args.items().len() == 1)
    );
    assert_eq!(of("ordered").get("k").unwrap().as_int(), Some(1));
    assert_eq!(of("namespace").get("lr").unwrap().as_float(), Some(1e-3));
}

#[test]
fn long_lists_of_losses_are_no_hindrance() {
    let model = small(1);
    let (weights, storages) = state_dict(&model, "");
    let losses = P::List((0..300_000).map(|at| P::Float(f64::from(at))).collect());
    let file = torch_zip("m", &dict([("model", weights), ("losses", losses)]), &storages);
    assert!(file.len() > 2 << 20);
    let loaded = load(file);
    assert_eq!((loaded.checkpoint.model, loaded.key.as_str()), (model, "model"));
}

#[test]
fn what_a_pickle_calls_is_named_and_not_called() {
    let trace = std::env::temp_dir().join(format!("algolens-containers-{}", std::process::id()));
    let command = text(&format!("touch {}", trace.display()));
    let model = small(1);
    let (weights, storages) = state_dict(&model, "");
    let run = call("posix", "system", [command]);
    let loaded = load(torch_zip("m", &dict([("model", weights), ("x", run.clone())]), &storages));
    assert_eq!(loaded.checkpoint.model, model);
    let said = refusal(dump(4, &run), &hints());
    assert!(said.ends_with("found an object of posix.system without tensors that have names"), "{said}");
    assert!(!trace.exists());
}

/// A module as `torch.save(model)` pickles it.
fn module<const N: usize>(class: &'static str, parts: [(&str, Vec<(&str, P)>); 3], rest: [(&str, P); N]) -> P {
    let of = |entries: Vec<(&str, P)>| {
        let pairs = entries.into_iter().map(|(name, value)| P::List(vec![text(name), value])).collect();
        call("collections", "OrderedDict", [P::List(pairs)])
    };
    let parts = parts.into_iter().map(|(part, entries)| (text(part), of(entries)));
    let rest = rest.into_iter().map(|(name, value)| (text(name), value));
    let state = P::Dict(parts.chain(rest).collect());
    P::Build(Box::new(P::New(Box::new(P::Global("somewhere.models", class)), Vec::new())), Box::new(state))
}

#[test]
fn a_whole_module_is_read_by_its_parameters_buffers_and_modules() {
    let parameter = |key: &str| {
        let hooks = call("collections", "OrderedDict", []);
        call("torch._utils", "_rebuild_parameter", [tensor("FloatStorage", key, &[2, 2]), P::Bool(true), hooks])
    };
    let leaf = |key: &str| {
        module(
            "Linear",
            [
                ("_parameters", vec![("weight", parameter(key)), ("bias", P::None)]),
                ("_buffers", vec![]),
                ("_modules", vec![]),
            ],
            [],
        )
    };
    let buffers = vec![("kept", tensor("FloatStorage", "0", &[1])), ("scratch", tensor("FloatStorage", "0", &[1]))];
    let scratch = call("builtins", "set", [P::List(vec![text("scratch")])]);
    let config = object("somewhere.config", "Config", [("d_model", P::Int(2))]);
    let modules = vec![("one", leaf("0")), ("two", leaf("1"))];
    let whole = module(
        "Model",
        [("_parameters", vec![("w", parameter("1"))]), ("_buffers", buffers), ("_modules", modules)],
        [("_non_persistent_buffers_set", scratch), ("cfg", config), ("training", P::Bool(false))],
    );
    let numbers = |from: u8| (from..from + 4).flat_map(|x| f32::from(x).to_le_bytes()).collect::<Vec<u8>>();
    let storages = [("0".to_owned(), numbers(0)), ("1".to_owned(), numbers(4))];
    for (value, key, config) in
        [(whole.clone(), "", "cfg"), (dict([("net", whole), ("epoch", P::Int(3))]), "net", "net.cfg")]
    {
        let chosen = contents(torch_zip("m", &value, &storages)).choose(None).unwrap();
        assert_eq!(chosen.key, key);
        assert_eq!(chosen.tensors.keys().collect::<Vec<_>>(), ["kept", "one.weight", "two.weight", "w"]);
        assert_eq!(chosen.tensors["two.weight"].floats::<f32>().unwrap(), [4., 5., 6., 7.]);
        let beside = chosen.beside.iter().find(|(name, _)| name == config).unwrap();
        assert_eq!(beside.1.get("d_model").unwrap().as_int(), Some(2));
    }
}

#[test]
fn values_that_hold_themselves_are_cut() {
    // A list that is put into itself, and an object that is its own attribute.
    let root = contents(b"\x80\x02]q\x00h\x00a.".to_vec()).root;
    assert!(matches!(&root, Value::List(list) if matches!(list.items(), [Value::Cycle])));
    let parent = [b"\x80\x02cm\nC\n)\x81q\x00".as_slice(), b"}X\x04\x00\x00\x00selfh\x00sb."].concat();
    let root = contents(parent).root;
    assert!(matches!(root.get("self").unwrap(), Value::Cycle));
}

#[test]
fn strings_of_python_2_and_old_opcodes_are_read() {
    // SHORT_BINSTRING, LIST and DICT from marks, LONG1 of 9 bytes, POP, DUP and tuples of one to three.
    let pickle = b"\x80\x02(U\x01a(K\x01K\x02lU\x01bK\x01K\x020\x85U\x01cN2\x86U\x01dNNN\x87U\x01e\x8a\x09\0\0\0\0\0\0\0\0\x01d.";
    let root = contents(pickle.to_vec()).root;
    let length = |name: &str| match root.get(name).unwrap() {
        Value::List(list) => list.items().len(),
        Value::Bytes(bytes) => bytes.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(["a", "b", "c", "d", "e"].map(length), [2, 1, 2, 3, 9]);
}
