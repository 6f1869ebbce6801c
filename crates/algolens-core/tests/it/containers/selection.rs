//! Which state dict of a file is read, and what is passed over.

use super::{
    contents, hints, load,
    make::{P, call, dict, dump, state_dict, tensor, text, torch_zip, weights},
    refusal, small,
};
use algolens_core::{
    Error,
    model::{
        Model,
        checkpoint::{Checkpoint, Hints, Loaded},
    },
};

fn keyed(key: &str) -> Hints {
    Hints { key: Some(key.into()), ..hints() }
}

fn ignoring(names: &[&str]) -> Hints {
    Hints { ignore: names.iter().map(|name| (*name).to_owned()).collect(), ..hints() }
}

/// A file of a value that holds these models.
fn file(models: &[(&str, &Model)], value: impl Fn(Vec<P>) -> P, more: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut values, mut storages) = (Vec::new(), Vec::new());
    for (key, model) in models {
        let (value, stored) = state_dict(model, key);
        values.push(value);
        storages.extend(stored);
    }
    storages.extend(more.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.clone())));
    torch_zip("m", &value(values), &storages)
}

fn loaded(bytes: Vec<u8>, hints: &Hints) -> Loaded {
    Checkpoint::from_bytes(bytes, hints).unwrap()
}

/// Adam's state of one weight, as PyTorch saves it.
fn optimizer(key: &str) -> P {
    let of_one = dict([("step", P::Int(3)), ("exp_avg", tensor("FloatStorage", key, &[2, 2]))]);
    let group = dict([("lr", P::Float(1e-3)), ("params", P::List(vec![P::Int(0)]))]);
    dict([("state", P::Dict(vec![(P::Int(0), of_one)])), ("param_groups", P::List(vec![group]))])
}

#[test]
fn the_only_state_dict_is_found_beside_an_optimizer_losses_and_a_config() {
    let model = small(1);
    for holder in ["model", "state_dict", "net", "anything"] {
        let value = |mut values: Vec<P>| {
            dict([
                ("epoch", P::Int(12)),
                (holder, values.remove(0)),
                ("optimizer", optimizer("adam")),
                ("loss", tensor("DoubleStorage", "loss", &[])),
                ("config", dict([("d_model", P::Int(4))])),
            ])
        };
        let file = file(&[("", &model)], value, &[("adam", vec![0; 16]), ("loss", vec![0; 8])]);
        let loaded = load(file.clone());
        assert_eq!((&loaded.checkpoint.model, loaded.key.as_str()), (&model, holder));
        assert_eq!(loaded.passed_over, ["loss", "optimizer"]);
        let chosen = contents(file).choose(None).unwrap();
        let names: Vec<&str> = chosen.beside.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["epoch", "config"]);
        assert_eq!(chosen.beside[1].1.get("d_model").unwrap().as_int(), Some(4));
    }
}

#[test]
fn of_several_the_key_says_which() {
    let (model, other) = (small(1), small(2));
    let value = |values: Vec<P>| dict([("model", values[0].clone()), ("ema", values[1].clone()), ("epoch", P::Int(1))]);
    let file = file(&[("a", &model), ("b", &other)], value, &[]);
    let tensors = weights(&model).len();
    let error = Checkpoint::from_bytes(file.clone(), &hints()).unwrap_err();
    assert!(matches!(&error, Error::SeveralStateDicts { choices } if choices.len() == 2));
    let expected = format!(
        "the checkpoint holds several state dicts, ema ({tensors} tensors), model ({tensors} tensors): say which with key"
    );
    assert_eq!(error.to_string(), expected);
    for (key, expected, passed_over) in [("model", &model, "ema"), ("ema", &other, "model")] {
        let loaded = loaded(file.clone(), &keyed(key));
        assert_eq!((&loaded.checkpoint.model, loaded.key.as_str()), (expected, key));
        assert!(loaded.passed_over.iter().all(|name| name.starts_with(passed_over)), "{:?}", loaded.passed_over);
        assert!(!loaded.passed_over.is_empty());
    }
    assert_eq!(refusal(file.clone(), &keyed("emma")), "key: expected one of model, ema, epoch, found emma");
    let said = refusal(file, &keyed("epoch"));
    assert_eq!(said, "key epoch: expected a state dict (names and tensors), found a number");
}

#[test]
fn the_same_state_dict_under_two_keys_is_one() {
    let model = small(1);
    let value = |mut values: Vec<P>| {
        let put = P::Put(7, Box::new(values.remove(0)));
        dict([("model", put), ("best", P::Get(7))])
    };
    assert_eq!(load(file(&[("", &model)], value, &[])).checkpoint.model, model);
}

#[test]
fn keys_lead_into_lists_and_whole_numbers() {
    let models: Vec<Model> = (1..4).map(small).collect();
    let named: Vec<(String, &Model)> = models.iter().enumerate().map(|(at, model)| (format!("{at}/"), model)).collect();
    let named: Vec<(&str, &Model)> = named.iter().map(|(key, model)| (key.as_str(), *model)).collect();
    let list = file(&named, |values| dict([("epochs", P::List(values))]), &[]);
    let by_number = file(
        &named,
        |values| P::Dict(values.into_iter().enumerate().map(|(at, value)| (P::Int(at as i64 * 10), value)).collect()),
        &[],
    );
    for (at, model) in models.iter().enumerate() {
        let in_list = loaded(list.clone(), &keyed(&format!("epochs.{at}")));
        assert_eq!((&in_list.checkpoint.model, in_list.passed_over), (model, vec!["epochs.*".to_owned()]));
        assert_eq!(&loaded(by_number.clone(), &keyed(&(at * 10).to_string())).checkpoint.model, model, "{at}");
    }
    assert!(refusal(list.clone(), &hints()).contains("epochs.0 ("), "{}", refusal(list.clone(), &hints()));
    assert_eq!(refusal(list, &keyed("epochs.3")), "key: expected a number below 3, found epochs.3");
}

#[test]
fn a_key_that_was_found_leads_there_again() {
    let model = small(1);
    let nested = |prefix: &str| {
        let mut storages = Vec::new();
        let entries = weights(&model).into_iter().enumerate().map(|(at, (name, shape, bytes))| {
            storages.push((at.to_string(), bytes));
            (text(&format!("{prefix}{name}")), tensor("FloatStorage", &at.to_string(), &shape))
        });
        let value = P::Dict(entries.collect());
        torch_zip("m", &dict([("run", dict([("state", value), ("step", P::Int(1))]))]), &storages)
    };
    for (prefix, key) in
        [("", "run.state"), ("module.", "run.state.module"), ("module._orig_mod.", "run.state.module._orig_mod")]
    {
        let found = load(nested(prefix));
        assert_eq!((found.key.as_str(), &found.checkpoint.model), (key, &model));
        let again = loaded(nested(prefix), &keyed(key));
        assert_eq!((again.key.as_str(), &again.checkpoint.model), (key, &model));
    }
}

#[test]
fn layouts_that_nobody_knows_are_chosen_by_their_structure() {
    let keys = |value: P| {
        let storages = [("0".to_owned(), vec![0; 16]), ("1".to_owned(), vec![0; 4])];
        let chosen = contents(torch_zip("m", &value, &storages)).choose(None);
        chosen
            .map(|chosen| (chosen.key, chosen.tensors.into_keys().collect::<Vec<_>>()))
            .map_err(|error| error.to_string())
    };
    let (matrix, number) = (|| tensor("FloatStorage", "0", &[2, 2]), || tensor("FloatStorage", "1", &[1]));
    let found = |key: &str, names: &[&str]| Ok((key.to_owned(), names.iter().map(|name| (*name).to_owned()).collect()));
    let linear = || dict([("fc.weight", matrix()), ("fc.bias", number())]);
    assert_eq!(keys(linear()), found("", &["fc.bias", "fc.weight"]));
    // A copy below has the same names.
    assert_eq!(
        keys(dict([("w", matrix()), ("b", number()), ("old", dict([("w", matrix())]))])),
        found("", &["b", "w"])
    );
    // Maps of maps are one state dict, but for what is put into others.
    let nested = dict([("embed", dict([("w", matrix())])), ("head", dict([("w", matrix()), ("b", number())]))]);
    assert_eq!(keys(nested), found("", &["embed.w", "head.b", "head.w"]));
    // A frozen dict, and one with a class of its own.
    assert_eq!(
        keys(dict([("params", call("flax.core", "FrozenDict", [linear()])), ("step", P::Int(1))])),
        found("params", &["fc.bias", "fc.weight"])
    );
    assert_eq!(keys(dict([("net", linear()), ("loss", number())])), found("net", &["fc.bias", "fc.weight"]));
    assert_eq!(
        keys(dict([("params", linear()), ("stats", dict([("mean", number())]))])),
        found("params", &["fc.bias", "fc.weight"])
    );
    let two = keys(dict([("model", linear()), ("ema", linear())])).unwrap_err();
    assert!(two.contains("ema (2 tensors), model (2 tensors)"), "{two}");
    assert_eq!(keys(dict([("model.a", matrix()), ("model.b", number())])), found("model", &["a", "b"]));
    // An optimizer's state has matrices by name as well, and is none.
    assert_eq!(keys(dict([("optimizer", optimizer("0")), ("net", linear())])), found("net", &["fc.bias", "fc.weight"]));
    let alone = keys(dict([("optimizer", optimizer("0"))])).unwrap_err();
    assert!(alone.ends_with("found a dict without a state dict: optimizer"), "{alone}");
    let trained = dict([("module._orig_mod.a", matrix()), ("module._orig_mod.b", number())]);
    assert_eq!(keys(trained), found("module._orig_mod", &["a", "b"]));
}

#[test]
fn files_without_a_state_dict_say_what_they_hold() {
    let said = |value: &P| {
        let said = refusal(dump(2, value), &hints());
        said.strip_prefix("checkpoint: expected a state dict (names and tensors), found ").unwrap().to_owned()
    };
    assert_eq!(said(&P::List(vec![P::Float(0.5), P::Int(1)])), "a list of 2 numbers");
    assert_eq!(said(&P::List(vec![P::None])), "a list of 1 values without a state dict");
    assert_eq!(said(&dict([("losses", P::List(vec![])), ("lr", P::Float(0.1))])), "a dict without tensors: losses, lr");
    assert_eq!(said(&P::Dict(vec![])), "an empty dict");
    assert_eq!(said(&P::Int(3)), "a number");
    let config = refusal(br#"{"lr": 0.1, "betas": [0.9, 0.98]}"#.to_vec(), &hints());
    assert!(config.ends_with("found a dict without a state dict: lr, betas"), "{config}");
    let in_zip = |value: &P| refusal(torch_zip("m", value, &[("0".into(), vec![0; 16])]), &hints());
    assert!(
        in_zip(&tensor("FloatStorage", "0", &[2, 2])).ends_with("found a bare tensor, float32 [2, 2], without a name")
    );
    let tensors = P::List(vec![tensor("FloatStorage", "0", &[2, 2])]);
    assert!(in_zip(&tensors).ends_with("found a list of 1 tensors without names"));
    assert!(
        in_zip(&dict([("tokens", tensor("IntStorage", "0", &[2, 2]))]))
            .ends_with("a dict without a state dict: tokens")
    );
}

#[test]
fn tensors_that_are_no_weights_are_listed_at_once_unless_they_are_ignored() {
    let model = small(1);
    let (value, mut storages) = state_dict(&model, "");
    storages.push(("x".into(), vec![1, 2, 3, 4]));
    let mut entries = vec![];
    let P::Build(ordered, _) = value else { panic!("no dict") };
    let P::Call(_, pairs) = *ordered else { panic!("no dict") };
    let P::List(pairs) = pairs[0].clone() else { panic!("no dict") };
    for pair in pairs {
        let P::List(pair) = pair else { panic!("no pair") };
        entries.push((pair[0].clone(), pair[1].clone()));
    }
    let with = |more: Vec<(&str, P)>| {
        let more = more.into_iter().map(|(name, value)| (text(name), value));
        torch_zip("m", &P::Dict(entries.iter().cloned().chain(more).collect()), &storages)
    };
    let extra = || tensor("FloatStorage", "x", &[1]);
    let file = with(vec![("probe.w", extra()), ("blocks.0.attn.W_gate", extra()), ("probe.b", extra())]);
    let expected = "checkpoint: expected only weights of this kind of model, but for names to ignore, found \
                    blocks.0.attn.W_gate, probe.b, probe.w";
    assert_eq!(refusal(file.clone(), &hints()), expected);
    assert!(refusal(file.clone(), &ignoring(&["probe.*"])).ends_with("found blocks.0.attn.W_gate"));
    let passed = loaded(file.clone(), &ignoring(&["probe.*", "blocks.0.attn.W_gate"]));
    assert_eq!(passed.passed_over, ["blocks.0.attn.W_gate", "probe.b", "probe.w"]);
    assert_eq!(passed.checkpoint.model, model);
    let said = refusal(file.clone(), &ignoring(&["prob.*"]));
    assert_eq!(said, "name to ignore: expected the name of a tensor of the state dict, found prob.*");
    // A weight is read whatever is ignored.
    assert_eq!(loaded(file, &ignoring(&["*"])).checkpoint.model, model);
    // The same memory, turned; and the same bits elsewhere.
    let at = weights(&model).iter().position(|(name, ..)| name == "embed.W_E").unwrap();
    let (_, shape, bytes) = weights(&model).remove(at);
    let embedding =
        || P::Persistent(Box::new(P::Tuple(super::make::storage("FloatStorage", &at.to_string(), bytes.len() / 4))));
    let turned =
        super::make::view(embedding(), 0, super::make::ints(&[shape[1], shape[0]]), super::make::ints(&[1, shape[1]]));
    let part = super::make::view(embedding(), 2, super::make::ints(&[1]), super::make::ints(&[1]));
    assert_eq!(load(with(vec![("tied", turned), ("part", part)])).passed_over, ["part", "tied"]);
    let mut copied = storages.clone();
    copied.push(("copy".into(), bytes.clone()));
    copied.push(("zeros".into(), vec![0; bytes.len()]));
    let again = |name: &str, key: &str, shape: &[usize]| {
        let more = (text(name), tensor("FloatStorage", key, shape));
        torch_zip("m", &P::Dict(entries.iter().cloned().chain([more]).collect()), &copied)
    };
    assert_eq!(load(again("x_embed", "copy", &shape)).passed_over, ["x_embed"]);
    let reshaped = [shape[0] * shape[1]];
    assert!(refusal(again("x_embed", "copy", &reshaped), &hints()).ends_with("found x_embed"));
    assert!(refusal(again("extra", "zeros", &shape), &hints()).ends_with("found extra"));
    // Zeros equal a bias of zeros by chance.
    let (at, (name, shape, bytes)) =
        weights(&model).into_iter().enumerate().find(|(_, (name, ..))| name == "unembed.b_U").unwrap();
    copied[at].1 = vec![0; bytes.len()];
    let more = (text("extra"), tensor("FloatStorage", "zeros", &shape));
    let file = torch_zip("m", &P::Dict(entries.iter().cloned().chain([more]).collect()), &copied);
    assert!(refusal(file.clone(), &hints()).ends_with("found extra"), "{name}");
    let passed = loaded(file, &ignoring(&["extra"]));
    assert!(passed.checkpoint.model.params.tensor("unembed.b_U").unwrap().iter().all(|bias| *bias == 0.0));
}
