"""Arrays as they come in, and as they go out: NumPy's, or torch's where torch's came in."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from ._algolens import AlgolensError


def is_torch(value: Any) -> bool:
    """Whether a value is a torch tensor. Nothing imports torch: whoever has a tensor has it imported."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def as_numpy(what: str, value: Any) -> np.ndarray:
    """A value as a NumPy array, of whatever type it has."""
    if is_torch(value):
        value = value.detach().cpu()
        # NumPy has no such type.
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
        return value.numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise AlgolensError(f"{what}: expected an array, found {error}") from None
    if array.dtype == object:
        raise AlgolensError(f"{what}: expected an array of numbers, found {type(value).__name__}")
    return array


def as_tokens(value: Any, what: str = "tokens") -> np.ndarray:
    """Tokens ``[batch, pos]``; one sequence ``[pos]`` is a batch of one, as in TransformerLens."""
    array = as_numpy(what, value)
    if array.size == 0 and array.dtype == float:
        array = array.astype(np.int64)
    if not np.issubdtype(array.dtype, np.integer):
        raise AlgolensError(f"{what}: expected whole numbers, found {array.dtype}")
    if array.ndim not in (1, 2):
        raise AlgolensError(f"{what}: expected shape [batch, pos], found {list(array.shape)}")
    if array.size and (array.min() < 0 or array.max() > np.iinfo(np.uint32).max):
        wrong = array.min() if array.min() < 0 else array.max()
        raise AlgolensError(f"{what}: expected numbers from 0 on, found {wrong}")
    return np.ascontiguousarray(np.atleast_2d(array), dtype=np.uint32)


def as_floats(what: str, value: Any) -> np.ndarray:
    """Numbers as the library takes them: float32, contiguous, of this machine's byte order."""
    array = as_numpy(what, value)
    if not np.issubdtype(array.dtype, np.floating):
        raise AlgolensError(f"{what}: expected floating-point numbers, found {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)


def like(array: np.ndarray, sample: Any) -> Any:
    """An array as a torch tensor of the same memory, where the sample is one."""
    return sys.modules["torch"].from_numpy(array) if is_torch(sample) else array


def as_json(what: str, value: Any) -> str:
    """A structure as JSON; NumPy's numbers and arrays are numbers and lists."""
    try:
        return json.dumps(value, default=_plain)
    except (TypeError, ValueError) as error:
        raise AlgolensError(f"{what}: expected numbers, texts and lists, found {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (np.ndarray, range)):
        return list(value)
    raise TypeError(f"{type(value).__name__} {value!r}")


def as_count(what: str, value: Any, least: int = 1, below: int = 2**32) -> int:
    """A whole number from `least` on."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not least <= value < below:
        raise AlgolensError(f"{what}: expected a whole number from {least} to {below - 1}, found {value!r}")
    return int(value)
