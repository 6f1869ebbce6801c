"""Weights by name, as TransformerLens's modules have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._algolens import AlgolensError

if TYPE_CHECKING:
    from ._model import HookedTransformer

_SHARED = {"attn.W_K", "attn.W_V", "attn.b_K", "attn.b_V"}


def stacked(model: HookedTransformer, name: str) -> np.ndarray:
    """A weight of every block, with an axis of layers before its own. Shared keys and values stand once for each head."""
    cfg = model.cfg
    if cfg.n_layers == 0:
        raise AlgolensError(f"{name}: expected a model with blocks, found none")
    all_layers = np.stack(
        [model._model.tensor(_full(f"blocks.{layer}.{name}", model)) for layer in range(cfg.n_layers)]
    )
    if name in _SHARED and cfg.n_key_value_heads is not None:
        all_layers = all_layers.repeat(cfg.n_heads // cfg.n_key_value_heads, axis=1)
    all_layers.flags.writeable = False
    return all_layers


def _full(name: str, model: HookedTransformer) -> str:
    """The name in the state dict: TransformerLens puts a `_` before weights that heads share."""
    if name in model._model.weights:
        return name
    module, _, weight = name.rpartition(".")
    return shared if (shared := f"{module}._{weight}") in model._model.weights else name


class Part:
    """A part of a model: its weights are attributes, ``model.blocks[0].attn.W_Q``, and so are the parts in it."""

    def __init__(self, model: HookedTransformer, name: str) -> None:
        self._model = model
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        name = _full(f"{self._name}.{attribute}", self._model)
        weights = self._model._model.weights
        if name in weights:
            return self._model._model.tensor(name)
        if any(weight.startswith(f"{name}.") for weight in weights):
            return Part(self._model, name)
        raise AttributeError(f"{self._name} has {', '.join(dir(self))}, and no {attribute}")

    def __dir__(self) -> list[str]:
        inside = [
            name[len(self._name) + 1 :] for name in self._model._model.weights if name.startswith(f"{self._name}.")
        ]
        return list(dict.fromkeys(name.split(".")[0] for name in inside))

    def __repr__(self) -> str:
        return f"{self._name}: {', '.join(dir(self))}"
