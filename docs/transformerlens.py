"""Holds the logits of algolens against TransformerLens's, model by model.

    pip install "transformer-lens==3.9.*"        # or 4.3.*; another version is tried all the same
    cargo build --release
    python docs/transformerlens.py target/release/algolens MODEL [MODEL ...]

MODEL is any file that algolens reads. Each is written as safetensors of our own and run on random tokens by `algolens
cache`; the Python of `algolens inspect --as transformerlens` makes it in TransformerLens. Under version 4, which has no
HookedTransformer any more, the same Python makes a `TransformerBridge.boot_native`; a model that this has no option for is
named, with what is missing. A line a model: the largest deviation of a logit, in parts of the largest logit. Exits with 1
if one is above 1e-4, or not a number.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy
import torch
import transformer_lens

SEED = 3
SEQUENCES = 16
MOST = 1e-4


class Lacks(Exception):
    """What boot_native has no option for."""


class Native:
    """What the Python of `inspect --as transformerlens` asks of a HookedTransformer, done by `boot_native`."""

    def __init__(self, options):
        rotary = options["positional_embedding_type"] == "rotary"
        lacking = {
            "shortformer positions": options["positional_embedding_type"] == "shortformer",
            "no positions (a rotation of no dimension)": options.get("rotary_dim") == 0,
            "rotary_adjacent_pairs=False": rotary and options["rotary_dim"] > 0 and "rotary_adjacent_pairs" not in options,
            "a rotary_base that is not whole": options.get("rotary_base", 1) % 1 != 0,
            "use_local_attn": "use_local_attn" in options,
            "attn_scale=1.0": options.get("attn_scale") == 1 and options["d_head"] > 1,
            "scale_attn_by_inverse_layer_idx": "scale_attn_by_inverse_layer_idx" in options,
            "parallel_attn_mlp": "parallel_attn_mlp" in options,
            "act_fn gelu_fast": options.get("act_fn") == "gelu_fast",
            "a block without heads": options["n_heads"] == 0,
            "a model without blocks": options["n_layers"] == 0,
            "a token that nobody attends to": "use_hook_tokens" in options,
        }
        if any(lacking.values()):
            raise Lacks(", ".join(name for name, lacks in lacking.items() if lacks))
        from transformer_lens.config import TransformerBridgeConfig
        from transformer_lens.model_bridge import TransformerBridge

        self.config = TransformerBridgeConfig(**options)
        self.bridge = TransformerBridge.boot_native(self.config, device="cpu")

    def state_dict(self):
        return {}

    def load_state_dict(self, weights):
        from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint

        # Its score is -inf. Below -1e4 a masked key has no share in a pattern either.
        scores = [weights.pop(name) for name in list(weights) if name.endswith("IGNORE")]
        if any(score > -1e4 for score in scores):
            raise Lacks("a score of masked keys")
        if self.config.gated_mlp:
            biases = [name for name in weights if name.endswith(("b_in", "b_out"))]
            if any(weights.pop(name).any() for name in biases):
                raise Lacks("biases of a gated MLP")
        unexpected = self.bridge.load_state_dict(convert_tl_checkpoint(weights, self.config), strict=False)[1]
        assert not unexpected, unexpected

    def __call__(self, tokens):
        return self.bridge(tokens)


def made(algolens, model, own):
    """The model in TransformerLens, by way of this file of our own, and its sizes."""
    if int(version("transformer-lens").split(".")[0]) >= 4:
        transformer_lens.HookedTransformer, transformer_lens.HookedTransformerConfig = Native, dict
    verb = [algolens, "inspect", model, "--save", own, "--as", "transformerlens"]
    scope = {}
    python = subprocess.run(verb, check=True, stdout=subprocess.PIPE, text=True).stdout
    exec(python, scope)
    config = scope["config"]
    return scope["model"], config if isinstance(config, dict) else vars(config)


def deviation(algolens, model, folder):
    """The largest deviation of a logit from ours, in parts of our largest."""
    own, tokens_file, cache = (str(Path(folder) / name) for name in ["own.safetensors", "tokens.npy", "cache.npz"])
    with torch.no_grad():
        theirs, sizes = made(algolens, model, own)
        shape = (SEQUENCES, sizes["n_ctx"])
        tokens = numpy.random.default_rng(SEED).integers(sizes["d_vocab"], size=shape)
        numpy.save(tokens_file, tokens)
        verb = [algolens, "cache", own, "--tokens", tokens_file, "--out", cache, "--only", "hook_embed", "--quiet"]
        subprocess.run(verb, check=True, stdout=subprocess.DEVNULL)
        ours = numpy.load(cache)["logits"]
        logits = theirs(torch.tensor(tokens)).numpy()
    return numpy.abs(logits - ours).max() / numpy.abs(ours).max()


def main(algolens, models):
    print(f"TransformerLens {version('transformer-lens')}, PyTorch {torch.__version__}, tokens of seed {SEED}")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            try:
                found = deviation(algolens, model, folder)
            except Lacks as lacks:
                print(f"        -  {model}: boot_native lacks {lacks}")
                continue
            print(f"{found:9.1e}  {model}", flush=True)
            worst = numpy.maximum(worst, found)
    print(f"{worst:9.1e}  the largest")
    return 0 if worst <= MOST else 1


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
