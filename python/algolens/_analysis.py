"""Analyses of a model: how right it is, what it needs, what each part adds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _algolens
from ._algolens import AlgolensError
from ._model import HookedTransformer
from ._progress import shown
from ._record import Record, record
from ._tasks import Dataset, SortedListDataset, Task, task_of

#: Examples that a verb draws where nobody says which, and their seed: as on the command line.
SIZE, SEED = 500, 43


def provenance(model: HookedTransformer, call: str, **more: Any) -> Record:
    """What a result records: of which model it is, by which program, and from which call."""
    return record(model._model.provenance, call=call, **more)


def data_of(model: HookedTransformer, data: Any, task: Task | str | None, size: int, seed: int) -> Dataset:
    """The data that is given, as a dataset; random examples of the task where there is none."""
    if isinstance(data, Dataset):
        return _as_given(data)
    found, _ = task_of(model, task)
    return found.dataset(size, seed) if data is None else found.examples(data)


def _as_given(data: Dataset) -> Dataset:
    """A dataset whose tokens a user has set is what those tokens say."""
    if hasattr(data, "_data") and np.array_equal(data.toks, data._data.tokens):
        return data
    task = data.task
    if task is None and isinstance(data, SortedListDataset):
        task = Task.named("sorted_list", list_len=data.list_len, max_value=data.max_value)
    if task is None:
        raise AlgolensError("data: expected a dataset of a task, as its tokens were set, found one of none")
    return task.examples(data.toks)


def evaluate(
    model: HookedTransformer,
    data: Any = None,
    *,
    all: bool = False,
    size: int = SIZE,
    seed: int = SEED,
    task: Task | str | None = None,
    limit: int = 10,
    progress: bool = True,
) -> Record:
    """Loss, probabilities and accuracy: on ``data``, on random examples, or exactly, on ``all`` inputs of the task.

    On data: ``loss`` (nats), ``mean_prob``, ``median_prob``, ``min_prob``, ``token_accuracy``, ``list_accuracy``. On all inputs:
    ``inputs``, ``right``, ``accuracy``, ``token_accuracy``, ``loss``, ``least_margin``, ``wrong`` (up to ``limit``), ``close``
    (margins that rounding might decide, looked at again in float64), ``families``. A tie is wrong.
    """
    if not all:
        given = data_of(model, data, task, size, seed)
        drawn = {"size": size, "seed": seed} if data is None else {}
        found = _algolens.evaluate(model._model, given._data)
        return record(found, provenance=provenance(model, "evaluate", **drawn))
    if data is not None:
        raise AlgolensError("data: expected none with all=True: all inputs of the task are run")
    found_task, assumed = task_of(model, task)
    with shown("all inputs", progress) as tell:
        counts = _algolens.evaluate_all(model._model, found_task._task, limit, None, tell)
    return record(counts, provenance=provenance(model, "evaluate(all=True)", on=found_task.spec, task_assumed=assumed))


def ablate(
    model: HookedTransformer,
    *,
    heads: Sequence[str | tuple[int, int]] = (),
    mlps: Sequence[int] = (),
    points: Sequence[str] = (),
    direct_path: bool = False,
    pos_embed: bool = False,
    method: str = "mean",
    positions: Sequence[int] | None = None,
    frozen_scale: bool = False,
    data: Any = None,
    size: int = SIZE,
    seed: int = SEED,
    task: Task | str | None = None,
) -> Record:
    """What the loss gains when parts are replaced by their ``"mean"`` over the data, by ``"zero"``, or resampled
    (``"resample"``): ``loss_increase`` (nats) and the ``evaluation`` of what is left.

    ``heads`` are ``"0.1"`` or ``(0, 1)``, ``mlps`` are layers, ``points`` names of hook points; all are replaced in one run.
    """
    parts: list[Any] = [{"head": _head(head)} for head in heads]
    parts += [{"mlp": layer} for layer in mlps] + [{"point": {"at": point}} for point in points]
    parts += ["direct_path"] * direct_path + ["pos_embed"] * pos_embed
    if not parts:
        raise AlgolensError("ablation: expected a part (heads, mlps, points, direct_path, pos_embed), found none")
    given = data_of(model, data, task, size, seed)
    other = _other(given, seed)
    if method == "resample" and _algolens.are_equal(given._data, other._data):
        raise AlgolensError("data to resample from: expected examples that differ, found one example, or equal ones")
    asked = {"parts": parts, "method": method, "positions": positions, "frozen_scale": frozen_scale}
    asked["positions"] = None if positions is None else list(positions)
    found = _algolens.ablate(model._model, json.dumps(asked), given._data, other._data)
    return record(found, provenance=provenance(model, "ablate", size=len(given), seed=seed))


def _head(head: str | tuple[int, int]) -> str:
    return head if isinstance(head, str) else ".".join(str(number) for number in head)


def _other(data: Dataset, seed: int) -> Dataset:
    """Data to resample from: random examples of the next seed; of data that is no task's, for each example the next."""
    if data.task is not None:
        return data.task.dataset(len(data), (seed + 1) % 2**32)
    return Dataset._of(data._data.rolled())


@dataclass(frozen=True)
class Attribution:
    """Direct logit attribution: over components the contributions sum to the logits."""

    #: ``embed``, ``pos_embed``, each head (``0.1``), ``b_O`` and ``mlp`` of each block, ``ln_final.b``, ``b_U``.
    components: list[str]
    #: ``[component, batch, predicted position, class]``.
    contributions: np.ndarray
    #: The predicted positions.
    positions: list[int]
    #: Of a block, ``[batch, head, predicted position, source, class]``, where it was asked for.
    sources: np.ndarray | None
    provenance: Record


def attribute(
    model: HookedTransformer, data: Any, *, sources: int | None = None, task: Task | str | None = None
) -> Attribution:
    """What each component of the residual stream adds to the logits at the predicted positions, with the final norm's scale.

    ``data`` is a dataset or whole examples; ``sources`` is a block: then also what each source position adds through each of
    its heads.
    """
    given = data_of(model, data, task, SIZE, SEED)
    components, contributions = _algolens.attribute(model._model, given._data)
    by_source = None if sources is None else _algolens.attribute_sources(model._model, given._data, sources)
    return Attribution(components, contributions, given.positions, by_source, provenance(model, "attribute"))


def circuits(model: HookedTransformer, layer: int = 0) -> Record:
    """The full circuits of a block's heads, products of weights alone, and the direct path.

    ``W_OV_full [head, source, prediction]``, ``W_QK_full [head, destination, source]``, ``W_QK_pos_query [head, query position,
    source]``, ``W_QK_pos_key [head, destination, key position]``, ``direct_path [source, prediction]``. Without the scales of
    norms, the square root of ``d_head`` and biases, as *A Mathematical Framework for Transformer Circuits* (2021) has them.
    """
    return Record(_algolens.circuits(model._model, layer), provenance=provenance(model, "circuits", layer=layer))
