"""What a training run is made from."""

from __future__ import annotations

import copy
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ._algolens import AlgolensError, recipe_fields
from ._arrays import as_json

if TYPE_CHECKING:
    from ._tasks import Task

#: The model's keys that stand below ``mlp``.
_OF_MLP = {"d_mlp": "d_mlp", "act_fn": "act_fn", "gated_mlp": "gated"}


#: Keys that a recipe may be without.
_OPTIONAL = ("data", "train_share", "epoch_steps", "stop_accuracy", "stop_loss", "checkpoint_every")


def _unknown(key: str, known: list[str], task: Task | None) -> str:
    if task is not None and key in getattr(task, "options", {}):
        return f"{key}: expected a key of the recipe, found an option of the task: tasks.{task.name}({key}=…)"
    near = get_close_matches(key, known, 3, 0.5) or [one for one in known if key in one.split("_")]
    return f"no key of a recipe or its model is called {key!r}" + (f"; near it: {', '.join(near)}" if near else "")


def field(name: str, task: Task | None) -> str:
    """The path of a field of a recipe, its model or its task: of ``n_heads`` it is ``model.n_heads``."""
    known = recipe_fields()
    if task is not None and name in getattr(task, "options", {}):
        return f"task.{name}"
    for path in (name, f"model.{name}", f"model.mlp.{_OF_MLP.get(name, name)}"):
        if path in known or path.startswith("task."):
            return path
    raise AlgolensError(_unknown(name, [path.rpartition(".")[2] for path in known], None))


class Recipe(dict[str, Any]):
    """Everything that determines a training run: the keys of a ``recipe.toml``, with the model's shape below ``model``.

    ``changed`` takes the keys of both, and ``d_mlp`` (0: no MLP), ``act_fn`` and ``gated_mlp``.
    """

    #: The task that it is for, where it is at hand.
    task: Task | None = None

    @classmethod
    def _of(cls, recipe: dict[str, Any], task: Task | None) -> Recipe:
        new = cls(recipe)
        new.task = task
        return new

    def changed(self, **changes: Any) -> Recipe:
        """The recipe with some keys changed."""
        new = Recipe._of(copy.deepcopy(dict(self)), self.task)
        model = new["model"]
        for key, value in changes.items():
            if key in _OF_MLP:
                if not model.get("mlp") and not changes.get("d_mlp"):
                    if key == "d_mlp":
                        continue
                    raise AlgolensError(f"{key}: expected d_mlp beside it, as the recipe's model has no MLP")
                mlp = model["mlp"] = model.get("mlp") or {"d_mlp": 4 * model["d_model"], "act_fn": "relu"}
                mlp[_OF_MLP[key]] = value
            elif key in model:
                model[key] = value
            elif key in new or key in _OPTIONAL:
                new[key] = value
            else:
                raise AlgolensError(_unknown(key, [*new, *_OPTIONAL, *model, *_OF_MLP], self.task))
        if model.get("mlp") and not model["mlp"]["d_mlp"]:
            model["mlp"] = None
        return new

    def to_json(self) -> str:
        """The recipe as the engine reads it."""
        return as_json("recipe", dict(self))
