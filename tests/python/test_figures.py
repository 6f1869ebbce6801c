"""Figures hold the numbers that they are given."""

import base64
import csv
import io
import json
import re
from xml.etree import ElementTree

import algolens
import numpy as np
import pytest
from algolens import AlgolensError


def data_of(html):
    """The data of a page, with its arrays."""
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)[1])
    arrays = data.pop("arrays")
    read = {
        name: np.frombuffer(base64.b64decode(one["data"]), "<f4").reshape(one["shape"]) for name, one in arrays.items()
    }
    return data, read


def rows_of(figure, tmp_path):
    figure.save(tmp_path / "figure.csv")
    return list(csv.reader(io.StringIO((tmp_path / "figure.csv").read_text())))


def test_a_heatmap(tmp_path):
    cells = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    figure = algolens.imshow(
        cells, x=[*"abcd"], y=[*"xyz"], facet_labels=["one", "two"], labels={"x": "Key", "y": "Query"}, width=9
    )
    rows = rows_of(figure, tmp_path)
    assert rows[0] == ["one Query", *"abcd"] and rows[4] == ["two Query", *"abcd"] and rows[1][0] == "x"
    assert (np.array([row[1:] for row in rows[1:4]], np.float32) == cells[0]).all()
    data, arrays = data_of(figure.html)
    assert (
        (arrays["cells"] == cells).all()
        and data["labels"]["tokens"] == [*"xyz"]
        and data["labels"]["classes"] == [*"abcd"]
    )
    ElementTree.fromstring(figure.svg)
    moved = algolens.imshow(np.moveaxis(cells, 0, 2), facet_col=2)
    assert (data_of(moved.html)[1]["cells"] == cells).all()
    flat = algolens.imshow(cells[0].astype(np.float64), title="W<sub>OV</sub><br>of 0")
    assert data_of(flat.html)[1]["cells"].shape == (1, 3, 4) and "WOV of 0" in flat.svg


def test_tokens_in_brackets_stay():
    tokens = ["<bos>", "<s>", "a<b"]
    assert data_of(algolens.attention(np.ones((1, 3, 3)) / 3, tokens).html)[0]["labels"]["tokens"] == sorted(tokens)
    assert data_of(algolens.imshow(np.eye(3), x=tokens).html)[0]["labels"]["classes"] == tokens


def test_bars(tmp_path):
    values = [np.arange(5.0), -np.arange(5.0)]
    figure = algolens.bar(values, names=["0.0", "0.1"], x=[*"abcde"], labels={"index": "Token", "value": "Score"})
    rows = rows_of(figure, tmp_path)
    assert rows[0] == ["Token", "0.0", "0.1"] and [row[0] for row in rows[1:]] == [*"abcde"]
    assert (np.array([row[1:] for row in rows[1:]], float).T == np.array(values)).all()
    assert (data_of(figure.html)[1]["values"].T == np.array(values)).all()
    ElementTree.fromstring(figure.svg)
    assert rows_of(algolens.bar([1.0, 2.0]), tmp_path)[1] == ["0", "1"]


def test_attention_patterns(model, lists, tmp_path):
    patterns = model.run_with_cache(lists.toks[:3])[1]["pattern", 0]
    figure = algolens.attention(patterns, lists.str_toks[:3], heads=["0.0", "0.1"])
    data, arrays = data_of(figure.html)
    assert (arrays["pattern"] == patterns).all() and data["heads"] == ["0.0", "0.1"]
    words = data["labels"]["tokens"]
    assert [[words[at] for at in one["tokens"]] for one in data["lists"]] == lists.str_toks[:3]
    # A notebook's cell is light.
    assert "plotly.js v" not in figure.html and len(figure._repr_html_()) < 300_000
    figure.save(tmp_path / "figure.svg")
    ElementTree.fromstring((tmp_path / "figure.svg").read_text())
    assert "first 1 of" in algolens.attention(np.zeros((2, 1, 400, 400)), [["a"] * 400] * 2).html
    assert data_of(algolens.attention(patterns[0], lists.str_toks[0]).html)[1]["pattern"].shape == (1, 2, 21, 21)


def test_a_light_page_is_a_quarter(model):
    study = algolens.study(model, progress=False)
    page = study.report()
    assert len(study._study.light_page()) < 0.25 * len(page.html)
    assert page._repr_html_().startswith("<iframe srcdoc=") and "sandbox" in page._repr_html_()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: algolens.imshow(np.zeros(3)), r"expected \[row, column\]"),
        (lambda: algolens.imshow(np.zeros((2, 2)), x=["a"]), "column labels: expected 2, as the array has, found 1"),
        (lambda: algolens.imshow(np.zeros((0, 2))), "expected one with numbers"),
        (lambda: algolens.imshow([["a", "b"]]), "expected numbers"),
        (lambda: algolens.bar([[1.0], [1.0, 2.0]]), "arrays of one shape"),
        (lambda: algolens.bar([[1.0, 2.0]], names=["a", "b"]), "series: expected 1"),
        (lambda: algolens.attention(np.zeros((2, 3, 3)), [*"abcd"]), "tokens: expected 3"),
        (
            lambda: algolens.attention(np.zeros((2, 1, 3, 3)), [[*"abc"]]),
            "tokens: expected those of 2 examples, found 1",
        ),
        (lambda: algolens.attention(np.zeros((3, 3)), [*"abc"]), "patterns: expected"),
        (lambda: algolens.imshow(np.zeros((2, 2, 2)), facet_col=5), "facet_col: expected an axis"),
    ],
)
def test_what_is_no_figure_is_refused(make, says):
    with pytest.raises(AlgolensError, match=says):
        make().svg


def test_a_file_of_another_kind_is_refused(tmp_path):
    figure = algolens.bar([1.0])
    with pytest.raises(AlgolensError, match=r"expected a name that ends with .svg, .html, .csv, found '.png'"):
        figure.save(tmp_path / "figure.png")
    with pytest.raises(AlgolensError, match="there is no folder"):
        figure.save(tmp_path / "nowhere" / "figure.svg")
    with pytest.raises(TypeError, match="'colour' is no option"):
        algolens.bar([1.0], colour="red")
    assert not list(tmp_path.iterdir())
