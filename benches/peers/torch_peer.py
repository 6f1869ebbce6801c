"""Training steps and forward passes in PyTorch on all cores, tuned by hand."""

import itertools
import os
from functools import partial

import torch
import torch.nn.functional as F

from shapes import (
    ADAM_EPS, BATCH, BETAS, LEARNING_RATE, MANY, NORM_EPS, WEIGHT_DECAY, Shape, Timers, numpy_batches, numpy_lists,
    numpy_parameters,
)

torch.set_num_threads(os.cpu_count())
VERSION = f"PyTorch {torch.__version__}"


def library_attention(q, k, v, mask):
    """`scaled_dot_product_attention`; without a mask it is causal."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)


def matmul_attention(q, k, v, mask):
    """Two batched products around a softmax: at these sizes faster on a CPU than the library's function."""
    batch, heads, _, width = q.shape
    q, k, v = (part.reshape(batch * heads, -1, width) for part in (q, k, v))
    scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=width**-0.5)
    return torch.bmm(scores.softmax(-1), v).view(batch, heads, -1, width)


class Model:
    """Logits at the predicted positions.

    `pruned`: the last block has queries at the predicted positions only. `table`: what the first block computes before
    its attention depends on position and token alone, so it is computed once for each pair, and gathered.
    """

    def __init__(self, shape: Shape, *, attention=matmul_attention, pruned: bool, table: bool):
        self.shape, self.attention, self.table = shape, attention, table
        self.first_queries = shape.first_queries(pruned)
        self.masks = [None if attention is library_attention else self.mask(first) for first in self.first_queries]

    def mask(self, first):
        n_read = self.shape.n_read
        return torch.full((n_read - first, n_read), float("-inf")).triu(1 + first)

    def logits(self, p, tokens):
        shape = self.shape
        if self.table:
            index = tokens + torch.arange(shape.n_read) * shape.d_vocab
            x = (p["W_pos"][: shape.n_read, None] + p["W_E"]).flatten(0, 1)
        else:
            index = None
            x = F.embedding(tokens, p["W_E"]) + p["W_pos"][: shape.n_read]
        for layer, (first, output) in enumerate(zip(self.first_queries, shape.outputs())):
            q, k, v = map(self.by_head, self.queries_keys_values(p, layer, x, first, index))
            z = self.attention(q, k, v, self.masks[layer]).transpose(1, 2).flatten(2)[:, output - first :]
            x = at(x, output, index) + F.linear(z, p[f"{layer}.W_O"], p[f"{layer}.b_O"])
            index = None
        return F.linear(self.norm(p, "final", x), p["W_U"], p["b_U"])

    def queries_keys_values(self, p, layer, x, first, index):
        """One product gives all three, unless the queries begin later."""
        inner, weight, bias = self.shape.inner, p[f"{layer}.W_QKV"], p[f"{layer}.b_QKV"]
        x = self.norm(p, layer, x)
        if first == 0:
            return projected(x, weight, bias, 0, index).chunk(3, -1)
        q = projected(x, weight[:inner], bias[:inner], first, index)
        return q, *projected(x, weight[inner:], bias[inner:], 0, index).chunk(2, -1)

    def norm(self, p, name, x):
        return F.layer_norm(x, (self.shape.d_model,), p[f"{name}.ln_w"], p[f"{name}.ln_b"], NORM_EPS)

    def by_head(self, x):
        return x.unflatten(-1, (self.shape.n_heads, self.shape.d_head)).transpose(1, 2)


def at(x, first, index):
    """The positions from `first` on: of a batch, or gathered from a table."""
    return x[:, first:] if index is None else F.embedding(index[:, first:], x)


def projected(x, weight, bias, first, index):
    """A linear map at the positions from `first` on: of a batch, or of a whole table and then gathered."""
    return F.linear(at(x, first, None), weight, bias) if index is None else at(F.linear(x, weight, bias), first, index)


def build(shape: Shape, model: Model, wrap=lambda function: function) -> Timers:
    """`wrap` compiles a function, or leaves it as it is."""
    p = {name: torch.tensor(values, requires_grad=True) for name, values in numpy_parameters(shape).items()}
    adam = torch.optim.Adam(
        p.values(), lr=LEARNING_RATE, betas=BETAS, eps=ADAM_EPS, weight_decay=WEIGHT_DECAY, fused=True
    )
    batches = itertools.cycle([tuple(map(torch.from_numpy, batch)) for batch in numpy_batches(shape)])
    lists = {count: torch.from_numpy(numpy_lists(shape, count)) for count in (BATCH, MANY)}

    @wrap
    def loss_of(tokens, targets):
        return F.cross_entropy(model.logits(p, tokens).flatten(0, 1), targets.flatten())

    @wrap
    def predictions(tokens):
        return model.logits(p, tokens).argmax(-1)

    def step():
        loss = loss_of(*next(batches))
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        return loss.item()

    @torch.no_grad()
    def forward(count):
        return predictions(lists[count])

    return Timers(step, forward)


def timers(shape: Shape, compiled: bool) -> dict[str, Timers]:
    """Every variant that fits the shape; those of `torch.compile` too if `compiled`."""
    tuned = "PyTorch, pruned" if shape.first > 0 else "PyTorch, matmul"
    built = {
        "PyTorch, SDPA": build(shape, Model(shape, attention=library_attention, pruned=False, table=False)),
        tuned: build(shape, Model(shape, pruned=True, table=False)),
        "PyTorch, row table": build(shape, Model(shape, pruned=True, table=True)),
    }
    if compiled:
        wrap = partial(torch.compile, dynamic=False)
        built |= {
            f"{tuned}, compiled": build(shape, Model(shape, pruned=True, table=False), wrap),
            "PyTorch, row table, compiled": build(shape, Model(shape, pruned=True, table=True), wrap),
        }
    return built
