"""Training."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Any

from . import _algolens
from ._algolens import AlgolensError
from ._analysis import as_given
from ._arrays import as_count
from ._model import AlgolensWarning, HookedTransformer
from ._progress import shown
from ._recipe import Recipe
from ._record import Record
from ._tasks import Dataset, Task, as_task


@dataclass(frozen=True)
class Training:
    """What a training came to."""

    #: The model of the epoch whose weights the recipe keeps.
    model: HookedTransformer
    #: The recipe, with all that it determines.
    recipe: Recipe
    #: What each epoch came to: ``train_loss``, ``validation_loss``, ``train_accuracy``, ``validation_accuracy``, …
    history: list[Record]
    #: Weights on the way, by the number of steps before them, where the recipe's ``checkpoint_every`` asks for them.
    checkpoints: dict[int, HookedTransformer]
    #: Whether it was interrupted before its end; then everything is as of the last finished epoch.
    interrupted: bool

    # What takes a model takes a training, and means its model.
    _model = property(lambda self: self.model._model)
    _own_task = property(lambda self: self.model._own_task)
    cfg = property(lambda self: self.model.cfg)

    def __repr__(self) -> str:
        if not self.history:
            return "Training(no epoch was finished)"
        last = self.history[-1]
        state = "interrupted after" if self.interrupted else "of"
        return f"Training({state} {last.epoch} epochs, validation accuracy {last.validation_accuracy:.4f})"


def train(
    what: Task | str | Recipe | Dataset, *, validation: Dataset | None = None, progress: bool = True, **changes: Any
) -> Training:
    """Trains a model: of a task, by its recipe; by a recipe; or of your own data, of which a tenth is held out, or ``validation``.

    ``changes`` are keys of the recipe or of its model (``seed=3``, ``epochs=10``, ``n_layers=2``, ``d_mlp=64``). An interrupt
    (Ctrl-C, the notebook's stop button) ends the training and keeps what there is. The same recipe gives the same bits on any
    number of threads.
    """
    if isinstance(what, Dataset):
        recipe = Recipe._of(json.loads(_algolens.Task.parsed("sorted_list").recipe) | {"task": None}, None).changed(
            **changes
        )
        given = _examples(what, validation, recipe)
        with shown("training", progress) as tell:
            return _training(_algolens.train(recipe.to_json(), None, given, tell), None)
    if validation is not None:
        raise AlgolensError("validation: expected none where a task draws the examples, found some")
    if not isinstance(what, Recipe):
        recipe = as_task(what).recipe(**changes)
    else:
        recipe = what.changed(**changes)
    task = recipe.task
    if task is None or (recipe.get("task") or {}).get("name") != task.name or _spec(recipe) != _said(task):
        task = as_task(_spec(recipe))
    with shown("training", progress) as tell:
        return _training(_algolens.train(recipe.to_json(), task._task, None, tell), task)


def _examples(data: Dataset, validation: Dataset | None, recipe: Recipe) -> tuple[Any, list[int], list[int], str]:
    data = as_given(data)
    if validation is None:
        learnt, held_out = _algolens.hold_out(len(data), as_count("seed", recipe["seed"], 0, 2**64))
        return data._data, learnt, held_out, "data"
    validation = as_given(validation)
    for what, one, other in (("vocab", data.vocab, validation.vocab), ("classes", data.classes, validation.classes)):
        if one != other:
            found = f"{len(one)} of the data and {len(other)} of the validation"
            raise AlgolensError(
                f"{what}: expected the same of both (say {what} where the largest is in one alone), found {found}"
            )
    joined = data._data.joined(validation._data)
    return joined, list(range(len(data))), list(range(len(data), len(data) + len(validation))), "data"


def _spec(recipe: Recipe) -> str:
    """The task that a recipe names, as text."""
    spec = recipe.get("task")
    if not spec:
        raise AlgolensError("recipe: expected a task, found none")
    options = [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in spec.items()]
    return f"{spec['name']}({','.join(option for option in options if not option.startswith('name='))})"


def _said(task: Task) -> str:
    """A task as the recipe that it makes names it."""
    return _spec(Recipe(json.loads(task._task.recipe)))


def _training(trained: _algolens.Trained, task: Task | None) -> Training:
    def made(model: _algolens.Model) -> HookedTransformer:
        new = HookedTransformer._of(model)
        new._own_task = task
        return new

    training = Training(
        model=made(trained.model),
        recipe=Recipe._of(json.loads(trained.recipe), task),
        history=json.loads(trained.history, object_hook=Record),
        checkpoints={steps: made(model) for steps, model in trained.checkpoints},
        interrupted=trained.interrupted,
    )
    if trained.interrupted:
        done, of = len(training.history), training.recipe["epochs"]
        warnings.warn(f"interrupted: {done} of {of} epochs are kept", AlgolensWarning, stacklevel=3)
    return training
