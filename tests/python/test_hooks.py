"""Hooks: what they see, what they change, and what they leave alone."""

import threading
import traceback

import numpy as np
import pytest
from algolens import AlgolensError, HookedTransformer, HookedTransformerConfig, utils

CONFIGS = [
    {},
    {"normalization_type": None},
    {"attn_only": True},
    {"n_key_value_heads": 2, "positional_embedding_type": "rotary"},
    {"parallel_attn_mlp": True, "gated_mlp": True},
    {"attention_dir": "bidirectional", "normalization_type": "RMS", "positional_embedding_type": "shortformer"},
]


def model_of(options):
    usual = {"n_layers": 2, "d_model": 16, "n_ctx": 8, "d_head": 4, "d_vocab": 10, "act_fn": "gelu", "seed": 3}
    return HookedTransformer(HookedTransformerConfig(**usual | options))


@pytest.mark.parametrize("options", CONFIGS)
def test_every_way_to_run_gives_the_same_bits(options, tokens):
    model = model_of(options)
    logits = model(tokens)
    assert logits.dtype == np.float32 and logits.shape == (6, 8, 10)
    assert (model.run_with_cache(tokens)[0] == logits).all()
    assert (model.run_with_hooks(tokens) == logits).all()
    for name in model.hook_dict:
        for hook in (lambda activation, hook: activation, lambda activation, hook: None):
            assert (model.run_with_hooks(tokens, fwd_hooks=[(name, hook)]) == logits).all(), name
    everywhere = [(lambda name: True, lambda activation, hook: activation.copy())]
    assert (model.run_with_hooks(tokens, fwd_hooks=everywhere) == logits).all()


def test_a_hook_is_called_once_a_pass_and_knows_where_it_is(small, tokens):
    calls = []

    def look(activation, hook):
        calls.append((hook.name, activation.shape))

    small.run_with_hooks(tokens, fwd_hooks=[(["blocks.1.attn.hook_z", "hook_embed"], look)])
    assert calls == [("hook_embed", (6, 8, 16)), ("blocks.1.attn.hook_z", (6, 8, 4, 4))]
    places = {}
    small.run_with_hooks(tokens, fwd_hooks=[("blocks.1.hook_resid_pre", lambda a, hook: places.update(at=hook))])
    assert places["at"].layer() == 1
    with pytest.raises(AlgolensError, match="a place in a block"):
        small.hook_dict["hook_embed"].layer()


def test_edits_in_place_and_by_return_are_the_same_and_go_on(small, tokens):
    def in_place(activation, hook):
        activation[:, :, 0] = 0

    def returned(activation, hook):
        changed = activation.copy()
        changed[:, :, 0] = 0
        return changed

    def later(activation, hook):
        assert (activation[:, :, 0] == 0).all()

    name = utils.get_act_name("z", 0)
    one = small.run_with_hooks(tokens, fwd_hooks=[(name, in_place), (name, later)])
    other = small.run_with_hooks(tokens, fwd_hooks=[(name, returned)])
    assert (one == other).all() and (one != small(tokens)).any()
    assert (small(tokens) == model_of({})(tokens)).all()


def test_what_a_hook_keeps_stays_as_it_was(small, tokens):
    kept = []
    small.run_with_hooks(tokens, fwd_hooks=[("hook_embed", lambda activation, hook: kept.append(activation))])
    _, cache = small.run_with_cache(tokens)
    small(tokens)
    assert (kept[0] == cache["hook_embed"]).all()


def test_an_exception_reaches_the_caller_as_it_is(small, tokens):
    class Mine(Exception):
        pass

    def fails(activation, hook):
        raise Mine("here")

    before = small(tokens)
    with pytest.raises(Mine, match="here") as raised:
        small.run_with_hooks(tokens, fwd_hooks=[("blocks.0.attn.hook_z", fails)])
    assert "fails" in [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    with pytest.raises(Mine), small.hooks(fwd_hooks=[("blocks.0.attn.hook_z", fails)]):
        small(tokens)
    assert (small(tokens) == before).all()


def test_hooks_of_a_context_end_with_it_and_are_the_thread_s_own(small, tokens):
    before, seen = small(tokens), {}

    def zero(activation, hook):
        activation[:] = 0

    with small.hooks(fwd_hooks=[("blocks.0.attn.hook_z", zero)]) as same:
        assert same is small and (small(tokens) != before).any()
        thread = threading.Thread(target=lambda: seen.update(logits=small(tokens)))
        thread.start()
        thread.join()
    assert (small(tokens) == before).all() and (seen["logits"] == before).all()
    small.add_hook("blocks.0.attn.hook_z", zero)
    assert (small(tokens) != before).any()
    small.reset_hooks()
    assert (small(tokens) == before).all()


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        (
            lambda a, hook: a[:, :1],
            r"blocks.0.attn.hook_z returns: expected shape \[6, 8, 4, 4\], found \[6, 1, 4, 4\]",
        ),
        (lambda a, hook: a.astype(int), "expected floating-point numbers, found int64"),
        (lambda a, hook: "no", "expected floating-point numbers, found <U2"),
        (lambda a, hook: 0.0, r"found \[\]"),
    ],
)
def test_what_is_no_activation_is_refused(small, tokens, hook, says):
    with pytest.raises(AlgolensError, match=says):
        small.run_with_hooks(tokens, fwd_hooks=[("blocks.0.attn.hook_z", hook)])


def test_an_unknown_name_names_its_neighbours(small, tokens):
    says = 'no hook point is called "blocks.0.attn.hook_zz"; near it: blocks.0.attn.hook_z'
    for call in (
        lambda name: small.run_with_hooks(tokens, fwd_hooks=[(name, lambda a, hook: None)]),
        lambda name: small.run_with_cache(tokens, names_filter=name),
        lambda name: small.add_hook(name, lambda a, hook: None),
        lambda name: small.gradients(tokens, names_filter=[name]),
        lambda name: small.hooks(fwd_hooks=[(name, lambda a, hook: None)]).__enter__(),
    ):
        with pytest.raises(AlgolensError, match=says):
            call("blocks.0.attn.hook_zz")


def test_hooks_that_are_no_list_of_pairs_are_refused(small, tokens):
    with pytest.raises(AlgolensError, match="hooks: expected a list of pairs"):
        small.run_with_hooks(tokens, fwd_hooks=("hook_embed", lambda a, hook: None))
    with pytest.raises(AlgolensError, match="names_filter: expected a name, names or a function"):
        small.run_with_cache(tokens, names_filter=5)


def test_a_cache_has_short_names_and_layers_from_the_end(small, tokens):
    logits, cache = small.run_with_cache(tokens, names_filter=lambda name: "pattern" in name or "scale" in name)
    assert list(cache) == [name for name in small.hook_dict if "pattern" in name or "scale" in name]
    assert cache["pattern", -1] is cache["blocks.1.attn.hook_pattern"] is cache["pattern1"]
    assert (
        cache["scale"] is cache["ln_final.hook_scale"] and cache["scale", 0, "ln1"] is cache["blocks.0.ln1.hook_scale"]
    )
    assert ("pattern", 0) in cache and "hook_embed" not in cache and cache["pattern", np.int64(-1)] is cache["pattern1"]
    embedded = small.run_with_cache(tokens, names_filter="hook_embed")[1]
    assert ("embed",) in embedded and embedded["embed",] is embedded["hook_embed"]
    with pytest.raises(KeyError, match="no activation in the cache is called 'blocks.0.attn.hook_patern'; near it"):
        cache["blocks.0.attn.hook_patern"]
    with pytest.raises(AlgolensError, match="a batch of 1"):
        cache.remove_batch_dim()
    _, one = small.run_with_cache(tokens[:1], remove_batch_dim=True)
    assert one["pattern", 0].shape == (4, 8, 8)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        (("pattern", 0), "blocks.0.attn.hook_pattern"),
        (("k", 6, "a"), "blocks.6.attn.hook_k"),
        (("pre", 2), "blocks.2.mlp.hook_pre"),
        (("embed",), "hook_embed"),
        (("normalized", 27, "ln2"), "blocks.27.ln2.hook_normalized"),
        (("k6",), "blocks.6.attn.hook_k"),
        (("scale4ln1",), "blocks.4.ln1.hook_scale"),
        (("pre5",), "blocks.5.mlp.hook_pre"),
        (("scale",), "ln_final.hook_scale"),
        (("resid_pre", 1), "blocks.1.hook_resid_pre"),
        (("attn", 0), "blocks.0.attn.hook_pattern"),
        (("blocks.0.attn.hook_z",), "blocks.0.attn.hook_z"),
    ],
)
def test_names_of_activations_are_transformerlens_s(short, full):
    assert utils.get_act_name(*short) == full


def test_what_hooks_leave_in_a_context_stays_until_it_is_cleared(small, tokens):
    def count(activation, hook):
        hook.ctx["calls"] = hook.ctx.get("calls", 0) + 1

    for _ in range(2):
        small.run_with_hooks(tokens, fwd_hooks=[("hook_embed", count), ("hook_embed", count)])
    assert small.hook_dict["hook_embed"].ctx == {"calls": 4}
    small.reset_hooks(clear_contexts=True)
    assert small.hook_dict["hook_embed"].ctx == {}


def test_a_split_input_gives_the_norm_an_axis_of_heads(small, tokens):
    logits = small(tokens)
    small.set_use_split_qkv_input(True)
    found, cache = small.run_with_cache(tokens)
    assert (found == logits).all() and cache["normalized", 0, "ln1"].shape == (6, 8, 4, 16)
    assert cache["q_input", 1].shape == (6, 8, 4, 16)


def test_flags_say_what_a_cache_of_everything_has(small, tokens):
    names = set(small.run_with_cache(tokens)[1])
    small.set_use_attn_result(True)
    small.set_use_hook_mlp_in(True)
    added = set(small.run_with_cache(tokens)[1]) - names
    assert added == set(small.run_with_cache(tokens, names_filter=lambda name: True)[1]) - names
    assert added == {f"blocks.{layer}.{place}" for layer in range(2) for place in ("attn.hook_result", "hook_mlp_in")}
