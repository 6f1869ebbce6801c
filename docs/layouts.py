"""Holds models in other programs' layouts against PyTorch, which computes them from the modules themselves.

    python docs/layouts.py ALGOLENS

ALGOLENS is the program. Needs torch and transformers. For each model: a random one is saved as its program saves it, algolens
reads it, and both run on the same tokens. Prints the largest deviation of a logit, in parts of the largest logit, and exits
with 1 if one is above 1e-5.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from torch import nn
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

TOKENS, LONGEST, WIDTH, HEADS, LAYERS = 11, 9, 24, 3, 2


def randomize(model):
    """Every parameter random, norms far from the identity too."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * (0.5 if parameter.ndim == 1 else 0.3))
    return model.eval()


class Encoder(nn.Module):
    """`nn.TransformerEncoder` with norms first."""

    def __init__(self):
        super().__init__()
        self.embed, self.pos_embed = nn.Embedding(TOKENS, WIDTH), nn.Embedding(LONGEST, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 40, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.unembed = nn.Linear(WIDTH, 5)

    def forward(self, tokens):
        return self.unembed(self.encoder(self.embed(tokens) + self.pos_embed(torch.arange(tokens.shape[1]))))


class Attention(nn.Module):
    """Causal attention with a fused projection, as minimal GPTs have it."""

    def __init__(self):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        parts = [part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in self.c_attn(x).chunk(3, -1)]
        return self.c_proj(functional.scaled_dot_product_attention(*parts, is_causal=True).transpose(1, 2).flatten(2))


class GPT(nn.Module):
    """A minimal GPT: `transformer.h.N.attn.c_attn` and so on, each an `nn.Linear`."""

    def __init__(self):
        super().__init__()
        block = lambda: nn.ModuleDict(
            {
                "ln_1": nn.LayerNorm(WIDTH),
                "attn": Attention(),
                "ln_2": nn.LayerNorm(WIDTH),
                "mlp": nn.ModuleDict({"c_fc": nn.Linear(WIDTH, 4 * WIDTH), "c_proj": nn.Linear(4 * WIDTH, WIDTH)}),
            }
        )
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(TOKENS, WIDTH),
                "wpe": nn.Embedding(LONGEST, WIDTH),
                "h": nn.ModuleList(block() for _ in range(LAYERS)),
                "ln_f": nn.LayerNorm(WIDTH),
            }
        )
        self.lm_head = nn.Linear(WIDTH, TOKENS, bias=False)

    def forward(self, tokens):
        parts = self.transformer
        x = parts["wte"](tokens) + parts["wpe"](torch.arange(tokens.shape[1]))
        for block in parts["h"]:
            x = x + block["attn"](block["ln_1"](x))
            mlp = block["mlp"]
            x = x + mlp["c_proj"](functional.gelu(mlp["c_fc"](block["ln_2"](x))))
        return self.lm_head(parts["ln_f"](x))


def rotated(x, base):
    """Rotary positions, halves of a head's dimensions turned together (Su et al., 2021)."""
    half = x.shape[-1] // 2
    angles = torch.outer(torch.arange(x.shape[-2]), base ** (-torch.arange(half) / half))
    first, second = x[..., :half], x[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


class HeadsTogether(nn.Module):
    """A puzzle's model: RMS norms, rotary positions, attention alone, one `nn.Linear` for all heads."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        linear = lambda: nn.Linear(WIDTH, WIDTH, bias=False)
        attention = lambda: nn.ModuleDict({name: linear() for name in ["W_Q", "W_K", "W_V", "W_O"]})
        block = lambda: nn.ModuleDict({"ln_attn": nn.RMSNorm(WIDTH, eps=1e-5), "attn": attention()})
        self.tok_embed = nn.Embedding(TOKENS, WIDTH)
        self.blocks = nn.ModuleList(block() for _ in range(LAYERS))
        self.ln_final = nn.RMSNorm(WIDTH, eps=1e-5)
        self.unembed = nn.Linear(WIDTH, 5, bias=False)

    def forward(self, tokens):
        x = self.tok_embed(tokens)
        for block in self.blocks:
            normed, attn = block["ln_attn"](x), block["attn"]
            heads = lambda name: attn[name](normed).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            query, key = rotated(heads("W_Q"), self.base), rotated(heads("W_K"), self.base)
            z = functional.scaled_dot_product_attention(query, key, heads("W_V"), is_causal=True)
            x = x + attn["W_O"](z.transpose(1, 2).flatten(2))
        return self.unembed(self.ln_final(x))


def deviation(algolens, model, folder, flags):
    """The largest deviation of algolens's logits from the module's, in parts of the largest."""
    tokens = torch.randint(TOKENS, (6, LONGEST))
    file = next(iter(folder.glob("model.*")))
    numpy.save(folder / "tokens.npy", tokens.numpy())
    command = [algolens, "cache", file, *flags, "--tokens", folder / "tokens.npy", "--out", folder / "cache.npz"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with torch.no_grad():
        logits = model(tokens)
    logits = getattr(logits, "logits", logits).numpy()
    return abs(numpy.load(folder / "cache.npz")["logits"] - logits).max() / abs(logits).max()


def main(algolens):
    torch.manual_seed(1)
    gpt2 = GPT2Config(vocab_size=TOKENS, n_positions=LONGEST, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS)
    sizes = {"vocab_size": TOKENS, "max_seq_len": LONGEST, "d_model": WIDTH, "n_heads": HEADS, "n_layers": LAYERS}
    puzzle = {"model": sizes | {"rope_base": 500.0}}
    heads = ["--set", f"n_heads={HEADS}"]
    encoder = ["--layout", "nn.TransformerEncoder", "--attention", "bidirectional", "--normalization", "LN", "--act-fn", "gelu"]
    models = [
        ("nn.TransformerEncoder", Encoder(), None, heads + encoder),
        ("nanoGPT", GPT(), None, heads),
        ("GPT-2", GPT2LMHeadModel(gpt2), gpt2.to_dict(), []),
        ("puzzles-heads-together", HeadsTogether(500.0), puzzle, ["--attention", "causal", "--normalization", "RMS"]),
    ]
    worst = 0
    for name, model, config, flags in models:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            torch.save(randomize(model).state_dict(), folder / "model.pt")
            if config:
                (folder / "config.json").write_text(json.dumps(config))
            off = deviation(algolens, model, folder, flags)
        print(f"{name:<24} {off:.1e}")
        worst = max(worst, off)
    return int(worst > 1e-5)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
