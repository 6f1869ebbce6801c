"""The three models that are timed: their sizes, random parameters and batches, the same for every framework."""

from dataclasses import dataclass
from typing import Callable, NamedTuple

import numpy as np

BATCH = 512
BATCHES = 40
MANY = 20_480
LEARNING_RATE, BETAS, ADAM_EPS, WEIGHT_DECAY = 1e-3, (0.9, 0.999), 1e-8, 0.005
NORM_EPS = 1e-5


class Timers(NamedTuple):
    """What a peer offers to be timed. Each call ends when its result is there.

    `step()` trains on the next batch and gives the loss. `forward(count)` classifies `count` lists, from the weights
    on: whatever a variant tabulates, it tabulates in that call.
    """

    step: Callable[[], float]
    forward: Callable[[int], object]


@dataclass(frozen=True)
class Shape:
    """Sizes of an attention-only causal transformer with layer norm, and the positions it is trained at.

    `n_ctx` is the number of positions with an embedding. The model reads `n_read` of them: what comes after the last
    predicted position is seen by nobody, so no variant computes it. Predicted are positions `first..n_read`.
    """

    name: str
    n_layers: int
    n_heads: int
    d_model: int
    d_head: int
    d_vocab: int
    n_ctx: int
    n_read: int
    first: int
    classes: int
    sequences: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]

    @property
    def inner(self) -> int:
        """Width of all heads side by side."""
        return self.n_heads * self.d_head

    def first_queries(self, pruned: bool) -> list[int]:
        """The first position whose attention is computed, layer by layer. Only the last layer can be pruned."""
        return [0] * (self.n_layers - 1) + [self.first if pruned else 0]

    def outputs(self) -> list[int]:
        """The first position whose residual stream is kept, layer by layer."""
        return self.first_queries(pruned=True)


def sorting_sequences(rng, count):
    """Ten distinct values, a separator, the values in order. Targets are the values in order."""
    values = rng.random((count, 51)).argsort(axis=1)[:, :10]
    in_order = np.sort(values, axis=1)
    separator = np.full((count, 1), 51)
    return np.concatenate([values, separator, in_order], axis=1)[:, :20], in_order


def bracketed_sequences(rng, count):
    """START, twenty random tokens, END; a random class at END."""
    start, end = np.full((count, 1), 31), np.full((count, 1), 32)
    return np.concatenate([start, rng.integers(0, 31, (count, 20)), end], axis=1), rng.integers(0, 2, (count, 1))


def started_sequences(rng, count):
    """START and nineteen random digits; a random class at every position."""
    start = np.full((count, 1), 10)
    return np.concatenate([start, rng.integers(0, 10, (count, 19))], axis=1), rng.integers(0, 11, (count, 20))


SHAPES = {
    shape.name: shape
    for shape in [
        # ARENA, October 2023: sorts a list of ten values.
        Shape("sorted_list", 1, 2, 96, 48, 52, 21, 20, 10, 52, sorting_sequences),
        # ARENA, July 2023: is the sequence a palindrome? It answers at the last position.
        Shape("palindromes", 2, 2, 28, 14, 33, 22, 22, 21, 2, bracketed_sequences),
        # ARENA, August 2023: the first unique character so far, at every position.
        Shape("first_unique", 2, 3, 42, 14, 11, 20, 20, 0, 11, started_sequences),
    ]
}


def numpy_parameters(shape: Shape, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights. Matrices are [out, in]; `W_QKV` holds the queries of all heads, then keys, then values."""
    rng = np.random.default_rng(seed)

    def matrix(rows, columns):
        return (rng.standard_normal((rows, columns)) / np.sqrt(shape.d_model)).astype(np.float32)

    def vector(length, centre=0.0):
        return (centre + 0.02 * rng.standard_normal(length)).astype(np.float32)

    parameters = {"W_E": matrix(shape.d_vocab, shape.d_model), "W_pos": matrix(shape.n_ctx, shape.d_model)}
    for layer in range(shape.n_layers):
        parameters |= {
            f"{layer}.ln_w": vector(shape.d_model, 1.0),
            f"{layer}.ln_b": vector(shape.d_model),
            f"{layer}.W_QKV": matrix(3 * shape.inner, shape.d_model),
            f"{layer}.b_QKV": vector(3 * shape.inner),
            f"{layer}.W_O": matrix(shape.d_model, shape.inner),
            f"{layer}.b_O": vector(shape.d_model),
        }
    return parameters | {
        "final.ln_w": vector(shape.d_model, 1.0),
        "final.ln_b": vector(shape.d_model),
        "W_U": matrix(shape.classes, shape.d_model),
        "b_U": vector(shape.classes),
    }


def numpy_batches(shape: Shape, seed: int = 1) -> list[tuple[np.ndarray, np.ndarray]]:
    """Different batches of (tokens read, targets at the predicted positions)."""
    rng = np.random.default_rng(seed)
    return [shape.sequences(rng, BATCH) for _ in range(BATCHES)]


def numpy_lists(shape: Shape, count: int, seed: int = 2) -> np.ndarray:
    """Tokens for a forward pass."""
    return shape.sequences(np.random.default_rng(seed), count)[0]
