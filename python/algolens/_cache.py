"""What a run leaves behind."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ._algolens import AlgolensError
from .utils import get_act_name


class ActivationCache(Mapping[str, Any]):
    """Activations by name: ``cache["blocks.0.attn.hook_z"]``, or, for short, ``cache["z", 0]``.

    A short name is what ``utils.get_act_name`` takes; a layer below 0 is counted from the last.
    """

    def __init__(self, activations: dict[str, Any], n_layers: int, has_batch_dim: bool = True) -> None:
        self.cache_dict = activations
        self.has_batch_dim = has_batch_dim
        self._n_layers = n_layers

    def __getitem__(self, key: str | tuple[Any, ...]) -> Any:
        name = self._name(key)
        if name in self.cache_dict:
            return self.cache_dict[name]
        near = get_close_matches(name, self.cache_dict, 3, 0.6)
        raise UnknownActivation(
            f"no activation in the cache is called {name!r}" + (f"; near it: {', '.join(near)}" if near else "")
        )

    def _name(self, key: str | tuple[Any, ...]) -> str:
        if isinstance(key, str):
            return key if key in self.cache_dict else get_act_name(key)
        name, layer, *layer_type = (*key, None)[: max(2, len(key))]
        if layer is not None and not isinstance(layer, str):
            layer = operator.index(layer)
            layer += self._n_layers if layer < 0 else 0
        return get_act_name(name, layer, *layer_type)

    def __iter__(self) -> Iterator[str]:
        return iter(self.cache_dict)

    def __len__(self) -> int:
        return len(self.cache_dict)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, (str, tuple)) and self._name(key) in self.cache_dict

    def __repr__(self) -> str:
        return f"ActivationCache with keys {list(self.cache_dict)}"

    def remove_batch_dim(self) -> ActivationCache:
        """Takes the axis of the batch away, which must be 1; the cache itself is changed, as in TransformerLens."""
        if self.has_batch_dim:
            for name, activation in self.cache_dict.items():
                if activation.shape[0] != 1:
                    raise AlgolensError(
                        f"{name}: expected a batch of 1 to take its axis away, found {activation.shape[0]}"
                    )
            self.cache_dict = {name: activation[0] for name, activation in self.cache_dict.items()}
            self.has_batch_dim = False
        return self


class UnknownActivation(AlgolensError, KeyError):
    """A name that no activation in a cache has."""

    def __str__(self) -> str:
        return str(self.args[0])
