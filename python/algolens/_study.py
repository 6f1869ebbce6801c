"""Studies and their pages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import _algolens
from ._analysis import SEED, _as_given, provenance
from ._model import HookedTransformer
from ._page import Page, write_whole
from ._progress import shown
from ._record import Record, record
from ._tasks import Dataset, Task, task_of


class Study:
    """A study of a model: all that was measured, and how it is shown."""

    def __init__(self, study: _algolens.Study, origin: Record) -> None:
        self._study = study
        #: Of which model it is, by which program, and from which call.
        self.provenance = origin

    @cached_property
    def results(self) -> Record:
        """Everything but the arrays: what ``algolens study`` writes to ``results.json``."""
        return record(self._study.results)

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return self._study.arrays()

    def report(self) -> Page:
        """The study as one interactive page."""
        return Page(self._study.page, self._study.light_page)

    def save_figures(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Writes every figure as SVG, and its numbers as CSV, into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, svg, csv in self._study.figures():
            for suffix, text in (("svg", svg), ("csv", csv)):
                write_whole(folder / f"{name}.{suffix}", text.encode())
                written.append(folder / f"{name}.{suffix}")
        return written

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()

    def __repr__(self) -> str:
        lines = [f"{section['title']}: {section['headline']}" for section in self.results["sections"]]
        return "\n".join([f"Study of {self.results['title']}", *lines])


def study(
    model: HookedTransformer,
    data: Dataset | None = None,
    *,
    title: str | None = None,
    size: int | None = None,
    seed: int = SEED,
    inputs: Sequence[Sequence[int]] = (),
    others: Sequence[HookedTransformer] = (),
    raw: bool = False,
    task: Task | str | None = None,
    progress: bool = True,
) -> Study:
    """Takes a model apart: evaluation, families of inputs, ablation, circuits, attention, attribution, and what its task's
    casebook asks.

    On the model's task, or on ``data`` of your own. ``inputs`` are shown besides the examples that a study chooses; ``others``
    are models of other seeds, by which findings spread. Weights are processed first, unless they are to stay ``raw``.
    """
    processed = [one._model if raw else one._model.processed() for one in (model, *others)]
    given, assumed = (None, False) if data is not None else task_of(model, task)
    with shown("study", progress) as tell:
        found = _algolens.study(
            processed[0],
            None if given is None else given._task,
            None if data is None else _as_given(data)._data,
            title,
            size,
            seed,
            [list(one) for one in inputs],
            processed[1:],
            assumed,
            tell,
        )
    return Study(found, provenance(model, "study", seed=seed))


def report(model: HookedTransformer, data: Dataset | None = None, **options: Any) -> Page:
    """The page of a :func:`study`: ``report(model).show()``, ``report(model).save("report.html")``."""
    return study(model, data, **options).report()
