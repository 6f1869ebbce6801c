"""Gradients, against finite differences of the model's own runs."""

import numpy as np
import pytest
from algolens import AlgolensError, HookedTransformer, utils


def with_weight(model, name, change):
    """The model with one weight changed."""
    weights = {one: value.copy() for one, value in model.state_dict().items()}
    weights[name] += change
    other = HookedTransformer(model.cfg)
    other.load_state_dict(weights)
    return other


def slope(model, tokens, name, direction, of, step=1e-2):
    """The derivative of a number along a direction of one weight."""
    ends = [of(with_weight(model, name, sign * step * direction)(tokens)) for sign in (1, -1)]
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("name", ["embed.W_E", "blocks.0.attn.W_Q", "blocks.1.mlp.W_in", "unembed.b_U"])
def test_of_the_loss_by_weights(small, tokens, name):
    direction = np.random.default_rng(1).normal(size=small.state_dict()[name].shape).astype(np.float32)
    found = (small.gradients(tokens).params[name] * direction).sum()
    expected = slope(small, tokens, name, direction, lambda logits: utils.lm_cross_entropy_loss(logits, tokens))
    assert found == pytest.approx(expected, rel=2e-2, abs=1e-4)


def test_of_any_number_of_the_logits(small, tokens):
    derivative = np.zeros((6, 8, 10), np.float32)
    derivative[2, 5, 7] = 1.0
    name, direction = "embed.W_E", np.ones((10, 16), np.float32)
    for of in (derivative, lambda logits: derivative):
        found = small.gradients(tokens, of).params[name]
        direction = np.random.default_rng(1).normal(size=found.shape).astype(np.float32)
        expected = slope(small, tokens, name, direction, lambda logits: float(logits[2, 5, 7]))
        assert (found * direction).sum() == pytest.approx(expected, rel=2e-2, abs=1e-4)


def test_by_activations(small, tokens):
    name = "blocks.0.hook_resid_post"
    direction = np.random.default_rng(1).normal(size=(6, 8, 16)).astype(np.float32)

    def loss(step):
        return small.run_with_hooks(
            tokens, return_type="loss", fwd_hooks=[(name, lambda a, hook: a + step * direction)]
        )

    found = (small.gradients(tokens, names_filter=name).activations[name] * direction).sum()
    assert found == pytest.approx((loss(1e-2) - loss(-1e-2)) / 2e-2, rel=1e-2)


def test_backward_hooks_see_them_last_block_first(small, tokens):
    seen = []
    loss = small.run_with_hooks(
        tokens,
        return_type="loss",
        bwd_hooks=[
            (lambda name: name.endswith("resid_post"), lambda gradient, hook: seen.append((hook.name, gradient)))
        ],
    )
    assert loss == small(tokens, return_type="loss")
    assert [name for name, _ in seen] == ["blocks.1.hook_resid_post", "blocks.0.hook_resid_post"]
    expected = small.gradients(tokens, names_filter=lambda name: name.endswith("resid_post")).activations
    assert all((gradient == expected[name]).all() for name, gradient in seen)
    with pytest.raises(AlgolensError, match="can be seen, not changed"):
        small.run_with_hooks(tokens, return_type="loss", bwd_hooks=[("hook_embed", lambda gradient, hook: gradient)])
    with pytest.raises(AlgolensError, match="expected return_type 'loss'"):
        small.run_with_hooks(tokens, bwd_hooks=[("hook_embed", lambda gradient, hook: None)])


def test_a_cache_may_have_them_and_hooks_are_called_once(small, tokens):
    calls = []
    with small.hooks(fwd_hooks=[("hook_embed", lambda a, hook: calls.append(hook.name))]):
        logits, cache = small.run_with_cache(tokens, incl_bwd=True)
    assert calls == ["hook_embed"] and (logits == small(tokens)).all()
    plain = small.run_with_cache(tokens)[1]
    assert all((cache[name] == plain[name]).all() for name in plain)
    expected = small.gradients(tokens, names_filter=None).activations
    assert all((cache[f"{name}_grad"] == expected[name]).all() for name in expected)


def test_what_is_no_derivative_is_refused(small, tokens):
    for of, says in [
        ("logit", "expected 'loss'"),
        (np.zeros((6, 8, 9), np.float32), r"expected shape \[6, 8, 10\], found \[6, 8, 9\]"),
        (lambda logits: 3.0, r"found \[\]"),
    ]:
        with pytest.raises(AlgolensError, match=says):
            small.gradients(tokens, of)
    with pytest.raises(ZeroDivisionError):
        small.gradients(tokens, lambda logits: 1 / 0)
