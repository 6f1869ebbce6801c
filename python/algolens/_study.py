"""Studies and their pages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import _algolens
from ._algolens import AlgolensError
from ._analysis import SEED, fitting, made_by
from ._arrays import as_count
from ._model import HookedTransformer
from ._page import Page, write_whole
from ._progress import shown
from ._record import Record, record
from ._tasks import Dataset, Task, task_of


class Study:
    """A study of a model: all that was measured, and how it is shown."""

    def __init__(self, study: _algolens.Study) -> None:
        self._study = study

    @property
    def provenance(self) -> Record:
        """Where it comes from: of which model it is, by which program, and from which call."""
        return Record(self.results["provenance"])

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
    if data is not None and task is not None:
        raise AlgolensError("task: expected none beside data, found one")
    given_data = None if data is None else fitting(model, data)
    given, assumed = (None, False) if data is not None else task_of(model, task)
    call = made_by(
        "study",
        data=given_data,
        title=title,
        size=size,
        seed=None if data is not None else seed,
        inputs=[list(one) for one in inputs] or None,
        others=[f"model with SHA-256 {_sha256(other)}" for other in others] or None,
        raw=raw,
        task=None if given is None else given.spec,
    )
    processed = [one._model if raw else one._model.processed() for one in (model, *others)]
    with shown("study", progress) as tell:
        found = _algolens.study(
            processed[0],
            None if given is None else given._task,
            None if given_data is None else given_data._data,
            title,
            None if size is None else as_count("size", size),
            as_count("seed", seed, 0),
            [[as_count("input", token, 0) for token in one] for one in inputs],
            processed[1:],
            assumed,
            call,
            tell,
        )
    return Study(found)


def report(model: HookedTransformer, data: Dataset | None = None, **options: Any) -> Page:
    """The page of a ``study``: ``report(model).show()``, ``report(model).save("report.html")``."""
    return study(model, data, **options).report()


def _sha256(model: HookedTransformer) -> str:
    return str(record(model._model.provenance(""))["sha256"])
