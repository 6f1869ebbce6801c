"""Names of activations, and the loss of a language model."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ._algolens import AlgolensError

_ALIASES = {
    "attn": "pattern",
    "attn_logits": "attn_scores",
    "key": "k",
    "query": "q",
    "value": "v",
    "mlp_pre": "pre",
    "mlp_mid": "mid",
    "mlp_post": "post",
}
_LAYER_TYPES = {"a": "attn", "m": "mlp", "attention": "attn", "b": "", "block": "", "blocks": ""}
_OF_ATTENTION = {"q", "k", "v", "z", "rot_q", "rot_k", "result", "pattern", "attn_scores"}
_OF_MLP = {"pre", "post", "mid", "pre_linear"}
_SHORT = re.compile(r"([a-z]+)(\d+)([a-z0-9]*)")


def get_act_name(name: str, layer: int | str | None = None, layer_type: str | None = None) -> str:
    """The full name of a hook point, by its short one.

    ``get_act_name("pattern", 0)`` is ``"blocks.0.attn.hook_pattern"``, and so is ``get_act_name("pattern0")``;
    ``get_act_name("normalized", 0, "ln1")`` is ``"blocks.0.ln1.hook_normalized"``, without a layer that of ``ln_final``. A name
    that is full already stays as it is.
    """
    if ("." in name or name.startswith("hook_")) and layer is None and layer_type is None:
        return name
    short = _SHORT.fullmatch(name)
    if short and layer is None and layer_type is None:
        name, layer, layer_type = short[1], short[2], short[3] or None
    name = _ALIASES.get(name, name)
    if name in _OF_ATTENTION:
        layer_type = "attn"
    elif name in _OF_MLP:
        layer_type = "mlp"
    elif layer_type is not None:
        layer_type = _LAYER_TYPES.get(layer_type, layer_type)
    elif layer is None and name in ("scale", "normalized"):
        layer_type = "ln_final"
    parts = [] if layer is None else [f"blocks.{layer}"]
    parts += [layer_type] if layer_type else []
    return ".".join([*parts, f"hook_{name}"])


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """The log-probabilities of logits along the last axis, in float64."""
    logits = np.asarray(logits, dtype=np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def lm_cross_entropy_loss(logits: Any, tokens: Any, per_token: bool = False) -> Any:
    """How badly a model foretells each next token, in nats: ``logits [batch, pos, d_vocab_out]``, ``tokens [batch, pos]``.

    The mean over all but the last position, or, ``per_token``, ``[batch, pos - 1]``. Computed in float64.
    """
    logits, tokens = np.asarray(logits), np.asarray(tokens)
    if tokens.shape[-1] < 2:
        raise AlgolensError(f"loss: expected sequences of at least 2 tokens, found {tokens.shape[-1]}")
    if tokens[:, 1:].size and tokens[:, 1:].max() >= logits.shape[-1]:
        raise AlgolensError(f"loss: expected every next token to be a class below {logits.shape[-1]}")
    log_probs = log_softmax(logits[:, :-1])
    losses = -np.take_along_axis(log_probs, tokens[:, 1:, None].astype(np.int64), axis=-1)[..., 0]
    return losses if per_token else float(losses.mean())


def lm_cross_entropy_derivative(logits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The derivative of ``lm_cross_entropy_loss`` by the logits."""
    lm_cross_entropy_loss(logits, tokens)
    derivative = np.exp(log_softmax(logits))
    right = tokens[:, 1:, None].astype(np.int64)
    before = np.take_along_axis(derivative[:, :-1], right, axis=-1)
    np.put_along_axis(derivative[:, :-1], right, before - 1.0, axis=-1)
    derivative[:, -1] = 0.0
    return (derivative / tokens[:, 1:].size).astype(np.float32)
