"""Figures of one's own arrays, by the names that notebooks know: ``imshow``, ``bar``, ``attention``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import _algolens
from ._algolens import AlgolensError
from ._arrays import as_numpy
from ._page import Figure

#: What plotly's functions take of the layout: the layout here is the viewer's own.
_LAYOUT = {
    *("width", "height", "template", "barmode", "text", "text_auto", "title_y", "title_x", "xaxis_tickangle", "aspect"),
    *(
        "color_continuous_scale",
        "color_continuous_midpoint",
        "zmin",
        "zmax",
        "range_color",
        "yaxis_tickangle",
        "facet_col_wrap",
    ),
}
#: Most numbers of patterns on a page.
_MOST_WEIGHTS = 200_000


def imshow(
    array: Any,
    *,
    x: Sequence[Any] | None = None,
    y: Sequence[Any] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "",
    facet_col: int | None = None,
    facet_labels: Sequence[str] | None = None,
    **layout: Any,
) -> Figure:
    """A heatmap of a matrix ``[row, column]``, or of several ``[facet, row, column]`` on one scale.

    ``x`` and ``y`` label columns and rows; ``labels`` says what is along them (``"x"``, ``"y"``) and what the numbers are
    (``"color"``; of ``"weight"`` the scale begins at 0). Options of plotly's that concern the layout are passed over.
    """
    _check(layout)
    cells = _numbers("array", array)
    if facet_col is not None and not (cells.ndim == 3 and facet_col in range(-3, 3)):
        raise AlgolensError(
            f"facet_col: expected an axis of [facet, row, column], found {facet_col!r} of {cells.ndim} axes"
        )
    if facet_col:
        cells = np.ascontiguousarray(np.moveaxis(cells, facet_col, 0))
    if cells.ndim == 2:
        cells = cells[None]
    if cells.ndim != 3:
        raise AlgolensError(f"array: expected [row, column] or [facet, row, column], found shape {list(cells.shape)}")
    names = [""] if len(cells) == 1 else [str(at) for at in range(len(cells))]
    names = names if facet_labels is None else [_untagged(name) for name in facet_labels]
    said = dict(labels or {})
    rows, columns = (
        _axis(said.get(name, ""), given, cells.shape[at]) for name, given, at in (("y", y, 1), ("x", x, 2))
    )
    make = _algolens.Figure.matrices
    return Figure(make(_untagged(title), cells, names, rows, columns, _untagged(said.get("color", "value"))))


def bar(
    values: Any,
    *,
    x: Sequence[Any] | None = None,
    names: Sequence[Any] | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "",
    **layout: Any,
) -> Figure:
    """Bars of a vector, or groups of bars of several: a list of vectors, or ``[bar of a group, group]``.

    ``x`` labels the groups, ``names`` the bars of a group; ``labels`` says what is along the axis (``"index"`` or ``"x"``) and what
    the numbers are (``"value"`` or ``"y"``).
    """
    _check(layout)
    heights = np.atleast_2d(_numbers("values", values))
    if heights.ndim != 2:
        raise AlgolensError(f"values: expected vectors of one length, found shape {list(heights.shape)}")
    said = dict(labels or {})
    series = [str(at) for at in range(len(heights))] if names is None else [_untagged(name) for name in names]
    groups = _axis(said.get("index", said.get("x", "")), x, heights.shape[1])
    unit = _untagged(said.get("value", said.get("y", "")))
    return Figure(_algolens.Figure.bars(_untagged(title), np.ascontiguousarray(heights.T), groups, series, unit))


def attention(
    patterns: Any,
    tokens: Sequence[Any],
    *,
    heads: Sequence[str] | None = None,
    title: str = "Attention patterns",
) -> Figure:
    """Attention patterns ``[head, query, key]`` over tokens, or ``[batch, head, query, key]`` over those of each example.

    Of more examples than a page has room for the first are shown, and the title says how many.
    """
    weights = _numbers("patterns", patterns)
    if weights.ndim == 3:
        weights, tokens = weights[None], [tokens]
    if weights.ndim != 4:
        expected = "[head, query, key] or [batch, head, query, key]"
        raise AlgolensError(f"patterns: expected {expected}, found shape {list(weights.shape)}")
    if len(tokens) != len(weights):
        raise AlgolensError(f"tokens: expected those of {len(weights)} examples, found {len(tokens)}")
    room = max(1, _MOST_WEIGHTS // max(1, weights[0].size)) if len(weights) else 0
    if room < len(weights):
        title += f" (the first {room} of {len(weights)} examples)"
        weights, tokens = weights[:room], tokens[:room]
    words = [[str(token) for token in example] for example in tokens]
    names = [str(at) for at in range(weights.shape[1])] if heads is None else [str(head) for head in heads]
    figure = _algolens.Figure.patterns(_untagged(title), np.ascontiguousarray(weights), names, words)
    return Figure(figure, height=640)


def _numbers(what: str, value: Any) -> np.ndarray:
    if isinstance(value, (list, tuple)):
        try:
            value = np.stack([as_numpy(what, one) for one in value])
        except ValueError as error:
            raise AlgolensError(f"{what}: expected arrays of one shape, found others ({error})") from None
    array = as_numpy(what, value)
    if array.dtype == bool or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise AlgolensError(f"{what}: expected numbers, found {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)


def _axis(title: str, labels: Sequence[Any] | None, count: int) -> tuple[str, list[str]]:
    return _untagged(title), [str(at) for at in range(count)] if labels is None else [_untagged(one) for one in labels]


def _untagged(text: Any) -> str:
    """A label without the tags that plotly's may have; whatever else stands in brackets is a token."""
    return re.sub(r"</?(b|i|sub|sup|span|em|a)(\s[^>]*)?>", "", re.sub(r"<br\s*/?>", " ", str(text)))


def _check(layout: Mapping[str, Any]) -> None:
    if unknown := [name for name in layout if name not in _LAYOUT]:
        raise TypeError(f"{unknown[0]!r} is no option of this figure")
