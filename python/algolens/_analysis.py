"""Analyses of a model: how right it is, what it needs, what each part adds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _algolens
from ._algolens import AlgolensError
from ._arrays import as_count, as_json
from ._model import HookedTransformer
from ._progress import shown
from ._record import Record, record
from ._tasks import Dataset, SortedListDataset, Task, task_of

#: Examples that a verb draws where nobody says which, and their seed: as on the command line.
SIZE, SEED = 500, 43


def made_by(call: str, **options: Any) -> str:
    """A call as a user writes it, without what it leaves out."""
    said = [f"{name}={_said(value)}" for name, value in options.items() if value not in (None, (), False)]
    return f"algolens.{call}({', '.join(said)})"


def _said(value: Any) -> str:
    return f"<{len(value)} examples, SHA-256 {value._data.sha256}>" if isinstance(value, Dataset) else repr(value)


def provenance(
    model: HookedTransformer, call: str, *, seed: int | None = None, backend: str | None = None, **options: Any
) -> Record:
    """Where a result comes from: of which model it is, by which program, and from which call."""
    return record(model._model.provenance(made_by(call, seed=seed, **options), seed, backend))


def data_of(
    model: HookedTransformer, data: Any, task: Task | str | None, size: int | None = None, seed: int | None = None
) -> Dataset:
    """The data that is given, as a dataset; random examples of the task where there is none."""
    if isinstance(data, (Task, str)):
        raise AlgolensError(f"data: expected a dataset or examples, found a task, {data}: say task=…")
    if data is None:
        found, _ = task_of(model, task)
        return found.dataset(SIZE if size is None else size, SEED if seed is None else seed)
    if size is not None or (seed is not None and isinstance(data, Dataset) and data.task is None):
        raise AlgolensError("size and seed: expected none beside data, found some")
    if isinstance(data, Dataset):
        if task is not None:
            raise AlgolensError("task: expected none beside a dataset, which is of its own, found one")
        return fitting(model, data)
    found, _ = task_of(model, task)
    return found.examples(data)


def fitting(model: HookedTransformer, data: Dataset) -> Dataset:
    """A dataset as it is given, whose task's vocabulary is the model's."""
    given = as_given(data)
    if given.task is not None and len(given.vocab) != model.cfg.d_vocab:
        expected = f"a task of the model's {model.cfg.d_vocab} tokens"
        raise AlgolensError(f"data: expected {expected}, found {given.task.spec}, which has {len(given.vocab)}")
    return given


def as_given(data: Dataset) -> Dataset:
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
    size: int | None = None,
    seed: int | None = None,
    task: Task | str | None = None,
    limit: int | None = None,
    slack: float | None = None,
    on: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    parts: int | None = None,
    progress: bool = True,
) -> Record:
    """Loss, probabilities and accuracy: on ``data``, on random examples (500 of seed 43), or exactly, on ``all`` inputs of the
    task.

    On data: ``loss`` (nats), ``mean_prob``, ``median_prob``, ``min_prob``, ``token_accuracy``, ``list_accuracy``. On all inputs:
    ``inputs``, ``right``, ``accuracy``, ``token_accuracy``, ``loss``, ``least_margin``, ``wrong`` (up to ``limit``, 10), ``close``
    (margins below ``slack`` of the largest logit, which rounding might decide, looked at again in float64), ``families``. A tie is
    wrong.

    ``on="ray"`` counts all inputs in ``parts`` (four for each CPU) on the cluster that Ray is connected to; each part stands in
    ``folder``, which its machines share, and the same call goes on from there.
    """
    if not all:
        if limit is not None or slack is not None or on is not None:
            raise AlgolensError("limit, slack and on: expected none without all=True, found some")
        given = data_of(model, data, task, size, seed)
        drawn: dict[str, Any] = {"size": len(given), "seed": SEED if seed is None else seed} if data is None else {}
        said = given.task.spec if given.task and data is None else None
        origin = provenance(model, "evaluate", data=None if data is None else given, task=said, **drawn)
        return record(_algolens.evaluate(model._model, given._data), provenance=origin)
    if data is not None or size is not None or seed is not None:
        raise AlgolensError(
            "data, size and seed: expected none with all=True, as all inputs of the task are run, found some"
        )
    found, assumed = task_of(model, task)
    most = 10 if limit is None else as_count("limit", limit, 0)
    if on is None:
        not_here(folder, parts)
        with shown("all inputs", progress) as tell:
            counts = _algolens.evaluate_all(model._model, found._task, most, slack, None, tell)
    else:
        from ._parts import count

        where: dict[str, Any] = {"on": on, "folder": folder, "of": parts, "progress": progress}
        counts = count(model, found, limit=most, slack=slack, **where)
    origin = provenance(model, "evaluate", all=True, task=found.spec, limit=limit, slack=slack)
    counted = record(counts, task=found.spec, task_assumed=assumed, provenance=origin)
    # What only the adding up of parts needs.
    del counted["sums"]
    return counted


def not_here(folder: Any, parts: Any) -> None:
    """Refuses what only work on a cluster heeds."""
    if folder is not None or parts is not None:
        raise AlgolensError("folder and parts: expected none without on='ray', found some")


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
    size: int | None = None,
    seed: int | None = None,
    task: Task | str | None = None,
) -> Record:
    """What the loss gains when parts are replaced by their ``"mean"`` over the data, by ``"zero"``, or resampled
    (``"resample"``): ``loss_increase`` (nats) and the ``evaluation`` of what is left.

    ``heads`` are ``"0.1"`` or ``(0, 1)``, ``mlps`` are layers, ``points`` names of hook points; all are replaced in one run.
    """
    heads = [heads] if isinstance(heads, str) else heads
    points = [points] if isinstance(points, str) else points
    parts: list[Any] = [{"head": _head(head)} for head in heads]
    parts += [{"mlp": layer} for layer in mlps] + [{"point": {"at": point}} for point in points]
    parts += ["direct_path"] * direct_path + ["pos_embed"] * pos_embed
    if not parts:
        raise AlgolensError("ablation: expected a part (heads, mlps, points, direct_path, pos_embed), found none")
    given = data_of(model, data, task, size, seed)
    seed = SEED if seed is None else as_count("seed", seed, 0)
    other = _other(given, seed)
    if method == "resample" and given._data.equals(other._data):
        raise AlgolensError("data to resample from: expected examples that differ, found one example, or equal ones")
    at = None if positions is None else [as_count("positions", position, 0) for position in positions]
    asked = {"parts": parts, "method": method, "positions": at, "frozen_scale": frozen_scale}
    found = _algolens.ablate(model._model, as_json("ablation", asked), given._data, other._data)
    origin = provenance(
        model,
        "ablate",
        seed=seed if data is None or method == "resample" else None,
        heads=[_head(head) for head in heads] or None,
        mlps=list(mlps) or None,
        points=list(points) or None,
        direct_path=direct_path,
        pos_embed=pos_embed,
        method=method,
        positions=at,
        frozen_scale=frozen_scale,
        data=None if data is None else given,
        size=len(given) if data is None else None,
        task=given.task.spec if given.task and data is None else None,
    )
    return record(found, provenance=origin)


def _head(head: str | tuple[int, int]) -> str:
    if isinstance(head, str):
        return head
    if not isinstance(head, (tuple, list)) or len(head) != 2:
        raise AlgolensError(f"heads: expected '0.1' or (0, 1), found {head!r}")
    return ".".join(str(number) for number in head)


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
    given = data_of(model, data, task)
    components, contributions = _algolens.attribute(model._model, given._data)
    by_source = None
    if sources is not None:
        by_source = _algolens.attribute_sources(model._model, given._data, as_count("sources", sources, 0))
    origin = provenance(model, "attribute", backend="plain", data=given, sources=sources)
    return Attribution(components, contributions, given.positions, by_source, origin)


def circuits(model: HookedTransformer, layer: int = 0) -> Record:
    """The full circuits of a block's heads, products of weights alone, and the direct path.

    ``W_OV_full [head, source, prediction]``, ``W_QK_full [head, destination, source]``, ``W_QK_pos_query [head, query position,
    source]``, ``W_QK_pos_key [head, destination, key position]``, ``direct_path [source, prediction]``. Without the scales of
    norms, the square root of ``d_head`` and biases, as *A Mathematical Framework for Transformer Circuits* (2021) has them.
    """
    layer = as_count("layer", layer, 0)
    origin = provenance(model, "circuits", backend="none: products of weights", layer=layer)
    return Record(_algolens.circuits(model._model, layer), provenance=origin)
