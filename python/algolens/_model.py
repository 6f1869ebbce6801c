"""A transformer under TransformerLens's names."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from . import _algolens
from ._algolens import AlgolensError
from ._arrays import as_count, as_floats, as_json, as_numpy, as_tokens, is_torch, like
from ._cache import ActivationCache
from ._config import HookedTransformerConfig
from ._gradients import Gradients, seed_of
from ._hooks import HookPair, HookPoint, Names, Places, matching, show_gradients
from ._weights import Part, stacked
from .utils import lm_cross_entropy_loss

if TYPE_CHECKING:
    from ._tasks import Task

#: What a cache of everything leaves out, unless the config says otherwise: it is as large as many others together.
_ON_DEMAND = {
    "hook_result": "use_attn_result",
    "hook_q_input": "use_split_qkv_input",
    "hook_k_input": "use_split_qkv_input",
    "hook_v_input": "use_split_qkv_input",
    "hook_attn_in": "use_attn_in",
    "hook_mlp_in": "use_hook_mlp_in",
}
_STEPS = ("fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases")
_RETURN_TYPES = ("logits", "loss", "both", None)
#: Buffers that TransformerLens saves beside the weights of a block's attention.
_BUFFERS = ("attn.mask", "attn.IGNORE", "attn.rotary_sin", "attn.rotary_cos")


class Output(NamedTuple):
    """What ``return_type="both"`` gives."""

    #: ``[batch, pos, d_vocab_out]``.
    logits: Any
    #: The mean loss of each next token.
    loss: Any


class AlgolensWarning(UserWarning):
    """What was assumed, or passed over."""


class HookedTransformer:
    """A transformer: run it, look inside, change what it computes.

    The names, shapes and meanings are those of TransformerLens 3.9. Arrays are NumPy's, or torch's where the tokens are a torch
    tensor. ``model(tokens)``, ``run_with_cache`` and ``run_with_hooks`` all run the plain backend and give the same
    bits. Nothing is differentiated by torch: gradients are ``gradients``.
    """

    def __init__(self, cfg: HookedTransformerConfig | dict[str, Any], seed: int | None = None) -> None:
        """An untrained model; its weights are drawn from ``seed``, or else from ``cfg.seed``, or else from 0."""
        cfg = HookedTransformerConfig.from_dict(cfg) if isinstance(cfg, dict) else cfg
        seed = next(one for one in (seed, cfg.seed, 0) if one is not None)
        seed = as_count("seed", seed, 0, 2**64)
        # What is set of one model's config is not set of another's.
        self._begin(_algolens.Model.init(as_json("config", cfg._of_engine()), seed), copy.copy(cfg))

    def _begin(self, model: _algolens.Model, cfg: HookedTransformerConfig) -> None:
        self._model = model
        self.cfg = cfg
        self._places = Places(model.hook_points)
        self._own_hooks: list[HookPair] = []
        # The task that trained it in this process, where no name says it.
        self._own_task: Task | None = None
        self._more_hooks: contextvars.ContextVar[tuple[tuple[HookPair, ...], tuple[HookPair, ...]]]
        self._more_hooks = contextvars.ContextVar("hooks", default=((), ()))

    @classmethod
    def _of(cls, model: _algolens.Model, cfg: HookedTransformerConfig | None = None) -> HookedTransformer:
        new = cls.__new__(cls)
        new._begin(model, cfg or HookedTransformerConfig._from_engine(json.loads(model.config)))
        return new

    @classmethod
    def from_checkpoint(
        cls,
        path: str | os.PathLike[str],
        *,
        task: str | None = None,
        key: str | None = None,
        ignore: Sequence[str] = (),
        layout: str | None = None,
        **hints: Any,
    ) -> HookedTransformer:
        """The model in a file: safetensors, PyTorch, ``.npz`` or JSON; nothing in it is ever executed.

        What the file does not say, ``hints`` do, in the words of ``HookedTransformerConfig``
        (``normalization_type="LN"``); ``key`` says where in the file the weights are, ``ignore`` which tensors are none,
        ``layout`` how they are named. What is assumed, is said in a warning.
        """
        path = os.fspath(path)
        found = _algolens.read_checkpoint(path, as_json("hints", hints), task, key, list(ignore), layout)
        if found.beside:
            _say(f"{found.beside} is read with the weights beside it")
        if found.assumed:
            _say(f"{path}: {found.assumed}")
        return cls._of(found.model)

    # What there is

    @property
    def task(self) -> str | None:
        """The task that the model was trained on, if it is known."""
        return self._model.task

    @property
    def hook_dict(self) -> dict[str, HookPoint]:
        """Every hook point by name, in the order of the forward pass."""
        return dict(self._places.points)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Every weight by its name in TransformerLens, each a copy that is not to be written to."""
        return self._model.tensors()

    def named_parameters(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every weight with its name."""
        return iter(self.state_dict().items())

    def parameters(self) -> Iterator[np.ndarray]:
        """Every weight."""
        return iter(self.state_dict().values())

    W_E = property(lambda self: self._model.tensor("embed.W_E"), doc="``[d_vocab, d_model]``.")
    W_pos = property(lambda self: self._model.tensor("pos_embed.W_pos"), doc="``[n_ctx, d_model]``.")
    b_U = property(lambda self: self._model.tensor("unembed.b_U"), doc="``[d_vocab_out]``.")
    W_Q = property(lambda self: stacked(self, "attn.W_Q"), doc="``[layer, head, d_model, d_head]``.")
    W_K = property(lambda self: stacked(self, "attn.W_K"), doc="``[layer, head, d_model, d_head]``.")
    W_V = property(lambda self: stacked(self, "attn.W_V"), doc="``[layer, head, d_model, d_head]``.")
    W_O = property(lambda self: stacked(self, "attn.W_O"), doc="``[layer, head, d_head, d_model]``.")
    b_Q = property(lambda self: stacked(self, "attn.b_Q"), doc="``[layer, head, d_head]``.")
    b_K = property(lambda self: stacked(self, "attn.b_K"), doc="``[layer, head, d_head]``.")
    b_V = property(lambda self: stacked(self, "attn.b_V"), doc="``[layer, head, d_head]``.")
    b_O = property(lambda self: stacked(self, "attn.b_O"), doc="``[layer, d_model]``.")
    W_in = property(lambda self: stacked(self, "mlp.W_in"), doc="``[layer, d_model, d_mlp]``.")
    W_gate = property(lambda self: stacked(self, "mlp.W_gate"), doc="``[layer, d_model, d_mlp]``.")
    W_out = property(lambda self: stacked(self, "mlp.W_out"), doc="``[layer, d_mlp, d_model]``.")
    b_in = property(lambda self: stacked(self, "mlp.b_in"), doc="``[layer, d_mlp]``.")
    b_out = property(lambda self: stacked(self, "mlp.b_out"), doc="``[layer, d_model]``.")

    @property
    def W_U(self) -> np.ndarray:
        """``[d_model, d_vocab_out]``; the embedding, transposed, where the two are tied."""
        return self.W_E.T if self.cfg.tie_word_embeddings else self._model.tensor("unembed.W_U")

    @property
    def blocks(self) -> list[Part]:
        """The blocks: ``model.blocks[0].attn.W_Q``."""
        return [Part(self, f"blocks.{layer}") for layer in range(self.cfg.n_layers)]

    @property
    def embed(self) -> Part:
        """The embedding: ``model.embed.W_E``."""
        return Part(self, "embed")

    @property
    def pos_embed(self) -> Part:
        """The embedding of positions: ``model.pos_embed.W_pos``."""
        return Part(self, "pos_embed")

    @property
    def ln_final(self) -> Part:
        """The last norm: ``model.ln_final.w``."""
        return Part(self, "ln_final")

    @property
    def unembed(self) -> Part:
        """The unembedding: ``model.unembed.W_U``."""
        return Part(self, "unembed")

    # Other weights

    def load_state_dict(self, state_dict: dict[str, Any], strict: bool = True) -> None:
        """Takes other weights: all of the model's, and no others; not ``strict``, those that are given and fit.

        Of the buffers that TransformerLens saves with the weights, ``IGNORE`` becomes the config's ``masked_score``, and the others
        are passed over. Numbers may be of any precision; they become float32.
        """
        names = self._model.weights
        given = {name: value for name, value in state_dict.items() if not _is_buffer(name)}
        if strict:
            missing, extra = [n for n in names if n not in given], [n for n in given if n not in names]
            if missing or extra:
                found = [
                    f"{word} {', '.join(some)}" for word, some in (("missing", missing), ("unexpected", extra)) if some
                ]
                raise AlgolensError(f"state dict: expected the model's {len(names)} tensors, found {'; '.join(found)}")
        weights = {} if strict else self.state_dict()
        weights |= {name: as_floats(name, value) for name, value in given.items() if name in names}
        model = self._model.with_tensors(weights)
        score = _masked_score(state_dict, self.cfg.masked_score)
        if score != self.cfg.masked_score:
            model = model.with_masked_score(score)
            self.cfg.masked_score = score
        self._model = model

    def process_weights_(
        self,
        fold_ln: bool = True,
        center_writing_weights: bool = True,
        center_unembed: bool = True,
        fold_value_biases: bool = True,
        refactor_factored_attn_matrices: bool = False,
    ) -> None:
        """Processes the weights in place: the same log-probabilities, easier to read (TransformerLens's ``ProcessWeights``).

        A step that would change what this model computes is left out, and a warning says why.
        """
        if refactor_factored_attn_matrices:
            raise AlgolensError(
                "refactor_factored_attn_matrices: expected False: there is no such step here, found True"
            )
        model = self._model
        for step, wanted in zip(_STEPS, (fold_ln, center_writing_weights, center_unembed, fold_value_biases)):
            if not wanted:
                continue
            try:
                model = model.stepped(step)
            except AlgolensError as error:
                _say(f"left out: {error}")
        cfg = HookedTransformerConfig._from_engine(json.loads(model.config))
        for flag in {"seed", "model_name", *_ON_DEMAND.values()}:
            setattr(cfg, flag, getattr(self.cfg, flag))
        self._model, self.cfg, self._places = model, cfg, Places(model.hook_points)

    def load_and_process_state_dict(self, state_dict: dict[str, Any], **steps: bool) -> None:
        """``load_state_dict``, then ``process_weights_`` with these steps."""
        before, score = self._model, self.cfg.masked_score
        self.load_state_dict(state_dict)
        try:
            self.process_weights_(**steps)
        except BaseException:
            self._model, self.cfg.masked_score = before, score
            raise

    def set_use_attn_result(self, use: bool) -> None:
        """Whether a cache of everything has ``hook_result``."""
        self.cfg.use_attn_result = use

    def set_use_split_qkv_input(self, use: bool) -> None:
        """Whether a cache of everything has ``hook_q_input``, ``hook_k_input`` and ``hook_v_input``."""
        self.cfg.use_split_qkv_input = use

    def set_use_attn_in(self, use: bool) -> None:
        """Whether a cache of everything has ``hook_attn_in``."""
        self.cfg.use_attn_in = use

    def set_use_hook_mlp_in(self, use: bool) -> None:
        """Whether a cache of everything has ``hook_mlp_in``."""
        self.cfg.use_hook_mlp_in = use

    # Running

    def __call__(self, input: Any, return_type: str | None = "logits", loss_per_token: bool = False) -> Any:
        """Runs the model on ``tokens [batch, pos]``, with the hooks that it has.

        ``return_type``: ``"logits"`` are ``[batch, pos, d_vocab_out]``; ``"loss"`` is the mean loss of each next token (see
        ``utils.lm_cross_entropy_loss``); ``"both"`` are both; ``None`` is nothing.
        """
        return self.run_with_hooks(input, return_type=return_type, loss_per_token=loss_per_token)

    forward = __call__

    def run_with_hooks(
        self,
        input: Any,
        *,
        return_type: str | None = "logits",
        fwd_hooks: Sequence[HookPair] = (),
        bwd_hooks: Sequence[HookPair] = (),
        loss_per_token: bool = False,
    ) -> Any:
        """Runs the model with hooks: ``(name, function)``, where the name may be a list, or a function of names.

        ``function(activation, hook=hook)`` edits the activation in place or returns another one of its shape; everything
        computed from it follows. Hooks at one point are called in the order in which they are given. ``bwd_hooks`` see the
        gradients of the loss; they need ``return_type="loss"``, and cannot change them.
        """
        tokens = as_tokens(input)
        forward, backward = self._hooks(fwd_hooks, bwd_hooks)
        _check_return_type(return_type)
        if not backward:
            logits, _ = self._run(tokens, forward, [], input)
            return _answer(logits, tokens, return_type, loss_per_token, input)
        if return_type not in ("loss", "both") or loss_per_token:
            raise AlgolensError(
                "bwd_hooks: expected return_type 'loss': gradients are of a number; see gradients() for others"
            )
        ran = self._gradients(tokens, "loss", [], forward, backward, input)
        return _answer(as_numpy("logits", ran.logits), tokens, return_type, loss_per_token, input)

    def run_with_cache(
        self,
        input: Any,
        *,
        return_type: str | None = "logits",
        names_filter: Names | None = None,
        remove_batch_dim: bool = False,
        return_cache_object: bool = True,
        incl_bwd: bool = False,
        loss_per_token: bool = False,
    ) -> tuple[Any, Any]:
        """Runs the model, and keeps activations: all, or those that ``names_filter`` names (a name, names, or a function).

        All, and a function's choice, are those that TransformerLens has without being asked: ``hook_result``, the inputs of heads
        and ``hook_mlp_in`` are kept where they are named, or where the config's flag says so.

        ``incl_bwd`` keeps the gradients of the loss too, under the names with ``_grad`` behind them.
        """
        tokens = as_tokens(input)
        _check_return_type(return_type)
        forward, backward = self._hooks()
        names = self._recorded(names_filter)
        if incl_bwd or backward:
            activations: dict[str, Any] = {}
            # Called after every other hook, in the same pass.
            keep: HookPair = (names, lambda activation, hook: activations.update({hook.name: activation}))
            ran = self._gradients(tokens, "loss", names, [*forward, keep], backward, input)
            logits = as_numpy("logits", ran.logits)
            if incl_bwd:
                activations |= {f"{name}_grad": gradient for name, gradient in ran.activations.items()}
        else:
            logits, activations = self._run(tokens, forward, names, input)
        cache = ActivationCache(activations, self.cfg.n_layers)
        if remove_batch_dim:
            cache.remove_batch_dim()
        answer = _answer(logits, tokens, return_type, loss_per_token, input)
        return answer, cache if return_cache_object else cache.cache_dict

    def gradients(
        self,
        input: Any,
        of: Any = "loss",
        *,
        names_filter: Names | None = (),
        fwd_hooks: Sequence[HookPair] = (),
        bwd_hooks: Sequence[HookPair] = (),
    ) -> Gradients:
        """The gradients of a number that the logits give, by the weights and by the activations that ``names_filter`` names.

        ``of`` is ``"loss"``; or the number's derivative by the logits, ``[batch, pos, d_vocab_out]`` (of a logit, an array of
        zeros with a one); or a function of the logits that returns that derivative, or, where the tokens are torch's, the
        number itself as a torch scalar. A hook counts as adding a constant to its activation.
        """
        forward, backward = self._hooks(fwd_hooks, bwd_hooks)
        names = self._recorded(names_filter)
        return self._gradients(as_tokens(input), of, names, forward, backward, input)

    def add_hook(self, name: Names, hook: Callable[..., Any], dir: str = "fwd") -> None:
        """Adds a hook that every run has, until ``reset_hooks``; a copy of the model has none."""
        if dir != "fwd":
            raise AlgolensError(f"dir: expected 'fwd': hooks that stay are forward ones, found {dir!r}")
        self._check_names([(name, hook)])
        self._own_hooks.append((name, hook))

    def reset_hooks(self, clear_contexts: bool = False) -> None:
        """Takes away every hook that ``add_hook`` added; ``clear_contexts`` also what hooks have left in ``hook.ctx``."""
        self._own_hooks.clear()
        if clear_contexts:
            for point in self._places.points.values():
                point.ctx.clear()

    @contextlib.contextmanager
    def hooks(
        self, fwd_hooks: Sequence[HookPair] = (), bwd_hooks: Sequence[HookPair] = ()
    ) -> Iterator[HookedTransformer]:
        """``with model.hooks(fwd_hooks=[...]):`` every run inside has these hooks, in this thread."""
        self._check_names([*fwd_hooks, *bwd_hooks])
        forward, backward = self._more_hooks.get()
        token = self._more_hooks.set(((*forward, *fwd_hooks), (*backward, *bwd_hooks)))
        try:
            yield self
        finally:
            self._more_hooks.reset(token)

    # Saving

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model whole, as safetensors with its config and its task."""
        self._model.save(os.fspath(path))

    def to(self, device: Any) -> HookedTransformer:
        """The model itself, which stays on the processor."""
        if str(device).split(":")[0] != "cpu":
            raise AlgolensError(f"device: expected cpu, found {device}")
        return self

    def eval(self) -> HookedTransformer:
        """The model itself: it has no dropout to turn off."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._model.state(), self.cfg)

    def __repr__(self) -> str:
        task = f", task={self.task!r}" if self.task else ""
        cfg = self.cfg
        return f"HookedTransformer(n_layers={cfg.n_layers}, n_heads={cfg.n_heads}, d_model={cfg.d_model}{task})"

    # Inside

    def _usual(self) -> list[str]:
        """The points that are looked at where none is named: without those that a flag would have to turn on."""
        left_out = {place for place, flag in _ON_DEMAND.items() if not getattr(self.cfg, flag)}
        return [name for name in self._places.names if name.rsplit(".", 1)[-1] not in left_out]

    def _recorded(self, names_filter: Names | None) -> list[str]:
        return matching(names_filter, self._places.names, self._usual())

    def _hooks(
        self, fwd_hooks: Sequence[HookPair] = (), bwd_hooks: Sequence[HookPair] = ()
    ) -> tuple[list[HookPair], list[HookPair]]:
        forward, backward = self._more_hooks.get()
        # A hook splits the inputs of heads, as TransformerLens does by this flag.
        split = [name for name in self._places.names if name.endswith("hook_q_input") and self.cfg.use_split_qkv_input]
        splits: list[HookPair] = [(split, lambda activation, hook: None)] if split else []
        return [*splits, *self._own_hooks, *forward, *fwd_hooks], [*backward, *bwd_hooks]

    def _check_names(self, pairs: Sequence[HookPair]) -> None:
        names = [name for name, _ in self._places.at(pairs, self._usual(), None)]
        self._model.check_hook_points(names)

    def _run(
        self, tokens: np.ndarray, forward: Sequence[HookPair], names: list[str], sample: Any
    ) -> tuple[np.ndarray, dict[str, Any]]:
        logits, activations = self._model.run(tokens, self._places.at(forward, self._usual(), sample), names)
        if is_torch(sample):
            activations = {name: like(activation, sample) for name, activation in activations.items()}
        in_order = [name for name in self._places.names if name in activations]
        return logits, {name: activations[name] for name in in_order}

    def _gradients(
        self,
        tokens: np.ndarray,
        of: Any,
        names: list[str],
        forward: Sequence[HookPair],
        backward: Sequence[HookPair],
        sample: Any,
    ) -> Gradients:
        self._check_names(backward)
        seen = [name for place, _ in backward for name in matching(place, self._places.names, self._usual())]
        asked = sorted({*names, *seen})
        ran = self._model.run_backward(
            tokens, self._places.at(forward, self._usual(), sample), asked, seed_of(of, tokens, sample)
        )
        logits, params, activations = ran
        show_gradients(backward, self._places, self._usual(), activations, sample)
        kept = {name: like(activations[name], sample) for name in self._places.names if name in names}
        params = {name: like(param.copy() if is_torch(sample) else param, sample) for name, param in params.items()}
        return Gradients(like(logits, sample), params, ActivationCache(kept, self.cfg.n_layers))


def _answer(logits: np.ndarray, tokens: np.ndarray, return_type: str | None, per_token: bool, sample: Any) -> Any:
    if return_type is None:
        return None
    if return_type == "logits":
        return like(logits, sample)
    loss = lm_cross_entropy_loss(logits, tokens, per_token)
    loss = like(np.asarray(loss), sample) if is_torch(sample) else loss
    return loss if return_type == "loss" else Output(like(logits, sample), loss)


def _check_return_type(return_type: str | None) -> None:
    if return_type not in _RETURN_TYPES:
        raise AlgolensError(f"return_type: expected 'logits', 'loss', 'both' or None, found {return_type!r}")


def _is_buffer(name: str) -> bool:
    parts = name.split(".", 2)
    return len(parts) == 3 and parts[0] == "blocks" and parts[2] in _BUFFERS


def _say(what: str) -> None:
    warnings.warn(what, AlgolensWarning, stacklevel=3)


def _restored(state: tuple[bytes, str, str], cfg: HookedTransformerConfig) -> HookedTransformer:
    return HookedTransformer._of(_algolens.Model.restored(*state), cfg)


def _masked_score(state_dict: dict[str, Any], before: float | None) -> float | None:
    """The score of what is masked that a state dict's buffers say, the same in every block; that of before, if they say none."""
    scores = {float(as_numpy(name, value)) for name, value in state_dict.items() if name.endswith(".attn.IGNORE")}
    if len(scores) > 1:
        raise AlgolensError(f"IGNORE: expected one score in all blocks, found {sorted(scores)}")
    score = scores.pop() if scores else before
    return None if score is None or score == -np.inf else score
