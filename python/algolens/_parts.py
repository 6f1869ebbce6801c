"""Counts and proofs in parts, each a unit of work on a cluster."""

from __future__ import annotations

import json
import os
from typing import Any

from . import _algolens
from ._algolens import AlgolensError
from ._arrays import as_count
from ._cluster import Cluster, parts
from ._model import HookedTransformer
from ._progress import shown
from ._record import record
from ._store import Store
from ._tasks import SAID_BY, Task, own_of


def count(
    model: HookedTransformer,
    task: Task,
    *,
    on: str,
    folder: str | os.PathLike[str] | None,
    of: int | None,
    limit: int,
    slack: float | None,
    progress: bool,
) -> str:
    """What a model answers on all inputs of a task, counted in parts, as JSON."""
    store = _store(folder)
    inputs = _algolens.inputs_to_run(model._model, task._task, slack)
    cluster = Cluster(on)
    asked = {**_about(model, task), "limit": limit, "slack": slack}
    of = _claim(store, "count.json", asked, of, 4 * cluster.cpus, max(1, inputs))
    cluster.check(store)
    runs = {_name(at, of): ends for at, ends in enumerate(parts(inputs, of))}
    done = store.names("parts")
    left = [(name, (name, *ends)) for name, ends in runs.items() if f"{name}.json" not in done]
    shared = (model, task, limit, slack, store)
    with shown("all inputs", progress) as tell:
        far: dict[str, Any] = {"done": len(runs) - len(left), "of": len(runs), "tell": tell}
        cluster.run(_count, shared, left, what="parts", own=own_of(task), **far)
    return _algolens.join_counts([_read(store, f"parts/{name}.json").decode() for name in runs])


def _count(shared: Any, name: str, start: int, end: int) -> None:
    model, task, limit, slack, store = shared
    counts = _algolens.evaluate_all(model._model, task._task, limit, slack, (start, end))
    store.write(f"parts/{name}.json", counts.encode())


def prove(
    model: HookedTransformer,
    task: Task,
    *,
    on: str,
    folder: str | os.PathLike[str] | None,
    of: int | None,
    seconds: float | None,
    work: int | None,
    slack: float | None,
    made_by: str,
    progress: bool,
) -> str:
    """The certificate of what a search in parts proves of a model, as JSON."""
    store = _store(folder)
    # What cannot be proved is found here, not by every machine.
    classes, slack = _algolens.proof_size(model._model, task._task, seconds, slack)
    cluster = Cluster(on)
    asked = {**_about(model, task), "slack": slack, "seconds": seconds, "work": work}
    of = _claim(store, "proof.json", asked, of, min(classes, cluster.cpus), classes)
    cluster.check(store)
    names = [_name(at, of) for at in range(of)]
    each = None if work is None else -(-work // of)
    certified: list[int] = []
    with shown("certify", progress) as tell:
        for stage, suffix in enumerate(("begun", "state")):
            done = store.names("parts")
            left = [(name, (at, stage)) for at, name in enumerate(names) if f"{name}.{suffix}" not in done]
            shared = (model, task, slack, seconds, each, of, certified, store)
            far: dict[str, Any] = {"done": (stage + 1) * of - len(left), "of": 2 * of, "tell": tell}
            cluster.run(_prove, shared, left, what="steps", **far)
            if suffix == "begun":
                # What all parts have certified is known once each has begun all of its classes.
                begun = [_read(store, f"parts/{name}.begun") for name in names]
                certified = _algolens.certified_by_parts(model._model, task._task, begun)
    states = [_read(store, f"parts/{name}.state") for name in names]
    certificate = _algolens.join_search(model._model, task._task, states, made_by)
    store.write("certificate.json", certificate.encode())
    return certificate


def _prove(shared: Any, at: int, stage: int) -> None:
    model, task, slack, seconds, work, of, certified, store = shared
    name, one = _name(at, of), (model._model, task._task, at, of)
    if stage == 0:
        store.write(f"parts/{name}.begun", _algolens.begin_part(*one, slack))
        return
    begun = _read(store, f"parts/{name}.begun")
    store.write(f"parts/{name}.state", _algolens.go_on_with_part(*one, begun, certified, seconds, work))


def _store(folder: str | os.PathLike[str] | None) -> Store:
    if folder is None:
        raise AlgolensError("folder: expected one that all machines share, as parts are done on several, found none")
    return Store(folder)


def _about(model: HookedTransformer, task: Task) -> dict[str, Any]:
    return {
        "algolens": _algolens.__version__,
        "sha256": record(model._model.provenance(""))["sha256"],
        "task": task.spec,
        "own": None if own_of(task) is None else task.dataset(SAID_BY, seed=0)._data.sha256,
        "vectors": _algolens.vectors()[-1],
    }


def _claim(store: Store, name: str, asked: dict[str, Any], of: int | None, default: int, most: int) -> int:
    """How many parts there are: as is said, else as the folder's work was begun with, else ``default``; at most ``most``."""
    if of is None:
        try:
            of = int(json.loads(store.read(name) or b"{}")["parts"])
        except (json.JSONDecodeError, KeyError, TypeError):
            of = default
    of = as_count("parts", of, 1, most + 1)
    asked = {**asked, "parts": of}
    found = store.claim(name, json.dumps(asked).encode())
    try:
        began = json.loads(found)
    except ValueError:
        began = {}
    for key, value in asked.items():
        if began.get(key) != value:
            expected = f"{began.get(key)}, as the work in the folder began with"
            raise AlgolensError(
                f"{store.folder}/{name}: {key}: expected {expected}, found {value} (other work has another folder)"
            )
    return of


def _name(at: int, of: int) -> str:
    return f"part-{at:0{len(str(of - 1))}}"


def _read(store: Store, name: str) -> bytes:
    found = store.read(name)
    if found is None:
        raise AlgolensError(f"{store.folder}/{name}: expected what a part came to, found none")
    return found
