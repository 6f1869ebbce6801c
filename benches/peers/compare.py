"""Times training steps and forward passes of algolens, PyTorch and JAX side by side, on all cores.

All are timed in one window: in every round each variant has its turn for a second or so, and only one runs at a time.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from report import Timing, machine, markdown
from shapes import BATCH, MANY, SHAPES

PEERS = ("torch", "jax")
IDLE_LOAD = 0.5
TOLERANCE = 1e-4
ALGOLENS_OPTIONS = {"palindromes": ["--positions", "last"]}


class Worker:
    """A peer in its own process; it idles unless it is asked something."""

    def __init__(self, peer):
        command = [sys.executable, Path(__file__).with_name("worker.py"), peer]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.peer = peer

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"the {self.peer} worker ended; its complaint is above")
        return json.loads(answer)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def check_losses(losses):
    """All variants start from the same parameters and batches, so their first losses must agree."""
    (reference, expected), *others = losses.items()
    for name, found in others:
        if not all(abs(a - b) <= TOLERANCE for a, b in zip(found, expected, strict=True)):
            sys.exit(f"first losses differ: {name} {found}, {reference} {expected}")


def time_algolens(options, shape):
    """One run of `algolens bench`: its forms, each with what it measured."""
    command = [options.algolens, "bench", "--json"]
    if options.vectors:
        command += ["--vectors", options.vectors]
    if shape in options.checkpoint:
        command += [options.checkpoint[shape], *ALGOLENS_OPTIONS.get(shape, [])]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed")
    forms = json.loads(run.stdout)
    return {form: found for form, found in forms.items() if isinstance(found, dict) and "train_ms" in found}


def compare(shape, options, workers):
    """All rounds of one shape: the timing of each variant, and the peers' versions."""
    prepared = [(worker, worker.ask(shape=shape, compiled=options.compile)) for worker in workers]
    check_losses({name: losses for _, answer in prepared for name, losses in answer["losses"].items()})
    timings = {}
    for number in range(options.rounds):
        print(f"{shape}: round {number + 1} of {options.rounds}", file=sys.stderr)
        if options.algolens:
            for form, found in time_algolens(options, shape).items():
                timing = timings.setdefault(f"algolens, {form}", Timing())
                timing.step_ms.append(found["train_ms"])
                timing.least_ms.append(found["train_ms_min"])
                timing.batch_rate.append(found["forward_lists_per_s"])
                timing.many_rate.append(found["forward_lists_per_s_20480"])
        for worker, answer in prepared:
            for name in answer["losses"]:
                found = worker.ask(variant=name, seconds=options.seconds)
                timing = timings.setdefault(name, Timing())
                timing.step_ms += [1e3 * second for second in found["steps"]]
                timing.least_ms.append(1e3 * min(found["steps"]))
                timing.batch_rate += [BATCH / second for second in found["forward_batch"]]
                timing.many_rate += [MANY / second for second in found["forward_many"]]
    return timings, [answer["version"] for _, answer in prepared]


def named_file(text):
    name, separator, file = text.partition("=")
    if not separator or name not in SHAPES:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=FILE with a name of {', '.join(SHAPES)}")
    return name, file


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algolens", metavar="PROGRAM", help="the algolens to time; without it, the peers only")
    parser.add_argument("--shape", choices=[*SHAPES, "all"], default="sorted_list")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of steps, for each peer variant in a round")
    parser.add_argument("--compile", action="store_true", help="time torch.compile too (needs a C++ compiler)")
    parser.add_argument("--vectors", metavar="LEVEL", help="passed on to algolens")
    parser.add_argument("--checkpoint", metavar="NAME=FILE", type=named_file, action="append", default=[],
                        help="the model of a shape, for algolens; sorted_list needs none")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write the report there too")
    options = parser.parse_args()
    options.checkpoint = dict(options.checkpoint)
    options.shapes = list(SHAPES) if options.shape == "all" else [options.shape]
    for shape in options.shapes:
        if options.algolens and shape != "sorted_list" and shape not in options.checkpoint:
            parser.error(f"algolens needs --checkpoint {shape}=FILE")
    if options.algolens and not shutil.which(options.algolens):
        parser.error(f"{options.algolens} is not a program")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("rounds and seconds must be positive")
    return options


def main():
    options = parse()
    load = os.getloadavg()[0]
    if load > IDLE_LOAD:
        print(f"warning: the load average is {load:.2f}; another program at work spoils every figure", file=sys.stderr)
    workers = [Worker(peer) for peer in PEERS]
    tables = []
    for shape in options.shapes:
        timings, versions = compare(shape, options, workers)
        tables.append(markdown(SHAPES[shape], timings))
    for worker in workers:
        worker.stop()
    report = "\n".join([machine(versions, load), "", *tables])
    print(report)
    if options.markdown:
        options.markdown.write_text(report + "\n")


if __name__ == "__main__":
    main()
