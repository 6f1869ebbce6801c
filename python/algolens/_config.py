"""The shape of a model, in TransformerLens's words."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import InitVar, dataclass
from typing import Any

from ._algolens import AlgolensError
from ._arrays import as_count

#: Options of TransformerLens that say nothing of what a toy model computes, whatever they are: where it runs, how text becomes
#: tokens, how weights were first drawn, and the numbers of what other options turn on.
_SAY_NOTHING = {
    *(
        "device",
        "n_devices",
        "dtype",
        "init_mode",
        "init_weights",
        "initializer_range",
        "n_params",
        "original_architecture",
    ),
    *("tokenizer_name", "tokenizer_prepends_bos", "default_prepend_bos", "use_hook_tokens", "trust_remote_code"),
    *("from_checkpoint", "checkpoint_index", "checkpoint_label_type", "checkpoint_value", "decoder_start_token_id"),
    *("NTK_by_parts_low_freq_factor", "NTK_by_parts_high_freq_factor", "NTK_by_parts_factor", "NTK_original_ctx_len"),
    *(
        "yarn_factor",
        "yarn_attention_factor",
        "yarn_beta_fast",
        "yarn_beta_slow",
        "yarn_original_max_position_embeddings",
    ),
    *("yarn_truncate", "yarn_global_attn_only", "relative_attention_max_distance", "ungroup_grouped_query_attention"),
    *("layer_norm_folding", "uses_rms_norm"),
}
#: The values of others that change nothing.
_CHANGES_NOTHING = {"rotary_scaling_factor": 1.0}


@dataclass(kw_only=True)
class HookedTransformerConfig:
    """The shape of a model: TransformerLens's options and their defaults.

    ``from_dict`` takes TransformerLens's ``cfg.to_dict()``: what a toy model does not need (``device``, ``dtype``, tokenizers) is
    passed over; an option that changes what a model computes, and that there is not here, is refused.
    """

    n_layers: int
    d_model: int
    n_ctx: int
    d_head: int
    model_name: str = "custom"
    #: ``d_model // d_head`` where it is not said.
    n_heads: int = -1
    #: ``4 * d_model`` where it is not said.
    d_mlp: int | None = None
    act_fn: str | None = "relu"
    d_vocab: int = -1
    #: ``d_vocab`` where it is not said.
    d_vocab_out: int = -1
    eps: float = 1e-5
    attn_only: bool = False
    gated_mlp: bool = False
    parallel_attn_mlp: bool = False
    normalization_type: str | None = "LN"
    final_rms: bool = False
    attention_dir: str = "causal"
    n_key_value_heads: int | None = None
    use_attn_scale: bool = True
    #: The square root of ``d_head`` where it is not said.
    attn_scale: float = -1.0
    scale_attn_by_inverse_layer_idx: bool = False
    attn_scores_soft_cap: float = -1.0
    output_logits_soft_cap: float = -1.0
    positional_embedding_type: str = "standard"
    rotary_dim: int | None = None
    rotary_base: float = 10000.0
    rotary_adjacent_pairs: bool = False
    use_local_attn: bool = False
    window_size: int | None = None
    attn_types: list[str] | None = None
    tie_word_embeddings: bool = False
    seed: int | None = None
    #: Whether a cache of everything has ``hook_result``; by its name it is there in any case. So with the three that follow.
    use_attn_result: bool = False
    use_split_qkv_input: bool = False
    use_attn_in: bool = False
    use_hook_mlp_in: bool = False
    #: The token that nobody attends to (not TransformerLens's).
    pad_token: int | None = None
    #: The score of a key that a query must not see; none: minus infinity (not TransformerLens's).
    masked_score: float | None = None
    #: Which biases there are; none: all (not TransformerLens's).
    biases: dict[str, bool] | None = None
    #: The last norm, where ``final_rms`` does not say it (not TransformerLens's).
    final_normalization_type: str | None = None
    #: The window of each layer, where they differ (not TransformerLens's).
    attn_windows: list[int | None] | None = None

    # What TransformerLens's users say of other things: passed over.
    device: InitVar[Any] = None
    n_devices: InitVar[Any] = None
    dtype: InitVar[Any] = None
    init_mode: InitVar[Any] = None
    init_weights: InitVar[Any] = None
    initializer_range: InitVar[Any] = None
    n_params: InitVar[Any] = None
    original_architecture: InitVar[Any] = None
    tokenizer_name: InitVar[Any] = None
    tokenizer_prepends_bos: InitVar[Any] = None
    default_prepend_bos: InitVar[Any] = None
    use_hook_tokens: InitVar[Any] = None

    def __post_init__(self, *passed_over: Any) -> None:
        for name in ("n_layers", "d_model", "n_ctx", "d_head"):
            setattr(self, name, as_count(name, getattr(self, name), 0))
        if self.n_heads == -1:
            if self.d_head < 1 or self.d_model % self.d_head:
                raise AlgolensError(
                    f"n_heads: expected a number, as d_head {self.d_head} does not divide d_model {self.d_model}"
                )
            self.n_heads = self.d_model // self.d_head
        if self.d_vocab == -1:
            raise AlgolensError("d_vocab: expected the number of tokens, found none")
        if self.d_vocab_out == -1:
            self.d_vocab_out = self.d_vocab
        if self.attn_only:
            self.d_mlp, self.act_fn = None, None
        else:
            self.d_mlp = 4 * self.d_model if self.d_mlp is None else self.d_mlp
            if self.act_fn is None:
                raise AlgolensError(
                    "act_fn: expected an activation function, as the model has MLPs (attn_only is False)"
                )
        if not self.use_attn_scale:
            self.attn_scale = 1.0
        elif self.attn_scale == -1.0:
            self.attn_scale = math.sqrt(self.d_head)
        if self.positional_embedding_type == "rotary" and self.rotary_dim is None:
            self.rotary_dim = self.d_head
        if self.use_local_attn and (self.window_size is None or self.attn_types is None):
            raise AlgolensError("window_size and attn_types: expected both, as use_local_attn is True")
        if wrong := [kind for kind in self.attn_types or [] if kind not in ("local", "global")]:
            raise AlgolensError(f"attn_types: expected 'local' or 'global', found {wrong[0]!r}")

    @classmethod
    def from_dict(cls, options: dict[str, Any]) -> HookedTransformerConfig:
        """The config of a dictionary of options, such as TransformerLens's ``cfg.to_dict()``.

        Options that are not known here are passed over where they have a value that says nothing: none, False, or one below 0.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        given = {}
        for name, value in options.items():
            if name in known:
                given[name] = value
            elif name not in _SAY_NOTHING and value != _CHANGES_NOTHING.get(name) and not _says_nothing(value):
                raise AlgolensError(f"{name}: expected an option that toy models have, found {value!r}")
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """Every option by name."""
        return dataclasses.asdict(self)

    def _of_engine(self) -> dict[str, Any]:
        """The config in the engine's form (`algolens inspect --json` shows the same)."""
        config: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "n_layers n_heads n_key_value_heads d_model d_head parallel_attn_mlp n_ctx d_vocab d_vocab_out attention_dir "
                "scale_attn_by_inverse_layer_idx masked_score pad_token eps tie_word_embeddings"
            ).split()
        }
        config["mlp"] = (
            None if self.d_mlp is None else {"d_mlp": self.d_mlp, "act_fn": self.act_fn, "gated": self.gated_mlp}
        )
        norm = "none" if self.normalization_type is None else self.normalization_type
        last = self.final_normalization_type or ({"LN": "RMS", "LNPre": "RMSPre"}.get(norm) if self.final_rms else None)
        config |= {"normalization_type": norm, "final_normalization_type": last}
        is_usual = math.isclose(self.attn_scale, math.sqrt(self.d_head), rel_tol=1e-12)
        config["attn_scale"] = None if is_usual else self.attn_scale
        for cap in ("attn_scores_soft_cap", "output_logits_soft_cap"):
            config[cap] = value if (value := getattr(self, cap)) > 0 else None
        config["positional_embedding_type"] = self._positions()
        config["attn_windows"] = self._windows()
        if self.biases is not None:
            config["biases"] = self.biases
        return config

    def _positions(self) -> Any:
        if self.positional_embedding_type != "rotary":
            return self.positional_embedding_type
        if self.rotary_dim == 0:
            return "none"
        return {
            "rotary": {name: getattr(self, name) for name in ("rotary_dim", "rotary_base", "rotary_adjacent_pairs")}
        }

    def _windows(self) -> list[int | None]:
        if self.attn_windows is not None:
            return self.attn_windows
        if not self.use_local_attn:
            return []
        return [self.window_size if kind == "local" else None for kind in self.attn_types or []]

    @classmethod
    def _from_engine(cls, config: dict[str, Any]) -> HookedTransformerConfig:
        """The config that the engine has."""
        options = dict(config)
        mlp = options.pop("mlp")
        if mlp is None:
            options |= {"attn_only": True}
        else:
            options |= {"d_mlp": mlp["d_mlp"], "act_fn": mlp["act_fn"], "gated_mlp": mlp.get("gated", False)}
        positions = options["positional_embedding_type"]
        if isinstance(positions, dict):
            options |= {"positional_embedding_type": "rotary", **positions["rotary"]}
        if options["normalization_type"] == "none":
            options["normalization_type"] = None
        if options.get("final_normalization_type") == {"LN": "RMS", "LNPre": "RMSPre"}.get(
            options["normalization_type"]
        ):
            options["final_rms"] = options.pop("final_normalization_type", None) is not None
        windows = options.get("attn_windows") or []
        sizes = {size for size in windows if size is not None}
        if len(sizes) == 1:
            kinds = ["global" if size is None else "local" for size in windows]
            options |= {"use_local_attn": True, "window_size": sizes.pop(), "attn_types": kinds, "attn_windows": None}
        for name in ("attn_scale", "attn_scores_soft_cap", "output_logits_soft_cap"):
            options[name] = -1.0 if options.get(name) is None else options[name]
        return cls(**options)


def _says_nothing(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, (int, float)) and value < 0)
