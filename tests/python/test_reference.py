"""Against TransformerLens: stored activations of the whole family, and the figures of published models."""

import json

import algolens
import numpy as np
import pytest
from algolens import HookedTransformer
from conftest import read_safetensors

#: Of an array's largest finite value.
TOLERANCE = 3e-5


def deviation(found, expected):
    """The largest difference, in parts of the largest finite value; what is not finite must be equal."""
    finite = np.isfinite(expected)
    assert (found[~finite] == expected[~finite]).all()
    largest = np.abs(expected[finite]).max(initial=0.0)
    return np.abs(found[finite] - expected[finite]).max(initial=0.0) / max(largest, 1e-30)


def family(reference):
    return sorted(folder for folder in (reference / "family").iterdir() if folder.is_dir())


def of_folder(folder):
    """The model of a folder, as TransformerLens's users make it: a config, and a state dict."""
    config = json.loads((folder / "config.json").read_text())
    for flag in ("use_attn_result", "use_split_qkv_input", "use_hook_mlp_in"):
        config.pop(flag, None)
    model = HookedTransformer(config)
    model.load_state_dict(read_safetensors(folder / "model.safetensors"))
    return model


def test_a_cache_of_everything_is_transformerlens_s(reference):
    folders = family(reference)
    assert len(folders) == 28
    for folder in folders:
        model, stored = of_folder(folder), np.load(folder / "cache.npz")
        logits, cache = model.run_with_cache(stored["tokens"])
        assert deviation(logits, stored["logits"]) < TOLERANCE, folder.name
        expected = {name[4:] for name in stored.files if name.startswith("off/")}
        # TransformerLens has no models without positions but those that rotate by nothing.
        expected = {name for name in expected if not ("nopos" in folder.name and "hook_rot_" in name)}
        assert set(cache) == expected, folder.name
        for name in expected:
            assert deviation(cache[name], stored[f"off/{name}"]) < TOLERANCE, (folder.name, name)


def test_what_flags_add_is_transformerlens_s(reference):
    for folder in family(reference):
        model, stored = of_folder(folder), np.load(folder / "cache.npz")
        names = [
            n for n in stored.files if n in model.hook_dict and n.endswith(("hook_result", "hook_mlp_in", "_input"))
        ]
        assert names, folder.name
        _, cache = model.run_with_cache(stored["tokens"], names_filter=names)
        for name in names:
            assert deviation(cache[name], stored[name]) < TOLERANCE, (folder.name, name)
        model.set_use_attn_result(True)
        model.set_use_split_qkv_input(True)
        model.set_use_hook_mlp_in(True)
        _, cache = model.run_with_cache(stored["tokens"])
        for name in cache:
            if name in stored.files:
                assert deviation(cache[name], stored[name]) < TOLERANCE, (folder.name, name)


def test_the_post_s_model_gives_the_post_s_figures(reference):
    """The figures that the post prints, computed as it computes them."""
    model = HookedTransformer.from_checkpoint(reference / "sorted_list" / "sorted_list_model.pt")
    dataset = algolens.SortedListDataset(size=500, list_len=10, max_value=50, seed=43)
    logits, cache = model.run_with_cache(dataset.toks)
    targets = dataset.toks[:, dataset.list_len + 1 :, None]

    def log_probs_of_right(logits):
        return np.take_along_axis(algolens.utils.log_softmax(logits[:, dataset.list_len : -1]), targets, -1)[..., 0]

    right = log_probs_of_right(logits)
    assert f"{-right.mean():.3f}" == "0.039"
    assert f"{np.exp(right).mean():.3f}" == "0.966"
    assert f"{np.median(np.exp(right)):.3f}" == "0.981"
    assert f"{np.exp(right).min():.3f}" == "0.001"
    losses = []
    for head in range(2):

        def ablate(activation, hook):
            activation[:, :, head] = results[hook.name][:, :, head].mean(0)
            return activation

        name = algolens.utils.get_act_name("result", 0)
        _, results = model.run_with_cache(dataset.toks, names_filter=name)
        ablated = model.run_with_hooks(dataset.toks, fwd_hooks=[(name, ablate)])
        losses.append(f"{(right - log_probs_of_right(ablated)).mean():.3f}")
    assert losses == ["0.920", "4.963"]
    found = algolens.evaluate(model, dataset)
    assert abs(found.loss + right.mean()) < 1e-6


@pytest.mark.parametrize("name", ["max_of_list", "longest_cycle"])
def test_exact_accuracies_are_those_of_every_input(reference, name):
    folder = reference / name
    path = next(path for path in sorted(folder.iterdir()) if path.suffix in (".pt", ".pth", ".safetensors"))
    measured = json.loads((folder / "expected.json").read_text())["measured"]
    with pytest.warns(algolens.AlgolensWarning, match="assumed"):
        model = HookedTransformer.from_checkpoint(path)
    found = algolens.evaluate(model, all=True, progress=False)
    assert (found.inputs, found.right) == (measured["inputs"], measured["accuracy"] * measured["inputs"])
    assert found.loss == pytest.approx(measured["loss"], rel=2e-3)
