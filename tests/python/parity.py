"""Holds the activations and the speed of algolens against TransformerLens's, by hand.

    pip install . "transformer-lens==3.9.*"
    python tests/python/parity.py FOLDER [--threads N]

FOLDER is that of the reference models (`ALGOLENS_REFERENCE`): each model that TransformerLens can be is made there from the
config and the weights that algolens reads, and both run the same random tokens. A line a model: the array that deviates most, in
parts of its largest finite value. Exits with 1 if one is above 3e-5. Then the post's model: `run_with_cache` on 500 lists and a
training step of 512, one after the other in every round, and the ratio of their medians.
"""

import argparse
import statistics
import sys
import time
import warnings
from pathlib import Path

import algolens
import numpy as np
import torch
import transformer_lens

MOST = 3e-5
ROUNDS = 30


def theirs(model):
    """The same model in TransformerLens, or why it cannot be."""
    cfg = model.cfg
    if cfg.final_normalization_type is not None:
        return "a last norm of its own"
    if any(window is not None for window in cfg.attn_windows or []):
        return "windows by layer"
    options = cfg.to_dict()
    for name in (
        "pad_token",
        "masked_score",
        "biases",
        "final_normalization_type",
        "attn_windows",
        "tie_word_embeddings",
    ):
        options.pop(name)
    if cfg.positional_embedding_type == "none":
        options |= {"positional_embedding_type": "rotary", "rotary_dim": 0}
    if cfg.n_layers == 0 or cfg.n_heads == 0:
        return "no blocks, or no heads"
    options["use_hook_tokens"] = cfg.pad_token is not None
    made = transformer_lens.HookedTransformer(
        transformer_lens.HookedTransformerConfig(**options, device="cpu"), move_to_device=False
    )
    weights = {name: torch.from_numpy(value.copy()) for name, value in model.state_dict().items()}
    if cfg.tie_word_embeddings:
        weights["unembed.W_U"] = weights["embed.W_E"].T.contiguous()
    state = made.state_dict()
    zeros = {name: torch.zeros_like(value) for name, value in state.items() if name.split(".")[-1].startswith("b_")}
    if cfg.masked_score is not None:
        weights |= {name: torch.tensor(cfg.masked_score) for name in state if name.endswith("IGNORE")}
    made.load_state_dict(state | zeros | weights)
    if cfg.pad_token is not None:
        never_see(made, cfg)
    return made


def never_see(made, cfg):
    """Has nobody attend to the padding, for which TransformerLens has no option."""
    score, keys = float("-inf") if cfg.masked_score is None else cfg.masked_score, {}
    made.add_perma_hook("hook_tokens", lambda tokens, hook: keys.update(padding=tokens == cfg.pad_token))
    made.add_perma_hook(
        lambda name: name.endswith("hook_attn_scores"),
        lambda scores, hook: scores.masked_fill(keys["padding"][:, None, None, :], score),
    )


def deviation(found, expected):
    finite = np.isfinite(expected)
    if not (found[~finite] == expected[~finite]).all():
        return np.inf
    largest = np.abs(expected[finite]).max(initial=0.0)
    return np.abs(found[finite] - expected[finite]).max(initial=0.0) / max(largest, 1e-30)


def compare(path):
    """The array of a model that deviates most, and by how much; or why there is none."""
    try:
        model = algolens.HookedTransformer.from_checkpoint(path)
    except algolens.AlgolensError as error:
        return f"not read: {error}"
    other = theirs(model)
    if isinstance(other, str):
        return f"TransformerLens has no option for it: {other}"
    tokens = np.random.default_rng(3).integers(0, model.cfg.d_vocab, (16, model.cfg.n_ctx))
    logits, cache = model.run_with_cache(tokens)
    with torch.no_grad():
        their_logits, their_cache = other.run_with_cache(torch.from_numpy(tokens))
    pairs = [("logits", logits, their_logits)] + [
        (name, cache[name], their_cache[name]) for name in their_cache if name in cache
    ]
    known = ("hook_rot_q", "hook_rot_k", "hook_tokens")
    missing = [name for name in their_cache if name not in cache and not name.endswith(known)]
    if missing:
        return np.inf, f"missing {missing}", len(pairs)
    return max((deviation(one, expected.numpy()), name) for name, one, expected in pairs) + (len(pairs),)


def timed(run):
    begun = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begun)


def ratio(what, ours, others):
    """Times both in turn, and prints their medians."""
    ours(), others()
    times = [(timed(ours), timed(others)) for _ in range(ROUNDS)]
    mine, their = (statistics.median(column) for column in zip(*times))
    print(f"{what:34} algolens {mine:8.2f} ms, TransformerLens {their:8.2f} ms, {their / mine:6.1f} times")


def speed(path, threads):
    model = algolens.HookedTransformer.from_checkpoint(path)
    other = theirs(model)
    tokens = algolens.SortedListDataset(size=500, list_len=10, max_value=50, seed=43).toks
    given = torch.from_numpy(tokens)
    print(f"{threads} threads, {algolens.evaluate(model, size=1).provenance.vectors}")
    with torch.no_grad():
        ratio("run_with_cache on 500 lists", lambda: model.run_with_cache(tokens), lambda: other.run_with_cache(given))
    # A step of each: forward and backward of 512 lists, and Adam.
    lists = algolens.tasks.sorted_list().dataset(512 * 40, seed=1)
    optimizer = torch.optim.Adam(other.parameters(), lr=1e-3, weight_decay=0.005)
    batch = torch.from_numpy(lists.toks[:512])

    def their_step():
        optimizer.zero_grad()
        logits = other(batch)[:, 10:-1]
        torch.nn.functional.cross_entropy(logits.reshape(-1, 52), batch[:, 11:].reshape(-1)).backward()
        optimizer.step()

    def our_epochs(epochs):
        options = {"train_size": 512 * 100, "validation_size": 1, "progress": False}
        return timed(lambda: algolens.train("sorted_list", epochs=epochs, **options))

    # What an epoch of a hundred steps takes more: data and first weights are drawn once.
    ours = statistics.median(our_epochs(3) - our_epochs(1) for _ in range(5)) / 200
    their_step()
    their = statistics.median(timed(their_step) for _ in range(ROUNDS))
    print(
        f"{'a training step of 512 lists':34} algolens {ours:8.2f} ms, TransformerLens {their:8.2f} ms, {their / ours:6.1f} times"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.simplefilter("ignore")
    worst = 0.0
    files = [path for path in sorted(args.folder.rglob("*")) if path.suffix in (".pt", ".pth", ".pkl", ".safetensors")]
    for path in files:
        found, name = compare(path), path.relative_to(args.folder)
        if isinstance(found, str):
            print(f"{name}: {found}")
            continue
        worst = max(worst, found[0])
        print(f"{name}: {found[0]:.1e} at {found[1]}, of {found[2]} arrays")
    print(f"the most: {worst:.1e}")
    speed(args.folder / "sorted_list" / "sorted_list_model.pt", args.threads)
    sys.exit(int(worst > MOST))


if __name__ == "__main__":
    main()
