"""The notebooks run as they are, and print what is true."""

import re

import algolens
import nbclient
import nbformat
from conftest import ROOT


def printed(name, tmp_path, monkeypatch, **environment):
    """What a notebook prints, and its cells, run in the folder of the examples."""
    notebook = nbformat.read(ROOT / "examples" / name, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    for variable, value in environment.items():
        monkeypatch.setenv(variable, str(value))
    # What it writes goes elsewhere; what it reads stands beside the examples.
    (tmp_path / "examples").mkdir()
    (tmp_path / "models").symlink_to(ROOT / "models")
    resources = {"metadata": {"path": str(tmp_path / "examples")}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.output_type == "stream"), outputs, tmp_path / "examples"


def test_the_post_s_cells(tmp_path, monkeypatch):
    text, outputs, folder = printed("sorted_list.ipynb", tmp_path, monkeypatch)
    assert text.startswith(
        "[9, 6, 2, 4, 5, 11, 2, 4, 5, 6, 9]\n['9', '6', '2', '4', '5', 'SEP', '2', '4', '5', '6', '9']\n"
    )
    model = algolens.HookedTransformer.from_checkpoint(ROOT / "models" / "sorted_list.safetensors")
    data = algolens.SortedListDataset(size=500, list_len=10, max_value=50, seed=43)
    found = algolens.evaluate(model, data)
    assert f"loss: {found.loss:.3f}\nMean probability on correct label: {found.mean_prob:.3f}\n" in text
    assert f"Min probability on correct label: {found.min_prob:.3f}\n" in text
    for head in ("0.0", "0.1"):
        assert f"...{head} = {algolens.ablate(model, heads=[head], data=data).loss_increase:.3f}\n" in text
    html = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert len(html) == 13 and all(len(one) < 1_000_000 for one in html)
    assert (folder / "sorted_list_report.html").stat().st_size > 1_500_000


def test_the_post_s_model_prints_the_post_s_numbers(reference, tmp_path, monkeypatch):
    path = reference / "sorted_list" / "sorted_list_model.pt"
    text, _, _ = printed("sorted_list.ipynb", tmp_path, monkeypatch, SORTED_LIST_MODEL=path)
    for line in (
        "Average cross entropy loss: 0.039",
        "Mean probability on correct label: 0.966",
        "Median probability on correct label: 0.981",
        "Min probability on correct label: 0.001",
        "...0.0 = 0.920",
        "...0.1 = 4.963",
    ):
        assert line in text


def test_what_is_decided_is_decided(tmp_path, monkeypatch):
    text, _, _ = printed("is_it_100_percent.ipynb", tmp_path, monkeypatch)
    right, inputs = map(int, re.search(r"(\d+) of (\d+) inputs are right", text).groups())
    sampled = float(re.search(r"of 2000 random inputs ([\d.]+)", text)[1])
    assert inputs == 1_048_320 and 0.5 * inputs < right and abs(right / inputs - sampled) < 0.04
    low, high = map(float, re.search(r"at least ([\d.]+) and at most ([\d.]+)", text).groups())
    counted = float(re.search(r"counted: ([\d.]+)", text)[1])
    assert low - 1e-6 <= counted <= high + 1e-6 and high - low < 0.05
    assert int(re.search(r"(\d+) of 16 strings", text)[1]) >= 15
