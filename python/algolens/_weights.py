"""Weights by name, as TransformerLens's modules have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._algolens import AlgolensError

if TYPE_CHECKING:
    from ._model import HookedTransformer

_SHARED = {"attn.W_K", "attn.W_V", "attn.b_K", "attn.b_V"}


def stacked(model: HookedTransformer, name: str) -> np.ndarray:
    """A weight of every block, with an axis of layers before its own."""
    layers = range(model.cfg.n_layers)
    if not layers:
        raise AlgolensError(f"{name}: expected a model with blocks, found none")
    all_layers = np.stack([weight(model, f"blocks.{layer}.{name}") for layer in layers])
    all_layers.flags.writeable = False
    return all_layers


def weight(model: HookedTransformer, name: str) -> np.ndarray:
    """A weight by its name, keys and values that heads share once for each head; ``_W_K`` and its like once for each group."""
    if name in model._model.weights:
        return model._model.tensor(name)
    module, _, short = name.rpartition(".")
    cfg = model.cfg
    if cfg.n_key_value_heads is None or f"attn.{short}" not in _SHARED:
        return model._model.tensor(name)
    repeated = model._model.tensor(f"{module}._{short}").repeat(cfg.n_heads // cfg.n_key_value_heads, axis=0)
    repeated.flags.writeable = False
    return repeated


class Part:
    """A part of a model: its weights are attributes, ``model.blocks[0].attn.W_Q``, and so are the parts in it."""

    def __init__(self, model: HookedTransformer, name: str) -> None:
        self._model = model
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        name = f"{self._name}.{attribute}"
        weights = self._model._model.weights
        if any(one.startswith(f"{name}.") for one in weights):
            return Part(self._model, name)
        if name in weights or f"{self._name}._{attribute}" in weights:
            return weight(self._model, name)
        raise AttributeError(f"{self._name} has {', '.join(dir(self))}, and no {attribute}")

    def __dir__(self) -> list[str]:
        inside = [
            name[len(self._name) + 1 :] for name in self._model._model.weights if name.startswith(f"{self._name}.")
        ]
        return list(dict.fromkeys(name.split(".")[0] for name in inside))

    def __repr__(self) -> str:
        return f"{self._name}: {', '.join(dir(self))}"
