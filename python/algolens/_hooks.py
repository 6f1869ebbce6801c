"""Hook points and the functions at them, as TransformerLens's users write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ._algolens import AlgolensError
from ._arrays import as_floats, is_torch, like

#: The name of a hook point, names, or what says of a name whether it is meant.
Names = str | Sequence[str] | Callable[[str], bool]
#: A function that sees an activation: what it returns, or its edits in place, go on through the model.
HookFunction = Callable[..., Any]
#: Where, and what.
HookPair = tuple[Names, HookFunction]


class HookPoint:
    """The place that a hook is called at."""

    def __init__(self, name: str) -> None:
        #: Its full name, such as ``"blocks.0.attn.hook_z"``.
        self.name = name
        #: What hooks at this place leave for each other, until ``reset_hooks(clear_contexts=True)``.
        self.ctx: dict[str, Any] = {}

    def layer(self) -> int:
        """The block that the place is in."""
        parts = self.name.split(".")
        if parts[0] != "blocks":
            raise AlgolensError(f"{self.name}: expected a place in a block, found one outside of them")
        return int(parts[1])

    def __repr__(self) -> str:
        return f"HookPoint({self.name!r})"


def matching(names: Names | None, points: Sequence[str], usual: Sequence[str] | None = None) -> list[str]:
    """The names that a filter means, in the order of the forward pass; one that is unknown is kept, to be refused.

    Of a function, and of none, those of the ``usual`` points, all if they are not given.
    """
    usual = points if usual is None else usual
    if names is None:
        return list(usual)
    if isinstance(names, str):
        return [names]
    if callable(names):
        return [name for name in usual if names(name)]
    if not isinstance(names, (list, tuple, set, frozenset)):
        raise AlgolensError(f"names_filter: expected a name, names or a function of names, found {names!r}")
    wanted = list(dict.fromkeys(names))
    if wrong := [name for name in wanted if not isinstance(name, str)]:
        raise AlgolensError(f"names_filter: expected names of hook points, found {wrong[0]!r}")
    return sorted(wanted, key=lambda name: points.index(name) if name in points else -1)


class Places:
    """The hook points of a model, each one object, so that what hooks leave in its ``ctx`` stays."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.points = {name: HookPoint(name) for name in names}

    def at(
        self, pairs: Iterable[HookPair], usual: Sequence[str], sample: Any
    ) -> list[tuple[str, Callable[..., np.ndarray]]]:
        """Hooks as the engine calls them: one a point, in the order in which they were given."""
        hooks = []
        for pair in pairs:
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise AlgolensError(
                    f"hooks: expected a list of pairs of a name and a function, found {pair!r} among them"
                )
            names, function = pair
            if not callable(function):
                raise AlgolensError(f"hook at {names!r}: expected a function, found {type(function).__name__}")
            for name in matching(names, self.names, usual):
                hooks.append((name, _called(function, self.points.get(name, HookPoint(name)), sample)))
        return hooks


def _called(function: HookFunction, point: HookPoint, sample: Any) -> Callable[..., np.ndarray]:
    def call(activation: np.ndarray, name: str) -> np.ndarray:
        given = like(activation, sample)
        answer = function(given, hook=point)
        if answer is None or answer is given:
            return activation
        what = f"what the hook at {name} returns"
        answer = as_floats(what, answer)
        if answer.shape != activation.shape:
            raise AlgolensError(f"{what}: expected shape {list(activation.shape)}, found {list(answer.shape)}")
        return answer

    return call


def show_gradients(
    pairs: Iterable[HookPair], places: Places, usual: Sequence[str], gradients: dict[str, np.ndarray], sample: Any
) -> None:
    """Calls backward hooks with the gradients at their points, in the order of the backward pass."""
    at = [(set(matching(names, places.names, usual)), function) for names, function in pairs]
    for name in reversed(places.names):
        for names, function in at:
            if name not in names:
                continue
            gradient = gradients[name].copy()
            gradient.flags.writeable = is_torch(sample)
            if function(like(gradient, sample), hook=places.points[name]) is not None:
                raise AlgolensError(
                    f"what the backward hook at {name} returns: expected None: gradients can be seen, not changed"
                )
