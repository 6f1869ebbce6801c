"""Training steps and forward passes in JAX on all cores, jitted, with donated buffers."""

import itertools

import jax
import jax.numpy as jnp

from shapes import (
    ADAM_EPS, BATCH, BETAS, LEARNING_RATE, MANY, NORM_EPS, WEIGHT_DECAY, Shape, Timers, numpy_batches, numpy_lists,
    numpy_parameters,
)

jax.config.update("jax_platforms", "cpu")
VERSION = f"JAX {jax.__version__}"


def gather(table, index):
    """Rows of a table. All indices are in range, and XLA is told so."""
    return table.at[index].get(mode="promise_in_bounds")


def norm(p, name, x):
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + NORM_EPS) * p[f"{name}.ln_w"] + p[f"{name}.ln_b"]


def linear(x, weight, bias):
    return x @ weight.T + bias


def attention(shape: Shape, q, k, v, first):
    """Causal; the queries begin at position `first`."""
    q, k, v = (part.reshape(*part.shape[:2], shape.n_heads, shape.d_head) for part in (q, k, v))
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * shape.d_head**-0.5
    seen = jnp.arange(first, shape.n_read)[:, None] >= jnp.arange(shape.n_read)
    pattern = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf))
    return jnp.einsum("bhqk,bkhd->bqhd", pattern, v).reshape(*q.shape[:2], shape.inner)


def at(x, first, index):
    """The positions from `first` on: of a batch, or gathered from a table."""
    return x[:, first:] if index is None else gather(x, index[:, first:])


def projected(x, weight, bias, first, index):
    """A linear map at the positions from `first` on: of a batch, or of a whole table and then gathered."""
    return linear(at(x, first, None), weight, bias) if index is None else at(linear(x, weight, bias), first, index)


def queries_keys_values(shape: Shape, p, layer, x, first, index):
    """One product gives all three, unless the queries begin later."""
    inner, weight, bias = shape.inner, p[f"{layer}.W_QKV"], p[f"{layer}.b_QKV"]
    x = norm(p, layer, x)
    if first == 0:
        return jnp.split(projected(x, weight, bias, 0, index), 3, -1)
    q = projected(x, weight[:inner], bias[:inner], first, index)
    return q, *jnp.split(projected(x, weight[inner:], bias[inner:], 0, index), 2, -1)


def logits(shape: Shape, p, tokens, *, pruned: bool, table: bool):
    """Logits at the predicted positions.

    `pruned`: the last block has queries at the predicted positions only. `table`: what the first block computes before
    its attention depends on position and token alone, so it is computed once for each pair, and gathered.
    """
    if table:
        index = tokens + jnp.arange(shape.n_read) * shape.d_vocab
        x = (p["W_pos"][: shape.n_read, None] + p["W_E"]).reshape(-1, shape.d_model)
    else:
        index = None
        x = gather(p["W_E"], tokens) + p["W_pos"][: shape.n_read]
    for layer, (first, output) in enumerate(zip(shape.first_queries(pruned), shape.outputs())):
        q, k, v = queries_keys_values(shape, p, layer, x, first, index)
        z = attention(shape, q, k, v, first)[:, output - first :]
        x = at(x, output, index) + linear(z, p[f"{layer}.W_O"], p[f"{layer}.b_O"])
        index = None
    return linear(norm(p, "final", x), p["W_U"], p["b_U"])


def adam(p, mean, square, count, gradient):
    """Adam with coupled weight decay."""
    tree, (beta1, beta2) = jax.tree.map, BETAS
    gradient = tree(lambda g, p: g + WEIGHT_DECAY * p, gradient, p)
    mean = tree(lambda m, g: beta1 * m + (1 - beta1) * g, mean, gradient)
    square = tree(lambda s, g: beta2 * s + (1 - beta2) * g * g, square, gradient)
    count = count + 1
    rate, correction = LEARNING_RATE / (1 - beta1**count), 1 - beta2**count
    p = tree(lambda p, m, s: p - rate * m / (jnp.sqrt(s / correction) + ADAM_EPS), p, mean, square)
    return p, mean, square, count


def build(shape: Shape, *, pruned: bool, table: bool) -> Timers:
    def loss_of(p, tokens, targets):
        scores = logits(shape, p, tokens, pruned=pruned, table=table)
        right = jnp.take_along_axis(scores, targets[..., None], -1, mode="promise_in_bounds")[..., 0]
        return (jax.nn.logsumexp(scores, -1) - right).mean()

    def trained(state, tokens, targets):
        loss, gradient = jax.value_and_grad(loss_of)(state[0], tokens, targets)
        return adam(*state, gradient), loss

    trained = jax.jit(trained, donate_argnums=0)
    predictions = jax.jit(lambda p, tokens: logits(shape, p, tokens, pruned=pruned, table=table).argmax(-1))

    def on_device(values):
        return jnp.asarray(values, jnp.int32)

    p = jax.tree.map(jnp.array, numpy_parameters(shape))
    state = (p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.float32(0))
    batches = itertools.cycle([tuple(map(on_device, batch)) for batch in numpy_batches(shape)])
    lists = {count: on_device(numpy_lists(shape, count)) for count in (BATCH, MANY)}

    def step():
        nonlocal state
        state, loss = trained(state, *next(batches))
        jax.block_until_ready(state)
        return float(loss)

    def forward(count):
        return predictions(state[0], lists[count]).block_until_ready()

    return Timers(step, forward)


def timers(shape: Shape, compiled: bool) -> dict[str, Timers]:
    """Every variant that fits the shape. All are compiled, whatever `compiled` says."""
    built = {"JAX, plain": build(shape, pruned=False, table=False)}
    if shape.first > 0:
        built["JAX, pruned"] = build(shape, pruned=True, table=False)
    return built | {"JAX, row table": build(shape, pruned=True, table=True)}
