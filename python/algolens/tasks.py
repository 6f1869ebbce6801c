"""The tasks that the library has, each a function of its options: ``tasks.sorted_list(list_len=5)``.

``tasks.names()`` says which there are.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

from . import _algolens
from ._tasks import Task

_KINDS: dict[str, tuple[dict[str, Any], str]] = {
    spec.pop("name"): (spec, about) for spec, about in json.loads(_algolens.Task.kinds())
}


def names() -> list[str]:
    """The names of all tasks."""
    return list(_KINDS)


def _made(name: str, defaults: dict[str, Any], about: str) -> Callable[..., Task]:
    def task(**options: Any) -> Task:
        return Task.named(name, **options)

    parameters = [
        inspect.Parameter(one, inspect.Parameter.KEYWORD_ONLY, default=value) for one, value in defaults.items()
    ]
    task.__name__ = task.__qualname__ = name
    task.__doc__ = f"{about[:1].upper()}{about[1:]}."
    task.__signature__ = inspect.Signature(parameters, return_annotation=Task)  # type: ignore[attr-defined]
    return task


globals().update({name: _made(name, *kind) for name, kind in _KINDS.items()})
__all__ = ["names", *_KINDS]


def __getattr__(name: str) -> Any:
    from difflib import get_close_matches

    near = get_close_matches(name, _KINDS, 3)
    raise AttributeError(f"no task is called {name!r}" + (f"; near it: {', '.join(near)}" if near else ""))
