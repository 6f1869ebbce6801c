"""Train small transformers on algorithmic tasks, take them apart, and show why the explanation holds.

The noun is ``HookedTransformer``, with TransformerLens's verbs, names and shapes; torch is never needed.
"""

import os as _os

from . import tasks, utils
from ._algolens import AlgolensError, __version__, stay_on_one_thread
from ._analysis import Attribution, ablate, attribute, circuits, evaluate
from ._cache import ActivationCache
from ._config import HookedTransformerConfig
from ._figures import attention, bar, imshow
from ._gradients import Gradients
from ._hooks import HookPoint
from ._model import AlgolensWarning, HookedTransformer
from ._page import Figure, Page
from ._proof import Certificate, attack, certify, check
from ._recipe import Recipe
from ._record import Record
from ._study import Study, report, study
from ._sweep import Sweep, sweep
from ._tasks import Dataset, SortedListDataset, Task
from ._train import Training, train

__all__ = [
    "ActivationCache",
    "AlgolensError",
    "AlgolensWarning",
    "Attribution",
    "Certificate",
    "Dataset",
    "Gradients",
    "attention",
    "bar",
    "imshow",
    "Figure",
    "HookPoint",
    "HookedTransformer",
    "HookedTransformerConfig",
    "Page",
    "Recipe",
    "Record",
    "SortedListDataset",
    "Study",
    "Sweep",
    "Task",
    "Training",
    "__version__",
    "ablate",
    "attack",
    "attribute",
    "certify",
    "check",
    "circuits",
    "evaluate",
    "report",
    "study",
    "sweep",
    "tasks",
    "train",
    "utils",
]

# The threads of a process do not come along when it is forked.
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=stay_on_one_thread)
