"""docs/universality.md says what is kept beside it, and what is kept is of this version's recipe."""

import importlib.util
import json

import algolens
import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def made():
    spec = importlib.util.spec_from_file_location("universality", ROOT / "docs" / "universality.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_and_its_plots_are_current(made):
    rows, copies = made.kept()
    assert made.page(rows, copies) == (ROOT / "docs" / "universality.md").read_text()
    for name, svg in made.plots(rows, copies).items():
        assert svg == (ROOT / "docs" / "universality" / f"{name}.svg").read_text(), name


def test_the_rows_are_of_the_recipe_of_today(made):
    rows, copies = made.kept()
    assert len(rows) == len(copies) == 32
    recipe = algolens.tasks.sorted_list().recipe()
    for seed, row in enumerate(map(json.loads, rows)):
        expected = {**recipe, "seed": seed}
        found = row["recipe"]
        assert {**found, "model": None} == {**expected, "model": None}
        assert {**found["model"], "attention_dir": None} == {**expected["model"], "attention_dir": None}
