"""Holds the memory of `run_with_cache` from Python against the Rust example's, by hand.

    cargo build --release --example run_with_cache
    python tests/python/memory.py [LISTS]

Prints the peak of each process and their ratio, and exits with 1 if that is above 1.05.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "sorted_list.safetensors"
MOST = 1.05
CODE = """
import sys
from algolens import HookedTransformer, SortedListDataset
model = HookedTransformer.from_checkpoint(sys.argv[1])
data = SortedListDataset(size=int(sys.argv[2]), list_len=10, max_value=50, seed=43)
logits, cache = model.run_with_cache(data.toks)
print(f"logits {logits.shape}, and {len(cache)} activations")
"""


def measured(command):
    """The peak of a command, measured in a process of its own: a peak of children never falls."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        os.write(writer, str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        return int(answer.read()) / 1024


def main():
    lists = sys.argv[1] if len(sys.argv) > 1 else "20000"
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    rust = measured([str(target / "release" / "examples" / "run_with_cache"), str(MODEL), lists])
    python = measured([sys.executable, "-c", CODE, str(MODEL), lists])
    print(f"run_with_cache on {lists} lists: Rust {rust:.0f} MiB, Python {python:.0f} MiB, {python / rust:.3f} of it")
    sys.exit(python / rust > MOST)


if __name__ == "__main__":
    main()
