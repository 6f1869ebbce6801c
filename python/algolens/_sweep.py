"""Sweeps: many models of one plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from . import _algolens
from ._algolens import AlgolensError
from ._arrays import as_json
from ._cluster import Cluster
from ._page import Page
from ._progress import shown
from ._recipe import Recipe, field
from ._record import Record, record
from ._store import Store, one_line
from ._tasks import SAID_BY, Task, as_task, own_of


class Sweep:
    """What a sweep came to: a row a run, and its folder."""

    def __init__(self, sweep: _algolens.Sweep, store: Store) -> None:
        self._sweep = sweep
        self._store = store

    @property
    def folder(self) -> str:
        """The folder: ``rows.parquet``, ``sweep.html``, ``rows/``, ``runs/`` with every model, ``reports/``."""
        return self._store.folder

    @cached_property
    def rows(self) -> list[Record]:
        """The rows, run by run: ``run``, ``fields``, ``error``, ``recipe``, ``evaluation``, ``known``, ``claims``, …"""
        return [record(row.decode()) for row in self._rows]

    @cached_property
    def _rows(self) -> list[bytes]:
        return _rows(self._sweep, self._store)

    @property
    def failed(self) -> list[Record]:
        """The rows of runs that failed, with their ``error``."""
        return [row for row in self.rows if row["error"] is not None]

    def page(self) -> Page:
        """The page over all runs: ``sweep.html`` of the folder, whose links lead to ``reports/`` beside it."""
        return Page(lambda: self._sweep.page(self._rows), lambda: self._sweep.page(self._rows))

    def save_figures(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Writes the page's figures as SVG, and their numbers as CSV, into a folder."""
        written = []
        for name, svg, csv in self._sweep.figures(self._rows):
            for suffix, text in (("svg", svg), ("csv", csv)):
                Store(folder).write(f"{name}.{suffix}", text.encode())
                written.append(Path(folder, f"{name}.{suffix}"))
        return written

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} of them failed" if self.failed else ""
        return f"Sweep({len(self)} runs{failed}, in {self.folder})"


def sweep(
    plan: str | os.PathLike[str] | Mapping[str, Any] | Task | Recipe,
    folder: str | os.PathLike[str] = "algolens-sweep",
    *,
    sample: Mapping[str, Any] | None = None,
    study: Mapping[str, Any] | None = None,
    vectors: str | None = None,
    on: str | None = None,
    progress: bool = True,
    **fields: Any,
) -> Sweep:
    """Trains and studies a model for every combination of the values of some fields: ``sweep(tasks.sorted_list(list_len=5),
    seed=range(8), n_heads=[1, 2], epochs=2)``.

    ``plan`` is a file (``sweep.toml``), what such a file holds, or a task, its name, or a recipe (``tasks.sum().recipe()``); then
    ``fields`` are keys of a recipe, of its model or of the task: a list or range is swept, one value is shared. ``sample`` draws
    instead, or besides: ``{"draws": 100, "seed": 0, "fields": {"lr_start": {"from": 1e-4, "to": 1e-2, "scale": "log"}}}``, where
    each run has the recipe's seed unless ``seed`` is among the fields. Each run's model is studied on the examples that ``study`` says (``{"size": 500, "seed": 43}``). ``vectors`` says which vector instructions every run uses: the best
    of the machine that begins, unless you say.

    What is done stands in ``folder``, and the same call goes on from there. ``on="ray"`` does the runs on the cluster that Ray
    is connected to, in a ``folder`` that its machines share: a local path on all of them, or a URI such as ``s3://bucket/sweep``.
    """
    own, text, toml = _plan(plan, fields, sample=sample, study=study, vectors=vectors)
    made = _algolens.Sweep(text, toml, None if own is None else own._task)
    if on is None and "://" in os.fspath(folder):
        raise AlgolensError(f"folder: expected a local path where the runs are done here, found {folder}")
    store = Store(folder)
    if on is None:
        with shown("sweep", progress) as tell:
            made.local(store.folder, tell)
        return Sweep(_begun(made, store), store)
    cluster = Cluster(on)
    made = _begun(made, store)
    cluster.check(store, made.vectors)
    names = made.names
    rows = store.names("rows")
    left = [run for run, name in enumerate(names) if f"{name}.json" not in rows]
    shared = (made.plan, own, store)
    with shown("sweep", progress) as tell:
        units = ((names[run], (run,)) for run in left)
        cluster.run(_run, shared, units, done=len(names) - len(left), of=len(names), tell=tell, what="runs", own=own)
    found = Sweep(made, store)
    store.write("rows.parquet", made.table(found._rows))
    there = {f"reports/{name}" for name in store.names("reports")}
    reports = [(run, path) for run, path in made.standouts(found._rows) if path not in there]
    with shown("sweep", progress) as tell:
        pages = ((path, (run, path)) for run, path in reports)
        cluster.run(_report, shared, pages, done=0, of=len(reports), tell=tell, what="reports", own=own)
    store.write("sweep.html", made.page(found._rows).encode())
    return found


def _begun(made: _algolens.Sweep, store: Store) -> _algolens.Sweep:
    """The sweep as it stands in its folder, where it begins if nothing does."""
    found = store.claim("sweep.json", made.settled().begun.encode())
    try:
        return made.settled(found)
    except AlgolensError as error:
        raise AlgolensError(f"{store.folder}/sweep.json: {error}") from None


def _rows(made: _algolens.Sweep, store: Store) -> list[bytes]:
    rows = []
    for run, name in enumerate(made.names):
        row = store.read(f"rows/{name}.json")
        if row is None:
            raise AlgolensError(f"{store.folder}/rows/{name}.json: expected the row of a run, found none")
        try:
            made.check_row(run, row)
        except AlgolensError as error:
            raise AlgolensError(f"{store.folder}/rows/{name}.json: {error}") from None
        rows.append(row)
    return rows


#: What a unit is given: the plan as JSON, the task where it is a user's own, and the folder.
_Shared = tuple[str, "Task | None", Store]


def _of(shared: _Shared) -> tuple[_algolens.Sweep, Store]:
    plan, own, store = shared
    return _algolens.Sweep(plan, False, None if own is None else own._task, checked=True), store


def _run(shared: _Shared, run: int) -> None:
    """Does one run, and writes what is left of it; the row last, so that a row means that all is there."""
    made, store = _of(shared)
    name = made.name(run)
    state = f"runs/{name}.state"
    if store.read(f"rows/{name}.json") is not None:
        return
    row, model, log = made.run(run, store.read(state), lambda data: store.write(state, data))
    if model is not None:
        store.write(f"runs/{name}.safetensors", model)
    store.write(f"runs/{name}.log.jsonl", log.encode())
    store.write(f"rows/{name}.json", row)
    store.remove(state)


def _report(shared: _Shared, run: int, path: str) -> None:
    """Writes the report of a run."""
    made, store = _of(shared)
    name = made.name(run)
    model, log = store.read(f"runs/{name}.safetensors"), store.read(f"runs/{name}.log.jsonl")
    if model is None or log is None:
        raise AlgolensError(f"{store.folder}/runs/{name}.safetensors: expected the run's model and log, found none")
    store.write(path, made.report(run, model, log.decode()).encode())


def _plan(plan: Any, fields: dict[str, Any], **more: Any) -> tuple[Task | None, str, bool]:
    """The task where it is a user's own, the plan as text, and whether that is TOML."""
    more = {name: value for name, value in more.items() if value is not None}
    if not isinstance(plan, (Recipe, Mapping, os.PathLike)) and not _is_file(plan):
        plan = as_task(plan)
    if isinstance(plan, (Task, Recipe)):
        return _of_fields(plan, fields, more)
    if fields or more:
        first = next(iter({**fields, **more}))
        raise AlgolensError(f"{first}: expected no fields beside a plan that says them, found one")
    if isinstance(plan, Mapping):
        return None, as_json("plan", dict(plan)), False
    path = os.fspath(plan)
    try:
        with open(path, encoding="utf-8") as file:
            return None, file.read(), True
    except (OSError, UnicodeDecodeError) as error:
        raise AlgolensError(f"{path}: expected a plan in TOML, found {one_line(error)}") from None


def _is_file(plan: Any) -> bool:
    return isinstance(plan, str) and (plan.endswith(".toml") or os.path.exists(plan))


def _of_fields(what: Task | Recipe, fields: dict[str, Any], more: dict[str, Any]) -> tuple[Task | None, str, bool]:
    task = what if isinstance(what, Task) else what.task
    recipe: dict[str, Any] = dict(what) if isinstance(what, Recipe) else {}
    if isinstance(what, Recipe) and task is None and recipe.get("task") is None:
        raise AlgolensError("recipe: expected one of a task, found one of data")
    if task is not None:
        recipe["task"] = task.spec
    grid: dict[str, Any] = {}
    for name, value in fields.items():
        path = field(name, task)
        if isinstance(value, (list, tuple, range)) or (isinstance(value, np.ndarray) and value.ndim):
            grid[path] = list(value)
        else:
            recipe[path] = value
    sample = more.get("sample")
    if isinstance(sample, Mapping) and isinstance(sample.get("fields"), Mapping):
        more["sample"] = {**sample, "fields": {field(name, task): value for name, value in sample["fields"].items()}}
    own = own_of(task)
    if own is not None:
        more["own"] = own.dataset(SAID_BY, seed=0)._data.sha256
    return own, as_json("plan", {"recipe": recipe, "grid": grid, **more}), False
