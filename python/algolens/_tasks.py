"""Tasks and their data."""

from __future__ import annotations

import json
import weakref
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _algolens
from ._algolens import AlgolensError
from ._arrays import as_count, as_floats, as_json, as_numpy, as_tokens
from ._recipe import Recipe

if TYPE_CHECKING:
    from ._model import HookedTransformer


class Dataset:
    """Examples, and what is right at each predicted position.

    ``targets`` are classes ``[example, predicted position]``; or, with a last axis of classes, truth values (every class of a set
    is right) or floats (a distribution). ``positions`` are the predicted ones, all if they are not given. ``weights``
    ``[example, predicted position]`` say what each prediction counts; at ``padding`` nothing counts. ``vocab`` and ``classes``
    say what tokens and classes are called.
    """

    #: The task that the examples are of, if they are of one.
    task: Task | None = None

    def __init__(
        self,
        tokens: Any,
        targets: Any,
        *,
        positions: Sequence[int] | None = None,
        weights: Any = None,
        padding: int | None = None,
        vocab: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        tokens, right = as_tokens(tokens), _targets(targets)
        if positions is None:
            if right.shape[1] != tokens.shape[1]:
                raise AlgolensError(
                    f"positions: expected the predicted ones, as targets have {right.shape[1]} and sequences {tokens.shape[1]}"
                )
            positions = range(tokens.shape[1])
        numbers = range(1 + int(tokens.max(initial=0))) if vocab is None else ()
        vocab = [str(number) for number in numbers] if vocab is None else [str(word) for word in vocab]
        if classes is None:
            needed = right.shape[2] if right.ndim == 3 else 1 + int(right.max(initial=0))
            classes = vocab if needed <= len(vocab) and right.ndim == 2 else [str(number) for number in range(needed)]
        weights = None if weights is None else as_floats("weights", weights)
        padding = None if padding is None else as_count("padding", padding, 0)
        of = _algolens.Dataset.of
        self._begin(of(tokens, right, _positions(positions), vocab, [str(word) for word in classes], weights, padding))

    def _begin(self, data: _algolens.Dataset, task: Task | None = None) -> None:
        self._data = data
        self.task = task
        #: The tokens, ``[example, pos]``.
        self.toks: np.ndarray = data.tokens
        #: What each token is called.
        self.vocab: list[str] = data.labels
        #: What each class is called.
        self.classes: list[str] = data.output_labels
        #: The predicted positions.
        self.positions: list[int] = data.positions

    @classmethod
    def _of(cls, data: _algolens.Dataset, task: Task | None = None) -> Dataset:
        new = Dataset.__new__(Dataset)
        new._begin(data, task)
        return new

    @property
    def tokens(self) -> np.ndarray:
        """The tokens, ``[example, pos]``."""
        return self.toks

    @property
    def targets(self) -> np.ndarray:
        """What is right at each predicted position."""
        return self._data.targets

    @property
    def weights(self) -> np.ndarray | None:
        """What each prediction counts, where they count different amounts."""
        return self._data.weights

    @cached_property
    def str_toks(self) -> list[list[str]]:
        """What the tokens of each example are called."""
        return self._data.names()

    def __reduce__(self) -> tuple[Any, ...]:
        data = self._data
        parts = data.tokens, data.targets, data.positions, data.weights, data.padding, data.labels, data.output_labels
        # What a subclass has beside the data.
        more = {name: value for name, value in self.__dict__.items() if name not in ("_data", "task")}
        return _rebuilt, (type(self), parts, self.task), more

    def __len__(self) -> int:
        return len(self.toks)

    def __getitem__(self, at: Any) -> np.ndarray:
        return self.toks[at]

    def __repr__(self) -> str:
        of = f" of {self.task.spec}" if self.task else ""
        return f"{type(self).__name__}({len(self)} examples{of})"


class SortedListDataset(Dataset):
    """Random lists and their sorted copies: ``[unsorted, SEP, sorted]``, bit for bit those of the published code.

    ``toks[:, :list_len]`` is the list, ``toks[:, list_len]`` is SEP. The values of a list differ, and are 0 to ``max_value``.
    """

    def __init__(self, size: int, list_len: int, max_value: int, seed: int | None = None) -> None:
        seed = 0 if seed is None else seed
        task = Task.named("sorted_list", list_len=list_len, max_value=max_value)
        self._begin(task._task.generate(as_count("size", size), as_count("seed", seed, 0)), task)
        self.size, self.list_len, self.max_value, self.seed = size, list_len, max_value, seed
        #: Tokens of an example.
        self.seq_len = 2 * list_len + 1


class Task:
    """What is learnt: ours, from ``tasks``, or one of your own.

    One of your own is a subclass with the attributes ``name``, ``n_ctx`` and ``vocab`` (what each token is called), and the
    methods ``generate`` and ``targets``; where they differ from the defaults, also ``predicted_positions`` (all),
    ``classes`` (what each class is called: the vocabulary), ``roles`` (``"input"``, ``"separator"`` or ``"answer"`` at each
    position), ``padding``, ``attention_dir``, and ``complete``, ``validate`` and ``inputs``.
    """

    name: str
    n_ctx: int
    vocab: Sequence[str]
    padding: int | None = None
    attention_dir: str = "causal"

    @property
    def predicted_positions(self) -> Sequence[int]:
        """The positions whose logits are judged, ascending."""
        return range(self.n_ctx)

    @property
    def classes(self) -> Sequence[str]:
        """What each output class is called."""
        return self.vocab

    @property
    def roles(self) -> Sequence[str]:
        """What each position holds: ``"input"``, ``"separator"`` or ``"answer"``."""
        return ["input"] * self.n_ctx

    def generate(self, rng: np.random.Generator) -> Sequence[int]:
        """A random example: its ``n_ctx`` tokens."""
        raise NotImplementedError(f"{type(self).__name__} has no method generate(self, rng)")

    def targets(self, example: Sequence[int]) -> Any:
        """What is right at each predicted position: classes, or ``[predicted position, class]`` of truth values or floats."""
        raise NotImplementedError(f"{type(self).__name__} has no method targets(self, example)")

    def validate(self, example: Sequence[int]) -> None:
        """Raises a ``ValueError`` for a sequence that is no whole example; by default for none."""

    def complete(self, input: Sequence[int]) -> Sequence[int]:
        """The whole example that an input leads to, or a ``ValueError`` for what is no input; by default the input is whole."""
        return input

    def inputs(self) -> Sequence[Sequence[int]] | None:
        """All inputs, where they can be listed: then ``evaluate(all=True)`` and ``attack`` run every one; by default none."""
        return None

    # What a task is for

    @classmethod
    def named(cls, task: str, /, **options: Any) -> Task:
        """One of our tasks by name: ``Task.named("sorted_list", list_len=5)``, or ``Task.named("sorted_list(list_len=5)")``."""
        if options:
            return _Ours(_algolens.Task.of(task, as_json("options", options)))
        return _Ours(_algolens.Task.parsed(task))

    @cached_property
    def _task(self) -> _algolens.Task:
        for attribute in ("name", "n_ctx", "vocab"):
            if not hasattr(self, attribute):
                raise AlgolensError(f"task {type(self).__name__}: expected the attribute {attribute}, found none")
        return _algolens.Task.own(_Own(self))

    @property
    def spec(self) -> str:
        """The task as text, with its options: what files record."""
        return self._task.spec

    @property
    def input_count(self) -> int | None:
        """How many inputs there are, where they can be counted."""
        return self._task.input_count

    def dataset(self, size: int, seed: int = 43) -> Dataset:
        """Random examples."""
        return Dataset._of(self._task.generate(as_count("size", size), as_count("seed", seed, 0)), self)

    def examples_of(self, inputs: Sequence[Any]) -> Dataset:
        """The examples that inputs lead to: lists of tokens, or texts of their names."""
        index = {word: at for at, word in enumerate(self.vocab)}
        rows = [
            [_token(one, index) for one in (row.replace(",", " ").split() if isinstance(row, str) else row)]
            for row in inputs
        ]
        return Dataset._of(self._task.completed(rows), self)

    def examples(self, tokens: Any) -> Dataset:
        """Whole examples, ``[example, n_ctx]``."""
        return Dataset._of(self._task.examples(as_tokens(tokens)), self)

    def recipe(self, **changes: Any) -> Recipe:
        """The recipe that trains a model of the task, with changes; see ``Recipe``."""
        return Recipe._of(json.loads(self._task.recipe), self).changed(**changes)

    def __repr__(self) -> str:
        return f"<task {self.spec}>"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_task"}


class _Ours(Task):
    """A task that the library has."""

    def __init__(self, task: _algolens.Task) -> None:
        self.__dict__["_task"] = task
        self.name = task.spec.split("(")[0]
        self.n_ctx = task.n_ctx
        self.vocab = task.token_labels
        #: The options by name.
        self.options: dict[str, Any] = json.loads(task.options)

    predicted_positions = property(lambda self: self._task.predicted_positions)
    classes = property(lambda self: self._task.output_labels)

    def __reduce__(self) -> tuple[Any, ...]:
        return Task.named, (self.spec,)


class _Own:
    """A user's task, as the engine asks it: every answer is checked, and said to be whose it is."""

    def __init__(self, task: Task) -> None:
        # The task holds what holds this.
        self._task = weakref.ref(task)
        self.name, self.n_ctx = str(task.name), as_count(f"{task.name}: n_ctx", task.n_ctx)
        self.vocab = [str(word) for word in task.vocab]
        self.classes = [str(word) for word in task.classes]
        self.roles = [str(role) for role in task.roles]
        self.predicted_positions = _positions(task.predicted_positions)
        self.padding = None if task.padding is None else as_count(f"{task.name}: padding", task.padding, 0)
        self.attention_dir = str(task.attention_dir)
        if not all(
            a < b for a, b in zip([-1, *self.predicted_positions], [*self.predicted_positions, self.n_ctx])
        ) or not (self.predicted_positions):
            expected = f"ascending ones below {self.n_ctx}, at least one"
            raise AlgolensError(
                f"{self.name}: predicted_positions: expected {expected}, found {self.predicted_positions}"
            )
        listed = task.inputs()
        self.inputs = (
            None
            if listed is None
            else [[as_count(f"{task.name}: inputs", token, 0) for token in row] for row in listed]
        )
        if len(self.roles) != self.n_ctx:
            raise AlgolensError(
                f"{self.name}: roles: expected one for each of {self.n_ctx} positions, found {len(self.roles)}"
            )

    def _of(self) -> Task:
        task = self._task()
        if task is None:
            raise AlgolensError(f"task {self.name}: expected it to be kept as long as it is used, found it gone")
        return task

    def _tokens(self, what: str, value: Any) -> list[int]:
        tokens = as_tokens(value, f"{self.name}: {what}")
        if tokens.shape != (1, self.n_ctx):
            raise AlgolensError(
                f"{self.name}: {what}: expected {self.n_ctx} tokens, found shape {list(np.shape(value))}"
            )
        if tokens.max() >= len(self.vocab):
            raise AlgolensError(f"{self.name}: {what}: expected tokens below {len(self.vocab)}, found {tokens.max()}")
        return tokens[0].tolist()

    def _generate(self, seed: int) -> list[int]:
        return self._tokens("what generate returns", self._of().generate(np.random.default_rng(seed)))

    def _targets(self, example: list[int]) -> np.ndarray:
        what = f"{self.name}: what targets returns"
        right = as_numpy(what, self._of().targets(example))
        if right.ndim not in (1, 2):
            raise AlgolensError(f"{what}: expected a list of one class for each predicted position, found {right!r}")
        right = _targets(right[None], what)
        if right.shape[1] != len(self.predicted_positions):
            expected = f"one for each of {len(self.predicted_positions)} predicted positions"
            raise AlgolensError(f"{what}: expected {expected}, found {right.shape[1]}")
        return right

    def _validate(self, example: list[int]) -> None:
        self._tokens("example", example)
        self._of().validate(example)

    def _complete(self, input: list[int]) -> list[int]:
        return self._tokens("what complete returns", self._of().complete(input))


def task_of(model: HookedTransformer, task: Task | str | None) -> tuple[Task, bool]:
    """The task that is said, or the model's; and whether it is assumed, as only it fits."""
    if task is not None:
        return as_task(task), False
    if model._own_task is not None:
        return model._own_task, False
    try:
        found, assumed = _algolens.Task.of_model(model._model)
    except AlgolensError as error:
        hint = "say it: task=…, or give data of your own, Dataset(tokens, targets)"
        raise AlgolensError(f"{error}; {hint}") from None
    return _Ours(found), assumed


#: Examples by which a user's task is told from another of its name.
SAID_BY = 256


def own_of(task: Task | None) -> Task | None:
    """The task, if it is a user's own."""
    return None if isinstance(task, _Ours) else task


def as_task(task: Task | str) -> Task:
    """A task, or the one of a name and options."""
    if isinstance(task, str):
        return Task.named(task)
    if not isinstance(task, Task):
        hint = ": call it" if callable(task) else ""
        raise AlgolensError(f"task: expected a task or a text, found {type(task).__name__}{hint}")
    return task


def _targets(value: Any, what: str = "targets") -> np.ndarray:
    right = as_numpy(what, value)
    if right.ndim == 3 and right.dtype == bool:
        return np.ascontiguousarray(right)
    if right.ndim == 3 and np.issubdtype(right.dtype, np.floating):
        return as_floats(what, right)
    if right.ndim == 2:
        return as_tokens(right, what)
    raise AlgolensError(
        f"{what}: expected classes, or a last axis of classes of truth values or floats, found {right.dtype} {list(right.shape)}"
    )


def _positions(positions: Sequence[int] | range) -> list[int]:
    return [as_count("positions", position, 0) for position in positions]


def _token(one: Any, index: dict[str, int]) -> int:
    if isinstance(one, str):
        if one not in index:
            raise AlgolensError(f"input: expected tokens of the vocabulary, found {one!r}")
        return index[one]
    return as_count("input", one, 0)


def _rebuilt(kind: type[Dataset], parts: tuple[Any, ...], task: Task | None) -> Dataset:
    """A dataset from its parts."""
    tokens, targets, positions, weights, padding, vocab, classes = parts
    data = Dataset(tokens, targets, positions=positions, weights=weights, padding=padding, vocab=vocab, classes=classes)
    new = kind.__new__(kind)
    new._begin(data._data, task)
    return new
