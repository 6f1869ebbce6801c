"""Results as values."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


class Record(dict[str, Any]):
    """A result: what the command line prints as JSON, by key or as attributes.

    A key that is called as a dictionary's method (``items``) is read by ``[…]``. ``record.provenance`` says of which model it is
    (SHA-256), by which version, backend and vector instructions, and from which call with which seed.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"a result of {', '.join(self)}, and no {name}") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        rows = [f"  {name}: {_short(value)}" for name, value in self.items() if name != "provenance"]
        return "\n".join(["Record(", *rows, ")"])

    def _repr_html_(self) -> str:
        from html import escape

        rows = [
            f"<tr><td>{escape(name)}</td><td>{escape(_short(value))}</td></tr>"
            for name, value in self.items()
            if name != "provenance"
        ]
        return f"<table>{''.join(rows)}</table>"


def record(text: str, **more: Any) -> Record:
    """The result that is this JSON, with more keys."""
    found = json.loads(text, object_hook=Record)
    return Record({**found, **more})


def _short(value: Any, depth: int = 0) -> str:
    if isinstance(value, np.ndarray):
        return f"array {list(value.shape)}"
    if isinstance(value, float):
        return f"{value:.6g}"
    most = 12 if depth == 0 else 6
    if isinstance(value, dict):
        if depth > 1:
            return "{…}"
        parts = [f"{key}: {_short(one, depth + 1)}" for key, one in list(value.items())[:most]]
    elif isinstance(value, (list, tuple)):
        if depth > 2 and any(isinstance(one, (dict, list)) for one in value):
            return f"[… of {len(value)}]"
        parts = [_short(one, depth + 1) for one in value[:most]]
    else:
        return str(value)
    more = f", … of {len(value)}" if len(value) > most else ""
    ends = "{}" if isinstance(value, dict) else "[]"
    return f"{ends[0]}{', '.join(parts)}{more}{ends[1]}"
