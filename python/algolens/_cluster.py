"""Work in units on a Ray cluster: Ray places them, and what each leaves stands in a folder that all machines share."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from . import _algolens
from ._algolens import AlgolensError
from ._progress import Progress
from ._store import PART, Store, one_line

if TYPE_CHECKING:
    from ._tasks import Task

#: A unit of work: its name, and what it is called with.
Unit = tuple[str, tuple[Any, ...]]

#: How often Ray runs a unit again whose machine was lost.
RETRIES = 5

#: Seconds in which a machine says that it is ready.
ANSWERS_WITHIN = 120

#: Seconds from one look at the cluster to the next, and without it before it counts as gone (Ray itself waits for 60).
LOOK_EVERY, GONE_AFTER = 2, 30

#: What is said where work ends before its end.
STAYS = "what is done stays, and the same call goes on"


def ray_of(on: str) -> Any:
    """Ray, connected to a cluster: the one of ``ray.init``, else the one that Ray finds (``RAY_ADDRESS``), or starts here."""
    if on != "ray":
        raise AlgolensError(f"on: expected 'ray' or nothing, found {on!r}")
    try:
        import ray
    except ImportError:
        raise AlgolensError("on: expected Ray: pip install 'algolens[ray]', found none") from None
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "")
        # Ray itself asks for a minute and more.
        if address.count(":") == 1 and not _takes(address):
            raise AlgolensError(f"Ray: expected a cluster at RAY_ADDRESS={address}, found nobody who answers")
        try:
            ray.init(log_to_driver=False, logging_level=logging.WARNING)
        except (ConnectionError, RuntimeError) as error:
            raise AlgolensError(f"Ray: expected a cluster, found {one_line(error)}") from None
    return ray


class Cluster:
    """A Ray cluster."""

    def __init__(self, on: str) -> None:
        self._ray = ray_of(on)
        self._cpus = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        self._gone = False

    @property
    def cpus(self) -> int:
        """CPUs of all machines together, as they were seen last."""
        return self._cpus

    def check(self, store: Store, vectors: str | None = None) -> None:
        """Whether every machine with CPUs has this version of the package, shares the folder with this one, and has these vector
        instructions, or where none are said, the same as this one."""
        ray = self._ray
        nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")}
        place = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        look = ray.remote(_look(store.folder, _algolens.__version__))
        # Another driver may look at the same time.
        marks = {node: f"{PART}shared-{os.urandom(8).hex()}" for node in nodes}
        asked = {
            node: look.options(num_cpus=0, scheduling_strategy=place(node, soft=False)).remote(mark)
            for node, mark in marks.items()
        }
        answers = {node: self._answer(answer) for node, answer in asked.items()}
        seen = {node: store.read(mark) is not None for node, mark in marks.items()}
        for node in nodes:
            store.remove(marks[node])
        for node, answer in answers.items():
            wrong = answer if isinstance(answer, str) else None
            if isinstance(answer, list) and not seen[node]:
                wrong = f"expected a folder that all machines share, found {store.folder}, which it has for itself"
            elif isinstance(answer, list):
                wrong = _vectors(answer, vectors)
            if wrong is not None:
                raise AlgolensError(f"node {nodes[node]['NodeManagerAddress']}: {wrong}")
        if all(answer is None for answer in answers.values()):
            raise AlgolensError("Ray: expected a cluster with CPUs, found none")

    def _answer(self, answer: Any) -> list[str] | str | None:
        """The vector instructions that a machine has, or what it says is wrong with it; None where it has gone in between."""
        gone = self._ray.exceptions
        try:
            return self._ray.get(answer, timeout=ANSWERS_WITHIN)
        except (gone.TaskUnschedulableError, gone.NodeDiedError, gone.WorkerCrashedError):
            return None
        except gone.GetTimeoutError:
            return f"expected an answer within {ANSWERS_WITHIN} seconds, found none"
        except Exception as error:
            return f"expected an answer, found {one_line(getattr(error, 'cause', None) or error)}"

    def run(
        self,
        work: Callable[..., None],
        shared: Any,
        units: Iterable[Unit],
        *,
        done: int,
        of: int,
        tell: Progress | None,
        what: str,
        own: Task | None = None,
    ) -> None:
        """Does units of work, each ``work(shared, *arguments)``, as many at a time as there are CPUs; each writes what it comes
        to. ``what`` is what they are called.

        ``own`` is a user's task among what is shared: its code is sent along. A unit whose machine is lost runs again elsewhere.
        An error of a unit ends it all; what is done stays.
        """
        ray = self._ray
        remote = ray.remote(_unit)
        how = {"num_cpus": 1, "max_retries": RETRIES, "retry_exceptions": False}
        given = self._sent((_algolens.__version__, work, shared), own)
        left = iter(units)
        waiting: dict[Any, str] = {}
        alive = time.monotonic()
        try:
            while True:
                # Enough that no CPU has to wait, and not a million at once.
                for name, arguments in itertools.islice(left, max(0, 4 * self._cpus + 64 - len(waiting))):
                    waiting[remote.options(name=name, **how).remote(given, arguments)] = name
                if not waiting:
                    return
                ready, _ = ray.wait(list(waiting), num_returns=1, timeout=0.2)
                for answer in ready:
                    _result(ray, waiting.pop(answer), answer)
                    done += 1
                if tell is not None:
                    tell(done, of, f"{done} of {of} {what}")
                alive = self._seen(alive)
        finally:
            for answer in () if self._gone else waiting:
                _cancel(ray, answer)

    def _sent(self, given: Any, own: Task | None) -> Any:
        """What every unit is given, put where all machines find it."""
        module = None if own is None else sys.modules.get(type(own).__module__)
        if module is None or module.__name__ == "__main__":
            return self._ray.put(given)
        pickle = self._ray.cloudpickle
        pickle.register_pickle_by_value(module)
        try:
            return self._ray.put(given)
        finally:
            pickle.unregister_pickle_by_value(module)

    def _seen(self, alive: float) -> float:
        """When the cluster, with a machine that has CPUs, was seen last; an error where that is too long ago."""
        now = time.monotonic()
        if now - alive < LOOK_EVERY:
            return alive
        lacks = "CPUs" if self._answers() else "a head that answers"
        if lacks == "CPUs" and (cpus := int(self._ray.cluster_resources().get("CPU", 0))):
            self._cpus = cpus
            return now
        if now - alive > GONE_AFTER:
            if lacks != "CPUs":
                # Whatever asks it any more, such as the hook that prints an exception, would end the process.
                self._gone = True
                self._ray.shutdown()
            raise AlgolensError(f"Ray: expected a cluster with {lacks}, found none for {GONE_AFTER} seconds; {STAYS}")
        return alive

    def _answers(self) -> bool:
        """Whether the head takes connections: Ray's own calls would wait for it, and end the process. Through Ray's client it is
        not seen from here, and the client ends where it is gone."""
        if self._ray.util.client.ray.is_connected():
            return True
        return _takes(self._ray.get_runtime_context().gcs_address)


def _takes(address: str) -> bool:
    """Whether an address takes connections."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True


def _look(folder: str, expected: str) -> Callable[[str], list[str] | str]:
    """What a machine is asked: whether it has this version, and can write into the folder."""

    # A function of a function is sent whole: a machine without the package can run it.
    def look(name: str) -> list[str] | str:
        try:
            import algolens
        except ImportError as error:
            return f"expected algolens {expected}, found {error}"
        if algolens.__version__ != expected:
            return f"expected algolens {expected}, as here, found {algolens.__version__}"
        from algolens._store import Store

        try:
            Store(folder).write(name, b"")
        except Exception as error:
            return f"expected the folder of the driver, found {error}"
        return algolens._algolens.vectors()

    return look


def _vectors(found: list[str], expected: str | None) -> str | None:
    """What is wrong with the vector instructions that a machine has: they round otherwise."""
    here = _algolens.vectors()
    if expected is not None:
        return None if expected in found else f"expected vector instructions {expected}, found {', '.join(found)}"
    return None if found == here else f"expected the vector instructions {here[-1]}, as here, found {found[-1]}"


def _unit(given: tuple[str, Callable[..., None], Any], arguments: tuple[Any, ...]) -> None:
    """One unit, in a worker, which has one CPU."""
    expected, work, shared = given
    if _algolens.__version__ != expected:
        raise AlgolensError(f"a worker: expected algolens {expected}, as the driver has, found {_algolens.__version__}")
    _algolens.stay_on_one_thread()
    work(shared, *arguments)


def _result(ray: Any, name: str, answer: Any) -> None:
    """Takes what a unit came to: nothing, or the error that ended it, in one line."""
    try:
        ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, Exception) else error
        if isinstance(cause, AlgolensError):
            raise AlgolensError(f"{name}: {cause}; {STAYS}") from None
        if isinstance(cause, ray.exceptions.RayError):
            raise AlgolensError(
                f"{name}: expected a worker that can begin it, found {one_line(cause)}; {STAYS}"
            ) from None
        raise cause from None
    except ray.exceptions.RayError as error:
        tries = f"expected a machine that ends it, of {RETRIES + 1} tries"
        raise AlgolensError(f"{name}: {tries}, found {one_line(error)}; {STAYS}") from None


def _cancel(ray: Any, answer: Any) -> None:
    try:
        ray.cancel(answer, force=True)
    except Exception:
        # There is no cluster any more that could do it.
        pass


def parts(count: int, of: int) -> Sequence[tuple[int, int]]:
    """So many numbers in so many runs of neighbours, from where to where; none of them empty."""
    ends = [count * part // of for part in range(of + 1)]
    return [(start, end) for start, end in zip(ends, ends[1:]) if start < end]
