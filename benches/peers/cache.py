"""Times run_with_cache of algolens and TransformerLens side by side: 500 lists, on all cores, the same weights.

    pip install "transformer-lens==3.9.*"        # or 4.*
    cargo build --release
    python benches/peers/cache.py target/release/algolens [MODEL]

Both record what TransformerLens records where no flag asks for more. In every round each has its turn, and only one runs at
a time. MODEL is any file that algolens reads, by default the one in models/.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[2] / "docs"))
from transformerlens import made  # noqa: E402

LISTS = 500
ROUNDS = 5
SECONDS = 2.0


def times(model, tokens):
    """The seconds that runs take, repeated for SECONDS; and the bytes that one records."""
    found, begun = [], time.perf_counter()
    while time.perf_counter() - begun < SECONDS:
        start = time.perf_counter()
        with torch.no_grad():
            _, cache = model.run_with_cache(tokens)
        found.append(time.perf_counter() - start)
    return found, sum(cache[name].nbytes for name in cache.keys())


def main():
    algolens = sys.argv[1]
    checkpoint = sys.argv[2] if len(sys.argv) > 2 else str(Path(__file__).parents[2] / "models/sorted_list.safetensors")
    with tempfile.TemporaryDirectory() as folder:
        model, config = made(algolens, checkpoint, str(Path(folder) / "own.safetensors"))
    model = getattr(model, "bridge", model)
    tokens = torch.randint(config["d_vocab"], (LISTS, config["n_ctx"]), generator=torch.Generator().manual_seed(0))
    bench = [algolens, "bench", checkpoint, "--backend", "plain", "--seconds", str(SECONDS / 2), "--json"]
    ours, ours_least, theirs = [], [], []
    times(model, tokens)
    for _ in range(ROUNDS):
        figures = json.loads(subprocess.run(bench, check=True, stdout=subprocess.PIPE, text=True).stdout)["plain"]
        ours.append(figures["cache_ms"])
        ours_least.append(figures["cache_ms_min"])
        seconds, recorded = times(model, tokens)
        theirs += [1e3 * second for second in seconds]
    median = statistics.median(theirs), statistics.median(ours)
    print(f"TransformerLens {version('transformer-lens')}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"TransformerLens: {median[0]:.2f} ms, at least {min(theirs):.2f}; {recorded / 1e6:.0f} MB recorded")
    print(f"algolens:        {median[1]:.2f} ms, at least {min(ours_least):.2f}; {figures['cache_mb']:.0f} MB recorded")
    print(f"{median[0] / median[1]:.1f} times, by the least {min(theirs) / min(ours_least):.1f}")


if __name__ == "__main__":
    main()
