"""Sweeps, counts and proofs on a real Ray cluster, of two nodes on this machine, one of which is lost on the way."""

import json
import os
import threading
import time

import algolens
import pytest

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

#: Eight runs that take seconds.
FIELDS = {"seed": range(4), "n_heads": [1, 2], "epochs": 2, "study": {"size": 50}}


@pytest.fixture(scope="module")
def cluster():
    """A head without CPUs, and two nodes with one each."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def swept(cluster, tmp_path_factory):
    """The sweep on the cluster, a node of which is removed once two rows are there."""
    folder = tmp_path_factory.mktemp("ray") / "sweep"
    lost = []

    def lose():
        while len(list(folder.glob("rows/*.json"))) < 2:
            time.sleep(0.05)
        cluster.remove_node(cluster.nodes.pop(), allow_graceful=False)
        lost.append(len(list(folder.glob("rows/*.json"))))

    thread = threading.Thread(target=lose, daemon=True)
    thread.start()
    found = algolens.sweep(algolens.tasks.sorted_list(list_len=5), folder, on="ray", progress=False, **FIELDS)
    thread.join()
    assert lost and lost[0] < 8
    return found


def _files(folder):
    return {
        os.path.relpath(os.path.join(at, name), folder): open(os.path.join(at, name), "rb").read()
        for at, _, names in os.walk(folder)
        for name in names
    }


def test_a_sweep_that_loses_a_node_has_every_row_once_and_the_bits_of_one_machine(swept, tmp_path):
    assert len(swept) == 8 and not swept.failed
    alone = algolens.sweep(algolens.tasks.sorted_list(list_len=5), tmp_path / "alone", progress=False, **FIELDS)
    assert swept.rows == alone.rows
    found, expected = _files(swept.folder), _files(alone.folder)
    assert sorted(found) == sorted(expected)
    assert all(found[name] == expected[name] for name in expected), [n for n in expected if found[n] != expected[n]]


def test_a_sweep_goes_on_from_what_is_there(swept):
    folder = swept.folder
    row = os.path.join(folder, "rows", "run-5.json")
    before = _files(folder)
    os.remove(row)
    begun = time.time()
    algolens.sweep(algolens.tasks.sorted_list(list_len=5), folder, on="ray", progress=False, **FIELDS)
    assert _files(folder) == before
    newer = [
        name for name in os.listdir(os.path.join(folder, "rows")) if os.path.getmtime(f"{folder}/rows/{name}") > begun
    ]
    assert newer == ["run-5.json"]


def test_parts_of_a_count_equal_the_single_count(cluster, tmp_path):
    task = algolens.tasks.set_difference()
    model = algolens.train(task, epochs=1, progress=False).model
    alone = algolens.evaluate(model, all=True, task=task, progress=False)
    parts = algolens.evaluate(model, all=True, task=task, on="ray", folder=tmp_path / "count", parts=3, progress=False)
    assert {**parts, "provenance": None} == {**alone, "provenance": None}
    assert sorted(os.listdir(tmp_path / "count" / "parts")) == ["part-0.json", "part-1.json", "part-2.json"]
    # What is there is not counted again; what is not, is.
    files = _files(tmp_path / "count")
    os.remove(tmp_path / "count" / "parts" / "part-1.json")
    stood = os.path.getmtime(tmp_path / "count" / "parts" / "part-0.json")
    again = algolens.evaluate(model, all=True, task=task, on="ray", folder=tmp_path / "count", progress=False)
    assert {**again, "provenance": None} == {**alone, "provenance": None} and _files(tmp_path / "count") == files
    assert os.path.getmtime(tmp_path / "count" / "parts" / "part-0.json") == stood


def test_a_certificate_by_shares_passes_check(cluster, tmp_path, swept):
    path = os.path.join(swept.folder, swept.rows[4]["checkpoint"])
    model = algolens.HookedTransformer.from_checkpoint(path)
    folder = tmp_path / "proof"
    certificate = algolens.certify(model, work=20_000, on="ray", folder=folder, parts=3, progress=False)
    found = algolens.check(certificate, model, progress=False)
    alone = algolens.certify(model, work=20_000, progress=False)
    low, high = certificate.summary["token_accuracy"]["lower"], certificate.summary["token_accuracy"]["upper"]
    assert low <= alone.summary["token_accuracy"]["upper"] and alone.summary["token_accuracy"]["lower"] <= high
    assert found["proved"]["classes"] == certificate.summary["classes"]
    os.remove(folder / "parts" / "part-1.state")
    with pytest.raises(
        algolens.AlgolensError, match="proof.json: work: expected 20000, as the work in the folder began with, found 7"
    ):
        algolens.certify(model, work=7, on="ray", folder=folder, progress=False)
    again = algolens.certify(model, work=20_000, on="ray", folder=folder, progress=False)
    assert json.loads(again.json)["evidence"] == json.loads(certificate.json)["evidence"]


#: What a machine may have in the place of the package, and what is said of it.
OTHERS = {
    "no package": (
        "raise ImportError('No module named algolens')",
        "expected algolens {}, found No module named algolens",
    ),
    "another version": ("__version__ = '0.0.9'", "expected algolens {}, as here, found 0.0.9"),
    "a folder of its own": (
        "__version__ = '{}'\nimport sys, types\nclass _algolens: vectors = staticmethod(list)\nmodule = types.ModuleType('algolens._store')\n"
        "class Store:\n    def __init__(self, folder): pass\n    def write(self, name, data): pass\n"
        "module.Store = Store\nsys.modules['algolens._store'] = module\n",
        "expected a folder that all machines share, found ",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_machine_that_cannot_do_its_part_is_named(cluster, swept, tmp_path, other):
    code, expected = (text.replace("{}", algolens.__version__) for text in OTHERS[other])
    (tmp_path / "algolens").mkdir()
    (tmp_path / "algolens" / "__init__.py").write_text(code)
    node = cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": str(tmp_path)})
    before = _files(swept.folder)
    try:
        with pytest.raises(algolens.AlgolensError) as refused:
            algolens.sweep(algolens.tasks.sorted_list(list_len=5), swept.folder, on="ray", progress=False, **FIELDS)
    finally:
        cluster.remove_node(node, allow_graceful=False)
    assert str(refused.value).startswith("node ") and expected in str(refused.value)
    assert "\n" not in str(refused.value) and _files(swept.folder) == before


def test_a_folder_of_other_work_is_refused_and_nothing_is_done(cluster, swept, model):
    with pytest.raises(
        algolens.AlgolensError, match=r"sweep.json: .*: expected .*, as the sweep in the folder began with"
    ):
        algolens.sweep(algolens.tasks.sorted_list(list_len=5), swept.folder, on="ray", progress=False, seed=[1])
    with pytest.raises(
        algolens.AlgolensError, match="expected an empty folder, or one with a proof.json, found other files"
    ):
        algolens.certify(model, work=1, on="ray", folder=swept.folder, progress=False)
    with pytest.raises(algolens.AlgolensError, match="seconds: expected a number above 0, found -1"):
        algolens.certify(model, seconds=-1, on="ray", folder=swept.folder, progress=False)
    with pytest.raises(algolens.AlgolensError, match="parts: expected a whole number from 1 to 8169, found 8170"):
        algolens.certify(model, work=1, on="ray", folder=swept.folder, parts=8170, progress=False)
    with pytest.raises(algolens.AlgolensError, match="folder: expected one that all machines share"):
        algolens.certify(model, work=1, on="ray", progress=False)
    with pytest.raises(algolens.AlgolensError, match="folder and parts: expected none without on='ray', found some"):
        algolens.evaluate(model, all=True, parts=3)


class Broken(algolens.Task):
    """A task whose examples cannot be made."""

    name, n_ctx, vocab = "broken", 2, ["0", "1"]

    def generate(self, rng):
        raise RuntimeError("no example")


def test_what_a_task_of_ones_own_raises_ends_the_sweep_at_once(cluster, tmp_path):
    begun = time.time()
    with pytest.raises(RuntimeError, match="no example"):
        algolens.sweep(Broken(), tmp_path / "broken", on="ray", seed=range(3), progress=False)
    assert time.time() - begun < 60


def test_a_folder_may_be_a_uri(cluster, tmp_path):
    uri = f"file://{tmp_path}/sweep"
    found = algolens.sweep(
        algolens.tasks.modular_arithmetic(p=5), uri, on="ray", seed=[0], epochs=1, d_model=8, progress=False
    )
    alone = algolens.sweep(
        algolens.tasks.modular_arithmetic(p=5), tmp_path / "alone", seed=[0], epochs=1, d_model=8, progress=False
    )
    assert found.folder == uri and found.rows == alone.rows and _files(tmp_path / "sweep") == _files(alone.folder)
