"""The gradients of a number that logits give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._algolens import AlgolensError
from ._arrays import as_floats, is_torch, like
from ._cache import ActivationCache
from .utils import lm_cross_entropy_derivative


@dataclass(frozen=True)
class Gradients:
    """What a backward pass leaves."""

    #: The logits, ``[batch, pos, d_vocab_out]``.
    logits: Any
    #: By every weight, by name.
    params: dict[str, Any]
    #: By the activations that were asked for.
    activations: ActivationCache


def seed_of(of: Any, tokens: np.ndarray, sample: Any) -> Callable[[np.ndarray], np.ndarray]:
    """What gives, from the logits, the derivative that a backward pass starts from."""
    if isinstance(of, str):
        if of != "loss":
            raise AlgolensError(f"of: expected 'loss', a derivative by the logits or a function of them, found {of!r}")
        return lambda logits: lm_cross_entropy_derivative(logits, tokens)
    if not callable(of):
        derivative = as_floats("derivative by the logits", of)
        return lambda logits: _fitting(derivative, logits)
    return lambda logits: _fitting(_of_function(of, logits, sample), logits)


def _of_function(of: Callable[[Any], Any], logits: np.ndarray, sample: Any) -> np.ndarray:
    given = like(logits, sample)
    if is_torch(given):
        given.requires_grad_(True)
    answer = of(given)
    if is_torch(answer) and answer.ndim == 0 and answer.requires_grad:
        answer.backward()
        answer = given.grad
    return as_floats("derivative by the logits", answer)


def _fitting(derivative: np.ndarray, logits: np.ndarray) -> np.ndarray:
    if derivative.shape != logits.shape:
        expected, found = list(logits.shape), list(derivative.shape)
        raise AlgolensError(f"derivative by the logits: expected shape {expected}, found {found}")
    return derivative
