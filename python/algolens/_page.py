"""Pages and pictures: shown in notebooks, saved as files."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from html import escape
from pathlib import Path

from . import _algolens
from ._algolens import AlgolensError


class Page:
    """The page of a study: one HTML file that needs no network.

    A notebook shows a light page: small figures as pictures, the others by name; ``save`` writes the whole.
    """

    def __init__(self, whole: Callable[[], str], light: Callable[[], str]) -> None:
        self._whole = whole
        self._light = light

    @cached_property
    def html(self) -> str:
        """The whole page."""
        return self._whole()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the whole page."""
        write_whole(path, self.html.encode())

    def show(self, height: int = 800) -> None:
        """Shows the light page in a notebook, so many pixels high."""
        _display(framed(self._light(), height))

    def _repr_html_(self) -> str:
        return framed(self._light(), 800)


class Figure:
    """A figure of one's own arrays."""

    def __init__(self, figure: _algolens.Figure, height: int | None = None) -> None:
        self._figure = figure
        # Where it is one that the viewer draws without much code.
        self._height = height

    @property
    def html(self) -> str:
        """The figure as a page of its own, on which the pointer reads numbers."""
        return self._figure.page()

    @property
    def svg(self) -> str:
        """The figure as a picture; of attention patterns those of the first example."""
        return self._figure.svg()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the figure as a picture (``.svg``), a page (``.html``), or its numbers (``.csv``)."""
        makes = {".svg": self._figure.svg, ".html": self._figure.page, ".csv": self._figure.csv}
        suffix = Path(path).suffix.lower()
        if suffix not in makes:
            raise AlgolensError(
                f"{os.fspath(path)}: expected a name that ends with {', '.join(makes)}, found {suffix!r}"
            )
        write_whole(path, makes[suffix]().encode())

    def show(self) -> None:
        """Shows the figure in a notebook."""
        _display(self._repr_html_())

    def _repr_html_(self) -> str:
        return self.svg if self._height is None else framed(self.html, self._height)


def _display(html: str) -> None:
    try:
        from IPython.display import HTML, display
    except ImportError:
        hint = "save(path) writes a file, and pip install 'algolens[notebook]' brings a notebook"
        raise AlgolensError(f"show: expected a notebook, found no IPython: {hint}") from None
    display(HTML(html))


def framed(html: str, height: int) -> str:
    """A page inside of another, which it cannot reach."""
    style = f"width:100%;height:{height}px;border:0"
    return f'<iframe srcdoc="{escape(html)}" style="{style}" sandbox="allow-scripts allow-downloads"></iframe>'


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file under a temporary name, then renames it."""
    _algolens.write_whole(os.fspath(path), data)
