"""Sweeps on one machine, and the folders that they stand in."""

import json
import os

import algolens
import numpy as np
import pyarrow.parquet
import pytest
from algolens import _store, _sweep, tasks

#: A task whose inputs are all run.
FIELDS = {"seed": range(2), "d_model": [8, 0], "n_heads": 1, "d_head": 8, "epochs": 1, "study": {"size": 40}}


def _task():
    return tasks.modular_arithmetic(p=7)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Four runs, two of which are of no width and fail."""
    return algolens.sweep(_task(), tmp_path_factory.mktemp("sweep") / "folder", progress=False, **FIELDS)


def test_a_run_is_what_training_and_evaluation_find(swept):
    assert [row.fields["model.d_model"] for row in swept.rows] == [8, 8, 0, 0]
    for row, seed in zip(swept.rows[:2], (0, 1)):
        alone = algolens.train(_task(), seed=seed, d_model=8, n_heads=1, d_head=8, epochs=1, progress=False)
        model = algolens.HookedTransformer.from_checkpoint(f"{swept.folder}/{row.checkpoint}")
        assert all(np.array_equal(model.state_dict()[name], value) for name, value in alone.model.state_dict().items())
        counted = algolens.evaluate(model, all=True, progress=False)
        assert row.known["how"] == "exact"
        assert (row.known["inputs"], row.known["right"]) == (counted.inputs, counted.right)
        assert row.kept["validation_loss"] == alone.history[0].validation_loss
        found = algolens.evaluate(model, size=40)
        assert abs(row.evaluation["loss"] - found.loss) < 1e-5


def test_a_run_that_fails_is_a_row_with_its_error(swept):
    assert [row.run for row in swept.failed] == ["run-2", "run-3"]
    assert all("d_model: expected" in row.error and row.checkpoint is None for row in swept.failed)
    assert "2 of them failed" in repr(swept)


def test_the_table_is_one_row_a_run(swept):
    table = pyarrow.parquet.read_table(f"{swept.folder}/rows.parquet")
    assert table.num_rows == 4 and table["run"].to_pylist() == [row.run for row in swept.rows]
    assert table["seed"].to_pylist() == [0, 1, 0, 1] and str(table.schema.field("seed").type) == "int64"
    assert table["loss"].to_pylist() == [row.evaluation and row.evaluation["loss"] for row in swept.rows]
    assert table["right_low"].to_pylist()[:2] == [row.known["right"] / row.known["inputs"] for row in swept.rows[:2]]
    assert table["sha256"].to_pylist()[2:] == [None, None]
    assert json.loads(table["recipe"].to_pylist()[1])["seed"] == 1
    for row in swept.rows[:2]:
        at = int(row.run[-1])
        for claim in row.claims:
            assert table[f"claim.{claim.id}"].to_pylist()[at] == claim.value


def test_the_same_call_goes_on_and_another_sweep_is_refused(swept, tmp_path):
    again = algolens.sweep(_task(), swept.folder, progress=False, **FIELDS)
    assert again.rows == swept.rows
    with pytest.raises(
        algolens.AlgolensError, match=r"sweep.json: grid: expected .*, as the sweep in the folder began with, found"
    ):
        algolens.sweep(_task(), swept.folder, progress=False, **{**FIELDS, "seed": range(3)})
    (tmp_path / "a").write_text("b")
    with pytest.raises(
        algolens.AlgolensError, match="expected an empty folder, or one with a sweep.json, found other files"
    ):
        algolens.sweep(_task(), tmp_path, progress=False, **FIELDS)


def test_a_plan_is_the_same_as_fields_and_as_a_file(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(
        'grid = { seed = "0..2", model = { d_model = [8, 16], mlp.d_mlp = [0, 4] } }\n'
        '[recipe]\nepochs = 1\ntask = { name = "sorted_list", list_len = 5 }\n'
        "[sample]\ndraws = 2\nfields.task.max_value = { from = 9, to = 20 }\n"
    )
    fields = {"seed": range(2), "d_model": [8, 16], "d_mlp": np.array([0, 4]), "epochs": 1}
    sample = {"draws": 2, "fields": {"max_value": {"from": 9, "to": 20}}}
    of_fields = algolens._algolens.Sweep(_sweep._plan(tasks.sorted_list(list_len=5), fields, sample=sample)[1])
    of_file = algolens._algolens.Sweep(_sweep._plan(path, {})[1], True)
    expected, found = json.loads(of_fields.plan), json.loads(of_file.plan)
    assert expected["recipe"].pop("task") == "sorted_list(list_len=5,max_value=50)"
    assert found["recipe"].pop("task") == {"name": "sorted_list", "list_len": 5}
    assert found == expected and len(of_file.names) == 16


class Parity(algolens.Task):
    """A user's own task: is the sum of four bits even?"""

    name, n_ctx, vocab, classes = "parity", 4, ["0", "1"], ["even", "odd"]
    predicted_positions = [3]

    def generate(self, rng):
        return rng.integers(0, 2, 4)

    def targets(self, example):
        return [sum(example) % 2]

    def inputs(self):
        return [[a, b, c, d] for a in (0, 1) for b in (0, 1) for c in (0, 1) for d in (0, 1)]


def test_a_task_of_ones_own_is_swept(tmp_path):
    found = algolens.sweep(
        Parity(), tmp_path / "own", seed=[3, 5], epochs=1, train_size=64, validation_size=32, progress=False
    )
    assert [row.recipe["seed"] for row in found.rows] == [3, 5] and not found.failed
    assert all(row.known["how"] == "exact" and row.known["inputs"] == 16 for row in found.rows)
    assert found.rows[0].provenance["sha256"] != found.rows[1].provenance["sha256"]


def test_the_page_and_its_figures(swept, tmp_path):
    page = swept.page().html
    assert page.startswith("<!DOCTYPE html>") and "2 of them failed" in page
    assert page == open(f"{swept.folder}/sweep.html").read()
    names = {path.name for path in swept.save_figures(tmp_path)}
    assert {"runs.svg", "runs.csv"} <= names


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"seed": []}, "grid.seed: expected at least one value, found none"),
        ({}, "sweep: expected what differs from run to run: a grid, or a sample, found neither"),
        ({"epoch": [1]}, "no key of a recipe or its model is called 'epoch'; near it: epochs"),
        ({"epochs": ["one"]}, 'epochs: expected a whole number from 0 on, found "one"'),
        ({"p": ["x"]}, 'p: expected u32, found "x"'),
        ({"seed": [0], "on": "slurm"}, "on: expected 'ray' or nothing, found 'slurm'"),
        ({"seed": [0], "folder": "s3://bucket/sweep"}, "folder: expected a local path where the runs are done here"),
        ({"seed": [0, 0]}, "grid.seed: expected distinct values, found 0 twice"),
        ({"epochs": np.int64(1)}, "sweep: expected what differs"),
        ({"sample": 3}, "sweep: expected what a sweep's file holds, found "),
        ({"sample": {"draws": 1, "fields": {"n_head": [1]}}}, "no key of a recipe or its model is called 'n_head'"),
        (
            {"sample": {"draws": 1, "fields": {"seed": {"from": 1, "to": 2, "scal": "log"}}}},
            "seed: expected a list, or {",
        ),
        ({"seed": [0], "vectors": "avx1024"}, "vector instructions: expected one of "),
    ],
)
def test_bad_input_is_one_line(arguments, expected, tmp_path):
    with pytest.raises(algolens.AlgolensError) as refused:
        algolens.sweep(_task(), **{"folder": tmp_path / "none", "progress": False, **arguments})
    assert str(refused.value).startswith(expected) and "\n" not in str(refused.value)
    assert not (tmp_path / "none").exists()


def test_a_plan_that_is_none_is_refused():
    for plan, expected in [
        ("nothing.toml", "nothing.toml: expected a plan in TOML, found No such file"),
        ("sorting", 'no task is called "sorting"'),
        (Parity, "task: expected a task or a text, found type: call it"),
        (3, "task: expected a task or a text, found int"),
    ]:
        with pytest.raises(algolens.AlgolensError) as refused:
            algolens.sweep(plan, **({} if plan == "nothing.toml" else {"seed": [1]}))
        assert str(refused.value).startswith(expected), refused.value
    with pytest.raises(algolens.AlgolensError, match="seed: expected no fields beside a plan that says them"):
        algolens.sweep("sweep.toml", seed=[1])


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_has_whole_files_only(scheme, tmp_path):
    store = _store.Store(scheme + str(tmp_path / "folder"))
    assert store.read("a/b") is None and store.names("a") == set()
    store.write("a/b", b"one")
    store.write("a/b", b"two")
    assert (store.read("a/b"), store.names("a")) == (b"two", {"b"})
    store.remove("a/b")
    store.remove("a/b")
    assert store.names("a") == set()
    store.write("c", b"three")
    with pytest.raises(algolens.AlgolensError, match="expected an empty folder, or one with a plan, found other files"):
        store.claim("plan", b"x")
    other = _store.Store(scheme + str(tmp_path / "other"))
    assert (other.claim("plan", b"x"), other.claim("plan", b"y")) == (b"x", b"x")
    assert not [name for name in os.listdir(tmp_path / "folder") if name.startswith(".")]


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_that_is_none_is_refused_in_one_line(scheme, tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("a", "a/b"):
        with pytest.raises(algolens.AlgolensError) as refused:
            _store.Store(f"{scheme}{tmp_path}/file").write(name, b"")
        assert "expected a file that can be written, found" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("uri", ["nothing://x", "hdfs://nowhere:1/x"])
def test_a_uri_that_nobody_knows_is_refused_in_one_line(uri):
    with pytest.raises(algolens.AlgolensError, match="folder: expected a URI that pyarrow knows") as refused:
        _store.Store(uri)
    assert "\n" not in str(refused.value)


def test_a_run_goes_on_from_any_state_to_the_same_bits():
    plan = json.dumps(
        {"grid": {"seed": [0, 1]}, "recipe": {"task": "modular_arithmetic(p=5)", "epochs": 3, "model.d_model": 8}}
    )
    sweep = algolens._algolens.Sweep(plan).settled()
    states = []
    whole = sweep.run(0, None, states.append, every=0.0)
    assert len(states) == 3
    for state in states:
        assert sweep.run(0, state) == whole
    # The state of another run, and what is none, are no states of this one.
    assert sweep.run(1, states[0]) == sweep.run(1) and sweep.run(0, b"nothing") == whole

    def full(state):
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        sweep.run(0, None, full, every=0.0)


def test_a_row_of_another_plan_is_none():
    plan = {"grid": {"seed": [0]}, "recipe": {"task": "modular_arithmetic(p=5)", "epochs": 1, "model.d_model": 8}}
    sweep = algolens._algolens.Sweep(json.dumps(plan)).settled()
    row = sweep.run(0)[0]
    sweep.check_row(0, row)
    other = algolens._algolens.Sweep(json.dumps({**plan, "study": {"size": 40}})).settled()
    with pytest.raises(algolens.AlgolensError, match="row: expected one of the sweep .*, found one of "):
        other.check_row(0, row)


class Later(Parity):
    """A task that fails after a while, until it is mended."""

    left = 300

    def generate(self, rng):
        Later.left -= 1
        if Later.left < 0:
            raise RuntimeError("two\nlines")
        return super().generate(rng)


def test_what_a_task_of_ones_own_raises_leaves_no_row(tmp_path):
    call = {"seed": [0, 1], "epochs": 1, "train_size": 64, "validation_size": 32, "progress": False}
    with pytest.raises(RuntimeError, match="two"):
        algolens.sweep(Later(), tmp_path / "own", **call)
    assert os.listdir(tmp_path / "own" / "rows") == []
    Later.left = 10**9
    assert not algolens.sweep(Later(), tmp_path / "own", **call).failed


class Odd(Parity):
    """Another task of the same name."""

    def targets(self, example):
        return [1 - sum(example) % 2]


def test_another_task_of_the_same_name_is_another_sweep(tmp_path):
    call = {"seed": [0], "epochs": 1, "train_size": 64, "validation_size": 32, "progress": False}
    algolens.sweep(Parity(), tmp_path / "own", **call)
    with pytest.raises(algolens.AlgolensError, match="own: expected .*, as the sweep in the folder began with"):
        algolens.sweep(Odd(), tmp_path / "own", **call)


def test_a_plan_has_one_form_however_it_is_said():
    def plan(what, **fields):
        own, text, toml = _sweep._plan(what, fields)
        return json.loads(algolens._algolens.Sweep(text, toml).plan)

    task = tasks.sorted_list(list_len=5)
    expected = plan({"grid": {"seed": [0, 1]}, "recipe": {"task": {"name": "sorted_list", "list_len": 5}, "epochs": 3}})
    assert plan(task, seed=range(2), epochs=3) == expected
    assert plan(task.recipe(epochs=3), seed=range(2), weight_decay=0.005) == expected
    assert plan("sorted_list(list_len=5)", seed=[0, 1], epochs=3) == expected
    assert expected["recipe"]["epochs"] == 3 and expected["recipe"]["task"]["max_value"] == 50
