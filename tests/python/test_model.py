"""Models: their configs, weights and files; what is refused of what comes in."""

import copy
import pickle

import algolens
import numpy as np
import pytest
from algolens import AlgolensError, HookedTransformer, HookedTransformerConfig
from conftest import ROOT


def config(**options):
    usual = {"n_layers": 2, "d_model": 16, "n_ctx": 8, "d_head": 4, "d_vocab": 10, "act_fn": "gelu"}
    return HookedTransformerConfig(**usual | options)


def test_a_config_has_transformerlens_s_defaults():
    cfg = config()
    assert (cfg.n_heads, cfg.d_mlp, cfg.d_vocab_out, cfg.attn_scale, cfg.normalization_type) == (4, 64, 10, 2.0, "LN")
    # Without a scale none is taken, whatever is said of it.
    assert config(use_attn_scale=False).attn_scale == config(use_attn_scale=False, attn_scale=2.0).attn_scale == 1.0
    assert HookedTransformerConfig(n_layers=1, d_model=4, n_ctx=3, d_head=2, d_vocab=3).act_fn == "relu"
    model = HookedTransformer(cfg)
    assert HookedTransformerConfig._from_engine(__import__("json").loads(model._model.config)) == cfg
    assert config(device="cpu", dtype="float32", init_weights=True) == cfg
    assert HookedTransformer(cfg.to_dict() | {"device": "cpu", "dtype": "float32"}).cfg == cfg


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"d_vocab": -1}, "d_vocab: expected the number of tokens, found none"),
        ({"act_fn": None}, "act_fn: expected an activation function"),
        ({"use_local_attn": True, "window_size": 3, "attn_types": ["Local", "global"]}, "attn_types: expected 'local'"),
        ({"d_head": 5}, "d_head 5 does not divide d_model 16"),
        ({"act_fn": "tanh"}, "config: .*tanh"),
        ({"n_layers": -1}, "n_layers: expected a whole number"),
        ({"d_model": "16"}, "d_model: expected a whole number from 0 to .*, found '16'"),
        ({"d_model": 1 << 20, "n_heads": 1}, "d_model"),
        ({"use_local_attn": True}, "window_size and attn_types"),
        ({"normalization_type": "Batch"}, "config: .*Batch"),
    ],
)
def test_a_config_that_no_model_has_is_refused(options, says):
    with pytest.raises(AlgolensError, match=says):
        HookedTransformer(config(**options))


def test_an_option_that_no_toy_model_has_is_refused():
    with pytest.raises(AlgolensError, match="num_experts: expected an option that toy models have, found 4"):
        HookedTransformerConfig.from_dict(config().to_dict() | {"num_experts": 4, "use_qk_norm": False})
    theirs = {
        "init_mode": "gpt2",
        "initializer_range": 0.02,
        "n_params": 99,
        "rotary_scaling_factor": 1.0,
        "yarn_truncate": True,
    }
    assert HookedTransformerConfig.from_dict(config().to_dict() | theirs) == config()
    with pytest.raises(TypeError, match="num_experts"):
        HookedTransformerConfig(n_layers=1, d_model=4, n_ctx=3, d_head=2, d_vocab=3, num_experts=4)


def test_seeds_say_the_weights():
    one, same, other = (HookedTransformer(config(seed=seed)).W_E for seed in (5, 5, 6))
    assert (one == same).all() and (one != other).any()
    assert (HookedTransformer(config(seed=6), seed=5).W_E == one).all()
    for seed in (-1, 2**64, 1.5, True):
        with pytest.raises(AlgolensError, match="seed: expected a whole number"):
            HookedTransformer(config(), seed=seed)


def test_weights_have_transformerlens_s_names_and_shapes(small):
    shapes = {"W_E": (10, 16), "W_pos": (8, 16), "W_U": (16, 10), "b_U": (10,), "W_Q": (2, 4, 16, 4), "b_K": (2, 4, 4)}
    shapes |= {"W_O": (2, 4, 4, 16), "b_O": (2, 16), "W_in": (2, 16, 64), "W_out": (2, 64, 16), "b_in": (2, 64)}
    assert {name: getattr(small, name).shape for name in shapes} == shapes
    assert (small.blocks[1].attn.W_Q == small.W_Q[1]).all() and small.ln_final.w.shape == (16,)
    assert (small.embed.W_E == small.state_dict()["embed.W_E"]).all()
    with pytest.raises(AttributeError, match="blocks.0.attn has .*W_Q.*, and no W_X"):
        small.blocks[0].attn.W_X
    with pytest.raises(ValueError, match="read-only"):
        small.W_E[0] = 0
    shared = HookedTransformer(config(n_key_value_heads=2, d_mlp=8))
    assert (shared.W_K[:, 0] == shared.W_K[:, 1]).all() and shared.blocks[0].attn.W_K.shape == (4, 16, 4)
    assert shared.blocks[0].attn._W_K.shape == (2, 16, 4)


def test_a_state_dict_goes_and_comes(small, tokens):
    other = HookedTransformer(config(seed=9))
    weights = {name: value.astype(np.float64) for name, value in small.state_dict().items()}
    other.load_state_dict(weights | {"blocks.0.attn.mask": np.ones((8, 8), bool)})
    assert (other(tokens) == small(tokens)).all()
    # Older files say the score of what is masked.
    older = {f"blocks.{layer}.attn.IGNORE": np.float32(-1e5) for layer in range(2)}
    other.load_state_dict(weights | older)
    scores = other.run_with_cache(tokens)[1]["attn_scores", 0]
    assert other.cfg.masked_score == -1e5 and (scores[..., 0, 1] == -1e5).all()
    other.load_state_dict(weights | {name: np.float32(-np.inf) for name in older})
    assert other.cfg.masked_score is None
    assert HookedTransformer(other.cfg).cfg is not other.cfg
    with pytest.raises(AlgolensError, match="IGNORE: expected one score in all blocks"):
        other.load_state_dict(weights | older | {"blocks.1.attn.IGNORE": np.float32(-1e4)})
    other.load_state_dict({"unembed.b_U": np.ones(10, np.float32)}, strict=False)
    assert np.allclose(other(tokens) - small(tokens), 1.0 - small.b_U, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"unembed.b_U": None}, "found missing unembed.b_U"),
        ({"unembed.b_V": np.zeros(10, np.float32)}, "found unexpected unembed.b_V"),
        ({"unembed.b_U": np.zeros(9, np.float32)}, r"unembed.b_U: expected shape \[10\], found \[9\]"),
        ({"unembed.b_U": np.zeros(10, int)}, "unembed.b_U: expected floating-point numbers, found int64"),
        (
            {"unembed.b_U": np.full(10, np.nan, np.float32)},
            "unembed.b_U: expected finite numbers, found NaN at element 0",
        ),
        ({"unembed.b_U": "weights"}, "unembed.b_U: expected floating-point numbers"),
        ({"unembed.b_U": [[1.0], [1.0, 2.0]]}, "unembed.b_U: expected an array"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(small, tokens, change, says):
    before = small(tokens)
    weights = {name: value for name, value in (small.state_dict() | change).items() if value is not None}
    with pytest.raises(AlgolensError, match=says):
        small.load_state_dict(weights)
    assert (small(tokens) == before).all()


def test_processing_keeps_log_probabilities(small, tokens):
    other = HookedTransformer(config())
    other.load_and_process_state_dict(small.state_dict(), fold_ln=True, center_writing_weights=True)
    log_softmax = algolens.utils.log_softmax
    assert np.abs(log_softmax(other(tokens)) - log_softmax(small(tokens))).max() < 1e-5
    assert other.cfg.normalization_type == "LNPre" and np.abs(other.W_E.mean(1)).max() < 1e-6
    plain = HookedTransformer(config(normalization_type=None))
    with pytest.warns(algolens.AlgolensWarning, match="left out: center_writing_weights would change"):
        plain.process_weights_()
    with pytest.raises(AlgolensError, match="refactor_factored_attn_matrices"):
        small.process_weights_(refactor_factored_attn_matrices=True)


def test_a_model_is_saved_copied_and_pickled(small, tokens, tmp_path):
    small.save(tmp_path / "model.safetensors")
    loaded = HookedTransformer.from_checkpoint(tmp_path / "model.safetensors")
    assert (loaded(tokens) == small(tokens)).all()
    for other in (pickle.loads(pickle.dumps(small)), copy.deepcopy(small)):
        assert (other(tokens) == small(tokens)).all() and other.cfg == small.cfg
    small.process_weights_()
    copied = copy.deepcopy(small)
    assert copied._model.state() == small._model.state() and "fold_layer_norm" in small._model.state()[1]
    with pytest.raises(AlgolensError, match="there is no folder"):
        small.save(tmp_path / "nowhere" / "model.safetensors")


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "not a readable checkpoint"), (b"\x80\x04garbage", "not a readable checkpoint"), (b"{}", "checkpoint")],
)
def test_a_file_that_lies_is_refused(tmp_path, content, says):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(AlgolensError, match=says):
        HookedTransformer.from_checkpoint(path)


def test_a_checkpoint_that_does_not_say_is_asked_about(tmp_path):
    path = ROOT / "models" / "sorted_list.safetensors"
    with pytest.raises(AlgolensError, match='no part of a config is called "n_layer"; near it: n_layers'):
        HookedTransformer.from_checkpoint(path, n_layer=1)
    with pytest.raises(AlgolensError, match="n_heads: expected .*2.*, found 4"):
        HookedTransformer.from_checkpoint(path, n_heads=4)
    with pytest.raises(AlgolensError, match="No such file"):
        HookedTransformer.from_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        (np.zeros((2, 8)), "tokens: expected whole numbers, found float64"),
        (np.zeros((2, 8), bool), "tokens: expected whole numbers, found bool"),
        (np.full((2, 8), -1), "tokens: expected numbers from 0 on, found -1"),
        (np.full((2, 8), 2**40), "tokens: expected numbers from 0 on, found 1099511627776"),
        (np.zeros((2, 2, 8), int), r"tokens: expected shape \[batch, pos\], found \[2, 2, 8\]"),
        (np.full((2, 8), 10), "expected a number below 10, found 10"),
        (np.zeros((2, 9), int), "9"),
        ([[1, 2], [3]], "tokens: expected an array"),
        ("abc", "tokens: expected whole numbers"),
        (None, "tokens: expected an array of numbers, found NoneType"),
    ],
)
def test_what_are_no_tokens_is_refused(small, tokens, says):
    with pytest.raises(AlgolensError, match=says):
        small(tokens)


def test_arrays_of_every_make_are_tokens(small, tokens):
    expected = small(tokens)
    makes = {
        "lists": tokens.tolist(),
        "uint8": tokens.astype(np.uint8),
        "big-endian": tokens.astype(">i4"),
        "Fortran": np.asfortranarray(tokens),
        "every other": np.repeat(tokens, 2, axis=1)[:, ::2],
        "backwards": tokens[:, ::-1].copy()[:, ::-1],
        "read-only": np.frombuffer(tokens.tobytes(), tokens.dtype).reshape(tokens.shape),
    }
    for make, given in makes.items():
        assert (small(given) == expected).all(), make
    assert (small(tokens[0]) == expected[:1]).all()
    assert small(np.zeros((0, 8), int)).shape == (0, 8, 10)


def test_the_loss_is_that_of_the_next_token(small, tokens):
    logits = small(tokens).astype(np.float64)
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    right = [-np.log(probs[b, p, tokens[b, p + 1]]) for b in range(6) for p in range(7)]
    assert small(tokens, return_type="loss") == pytest.approx(np.mean(right), rel=1e-12)
    assert small(tokens, return_type="loss", loss_per_token=True).ravel() == pytest.approx(right, rel=1e-12)
    both = small(tokens, return_type="both")
    assert (both.logits == small(tokens)).all() and both.loss == small(tokens, return_type="loss")
    assert small(tokens, return_type=None) is None
    with pytest.raises(AlgolensError, match="return_type: expected 'logits'"):
        small(tokens, return_type="probs")
    with pytest.raises(AlgolensError, match="at least 2 tokens"):
        small(tokens[:, :1], return_type="loss")
