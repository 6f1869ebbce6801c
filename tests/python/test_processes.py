"""Threads, forks and interrupts."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import algolens
import pytest


def test_two_threads_run_one_model(model, lists):
    expected, found = model(lists.toks), {}
    threads = [threading.Thread(target=lambda at=at: found.update({at: model(lists.toks)})) for at in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(found) == 8 and all((logits == expected).all() for logits in found.values())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_works_after_threads_have_started(model, lists):
    expected = model(lists.toks)
    before = algolens.evaluate(model, lists)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        answers = pool.apply_async(_in_a_fork, (lists.toks,)).get(timeout=60)
    assert (answers[0] == expected).all() and answers[1] == before.loss


def _in_a_fork(tokens):
    path = os.path.join(os.path.dirname(__file__), "..", "..", "models", "sorted_list.safetensors")
    model = algolens.HookedTransformer.from_checkpoint(path)
    data = algolens.tasks.sorted_list().examples(tokens)
    return model(tokens), algolens.evaluate(model, data).loss


#: What is interrupted, and what must be said afterwards.
LONG = {
    "train": "t = algolens.train('sorted_list', progress=False); assert t.interrupted; print('kept', len(t.history))",
    "all": "model = algolens.HookedTransformer.from_checkpoint(path)\n"
    "try: algolens.evaluate(model, all=True, progress=False)\nexcept KeyboardInterrupt: print('kept 0')",
    "attack": "model = algolens.HookedTransformer.from_checkpoint(path)\n"
    "found = algolens.attack(model, work=10**9, progress=False); assert found.interrupted; print('kept', found.tried)",
    "certify": "model = algolens.HookedTransformer.from_checkpoint(path)\n"
    "try: algolens.certify(model, seconds=600, progress=False)\nexcept KeyboardInterrupt: print('kept 0')",
}


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
@pytest.mark.parametrize("what", LONG)
def test_an_interrupt_ends_long_work(what):
    path = os.path.join(os.path.dirname(__file__), "..", "..", "models", "sorted_list.safetensors")
    code = f"import algolens, warnings\nwarnings.simplefilter('ignore')\npath = {path!r}\nprint('begun', flush=True)\n{LONG[what]}"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and out.startswith("kept"), out


def test_results_do_not_depend_on_threads():
    code = (
        "import algolens, hashlib\n"
        "t = algolens.train('set_difference', epochs=1, train_size=20000, progress=False)\n"
        "print(hashlib.sha256(t.model.W_E.tobytes()).hexdigest(), algolens.evaluate(t.model, size=1000).loss)"
    )
    answers = set()
    for threads in ("1", "2", "3"):
        environment = os.environ | {"RAYON_NUM_THREADS": threads}
        answers.add(
            subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout
        )
    assert len(answers) == 1
