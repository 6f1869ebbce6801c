"""Attacks and proofs: is it really 100 %?"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from typing import Any

from . import _algolens
from ._algolens import AlgolensError
from ._analysis import made_by, not_here, provenance
from ._arrays import as_count
from ._model import AlgolensWarning, HookedTransformer
from ._page import write_whole
from ._progress import shown
from ._record import Record, record
from ._tasks import Task, task_of


def attack(
    model: HookedTransformer,
    *,
    count: int = 3,
    work: int = 500_000,
    seed: int = 0,
    position: int | None = None,
    families: Mapping[str, str] | None = None,
    task: Task | str | None = None,
    progress: bool = True,
) -> Record:
    """Looks for the worst inputs: families first, then descent with restarts, until ``work`` inputs are run.

    ``found`` has up to ``count`` inputs, distinct in kind and confirmed in float64, each with ``input``, ``position``,
    ``predicted``, ``expected`` and ``margin`` (wrong at 0 and below); ``all`` says whether every input was run. ``position``
    looks at one prediction alone, ``families`` at inputs of one member each. An interrupt keeps what was found until then.
    """
    given, assumed = task_of(model, task)
    members = [[str(family), str(member)] for family, member in (families or {}).items()]
    count, work, seed = as_count("count", count), as_count("work", work, 1, 2**63), as_count("seed", seed, 0, 2**64)
    position = None if position is None else as_count("position", position, 0)
    with shown("attack", progress) as tell:
        found, interrupted = _algolens.attack(model._model, given._task, count, work, seed, position, members, tell)
    if interrupted:
        warnings.warn("interrupted: what was found until then", AlgolensWarning, stacklevel=2)
    said: dict[str, Any] = {"work": work, "count": count, "position": position, "families": families or None}
    origin = provenance(model, "attack", seed=seed, **said, task=given.spec)
    return record(found, interrupted=interrupted, task=given.spec, task_assumed=assumed, provenance=origin)


class Certificate:
    """What is proved of a model over all inputs, with the evidence: what ``algolens certify`` writes."""

    def __init__(self, text: str) -> None:
        #: The certificate as JSON.
        self.json = text
        found = record(text)
        #: Everything but the evidence.
        self.summary = Record(
            {name: value for name, value in found.items() if name not in ("evidence", "class_status")}
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Certificate:
        """The certificate in a file; what it says is not believed before ``check`` has accepted it."""
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            found = json.loads(text)
        except (UnicodeDecodeError, ValueError) as error:
            found = error
        if not isinstance(found, dict):
            what = f"{os.fspath(path)}: certificate: expected what certify writes"
            raise AlgolensError(f"{what}, found {found if isinstance(found, Exception) else type(found).__name__}")
        return cls(text)

    @property
    def provenance(self) -> Record | None:
        """Where it comes from, as it says itself: of which model it is, by which program, and from which call."""
        found = self.summary.get("provenance")
        return None if found is None else Record(found)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the certificate whole."""
        write_whole(path, self.json.encode())

    def __repr__(self) -> str:
        return f"Certificate({self.summary!r})"


def certify(
    model: HookedTransformer,
    *,
    seconds: float | None = None,
    work: int | None = None,
    slack: float | None = None,
    task: Task | str | None = None,
    on: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    parts: int | None = None,
    progress: bool = True,
) -> Certificate:
    """Proves what share of all inputs a model gets right, by branch and bound, for so many ``seconds`` or so much ``work``
    (the same result on every machine).

    Of one-layer attention-only models that sort, or say the largest value; of others the error says what decides instead.

    ``on="ray"`` searches in ``parts`` (one for each CPU), each over its share of the classes, on the cluster that Ray is connected
    to: first each begins all of its classes, then it goes on for so many ``seconds``, or all together for so much ``work``. Each part stands in ``folder``, which the cluster's
    machines share; the same call goes on from there, and one certificate comes out.
    """
    if (seconds is None) == (work is None):
        raise AlgolensError(
            "certify: expected how long: seconds or work, found " + ("neither" if work is None else "both")
        )
    given, _ = task_of(model, task)
    work = None if work is None else as_count("work", work, 1, 2**63)
    call = made_by("certify", seconds=seconds, work=work, slack=slack, task=given.spec)
    if on is not None:
        from ._parts import prove

        search: dict[str, Any] = {"seconds": seconds, "work": work, "slack": slack, "made_by": call}
        return Certificate(prove(model, given, on=on, folder=folder, of=parts, progress=progress, **search))
    not_here(folder, parts)
    with shown("certify", progress) as tell:
        return Certificate(_algolens.certify(model._model, given._task, seconds, work, slack, call, tell))


def check(certificate: Certificate, model: HookedTransformer, *, progress: bool = True) -> Record:
    """Verifies a certificate with code that shares nothing with the search: what is ``proved``, and what is ``measured``.

    An error says what is wrong with one that proves less than it claims, or is about another model.
    """
    with shown("check", progress) as tell:
        found = _algolens.check_certificate(certificate.json, model._model, tell)
    return record(found, provenance=provenance(model, "check"))
