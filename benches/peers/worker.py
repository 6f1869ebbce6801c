"""One framework in a process of its own, so that the threads of two frameworks never share a process.

Reads a JSON request a line from standard input and answers each with a line: `{"shape": NAME, "compiled": BOOL}`
prepares the variants of a shape and tells their first losses; `{"variant": NAME, "seconds": S}` times one of them.
"""

import importlib
import json
import sys
import time

from shapes import BATCH, MANY, SHAPES

FIRST_LOSSES = 3


def seconds_each(call, seconds):
    """Calls until `seconds` have gone by, at least once; how long each call took."""
    times = []
    while sum(times) < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def measure(timer, seconds):
    """Steps for `seconds`, forward passes of a batch for a quarter of it, of many lists for half of it."""
    for warm_up in (timer.step, timer.step, lambda: timer.forward(BATCH), lambda: timer.forward(MANY)):
        warm_up()
    return {
        "steps": seconds_each(timer.step, seconds),
        "forward_batch": seconds_each(lambda: timer.forward(BATCH), seconds / 4),
        "forward_many": seconds_each(lambda: timer.forward(MANY), seconds / 2),
    }


def main():
    answers, sys.stdout = sys.stdout, sys.stderr
    peer = importlib.import_module(f"{sys.argv[1]}_peer")
    timers = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "shape" in request:
            timers = peer.timers(SHAPES[request["shape"]], request["compiled"])
            losses = {name: [timer.step() for _ in range(FIRST_LOSSES)] for name, timer in timers.items()}
            answer = {"version": peer.VERSION, "losses": losses}
        else:
            answer = measure(timers[request["variant"]], request["seconds"])
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
