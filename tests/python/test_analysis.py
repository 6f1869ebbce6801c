"""Analyses, against loops in NumPy over the model's own logits."""

import hashlib
import json

import algolens
import numpy as np
import pytest
from algolens import AlgolensError, Certificate, tasks


def sha256(model):
    """Of the config and the weights, as docs/versions.md says."""
    weights = b"".join(weight.astype("<f4").tobytes() for weight in model.state_dict().values())
    return hashlib.sha256(model._model.config.encode() + weights).hexdigest()


def test_an_evaluation_is_a_loop_over_logits(model, lists):
    log_probs = algolens.utils.log_softmax(model(lists.toks)[:, 10:-1])
    right = np.take_along_axis(log_probs, lists.toks[:, 11:, None], -1)[..., 0]
    found = algolens.evaluate(model, lists)
    assert found.loss == pytest.approx(-right.mean(), abs=1e-6) and found.size == 50
    assert found.min_prob == pytest.approx(np.exp(right.min()), rel=1e-4)
    assert found.token_accuracy == pytest.approx((log_probs.argmax(-1) == lists.toks[:, 11:]).mean())
    origin = found.provenance
    assert (
        origin.made_by == f"algolens.evaluate(data=<50 examples, SHA-256 {lists._data.sha256}>)" and origin.seed is None
    )
    drawn = algolens.evaluate(model, size=50).provenance
    task = "sorted_list(list_len=10,max_value=50)"
    assert drawn.made_by == f"algolens.evaluate(seed=43, task={task!r}, size=50)" and drawn.seed == 43
    assert origin.sha256 == drawn.sha256 == sha256(model) and origin.algolens == algolens.__version__
    assert algolens.evaluate(model, size=50).loss == found.loss
    other = algolens.SortedListDataset(size=3, list_len=5, max_value=10, seed=1)
    for verb in (algolens.evaluate, algolens.study):
        with pytest.raises(AlgolensError, match="a task of the model's 52 tokens, found sorted_list.*which has 12"):
            verb(model, other)


def test_all_inputs_are_a_loop_over_them():
    model = algolens.train("longest_cycle", epochs=2, train_size=1000, progress=False).model
    found = algolens.evaluate(model, all=True, limit=1000, progress=False)
    task = tasks.longest_cycle()
    inputs = [[a, b, c, d] for a in range(4) for b in range(4) for c in range(4) for d in range(4)]
    data = task.examples_of(inputs)
    logits = model(data.toks)[:, data.positions]
    wrong = (logits.argmax(-1) != data.targets).any(1)
    assert (found.inputs, found.right) == (256, 256 - wrong.sum())
    assert sorted(tuple(one.input) for one in found.wrong) == [
        tuple(row) for row, is_wrong in zip(inputs, wrong) if is_wrong
    ]
    for wrong in ({"data": data}, {"size": 3}, {"seed": 3}, {"limit": -1}):
        with pytest.raises(AlgolensError, match="expected none with all=True|limit: expected"):
            algolens.evaluate(model, all=True, **wrong)
    with pytest.raises(AlgolensError, match="limit, slack and on: expected none without all=True"):
        algolens.evaluate(model, limit=3)


def test_an_ablation_is_a_hook(model, lists):
    name = "blocks.0.attn.hook_result"
    mean = model.run_with_cache(lists.toks, names_filter=name)[1][name][:, :, 1].mean(0)

    def ablate(activation, hook):
        activation[:, :, 1] = mean

    def loss(logits):
        log_probs = algolens.utils.log_softmax(logits[:, 10:-1])
        return -np.take_along_axis(log_probs, lists.toks[:, 11:, None], -1).mean()

    expected = loss(model.run_with_hooks(lists.toks, fwd_hooks=[(name, ablate)])) - loss(model(lists.toks))
    for heads in (["0.1"], [(0, 1)], "0.1"):
        assert algolens.ablate(model, heads=heads, data=lists).loss_increase == pytest.approx(expected, abs=1e-4)
    point = algolens.ablate(model, points=["blocks.0.attn.hook_z"], method="zero", data=lists)
    assert point.loss_increase > 1
    assert algolens.ablate(model, heads=["0.1"], method="resample", data=lists).loss_increase > 0
    at = algolens.ablate(model, heads=["0.1"], positions=np.arange(10, 20), mlps=np.array([], int).tolist(), data=lists)
    assert "positions=[10, 11" in at.provenance.made_by and "heads=['0.1']" in at.provenance.made_by
    for options, says in [
        ({}, "ablation: expected a part"),
        ({"heads": ["0.5"]}, "head"),
        ({"heads": ["x"]}, "ablation|head"),
        ({"mlps": [0]}, "MLP: expected a model that has MLPs, found none"),
        ({"heads": ["0.1"], "method": "median"}, "median"),
    ]:
        with pytest.raises(AlgolensError, match=says):
            algolens.ablate(model, data=lists, **options)


def test_an_attribution_sums_to_the_logits(model, lists):
    found = algolens.attribute(model, lists, sources=0)
    logits = model(lists.toks)[:, lists.positions]
    assert np.abs(found.contributions.sum(0) - logits).max() < 1e-4
    head = found.contributions[found.components.index("0.1")]
    assert np.abs(found.sources[:, 1].sum(2) - head).max() < 1e-4


def test_circuits_are_products_of_weights(model):
    found = algolens.circuits(model)
    ov = model.W_E @ model.W_V[0] @ model.W_O[0] @ model.W_U
    qk = model.W_E @ model.W_Q[0] @ model.W_K[0].swapaxes(-1, -2) @ model.W_E.T
    assert np.abs(found.W_OV_full - ov).max() < 1e-3 and np.abs(found.W_QK_full - qk).max() < 1e-2
    assert np.abs(found.direct_path - model.W_E @ model.W_U).max() < 1e-4
    for layer in (3, -1):
        with pytest.raises(AlgolensError, match="layer|block"):
            algolens.circuits(model, layer)


def test_a_study_is_written_as_it_is_shown(model, tmp_path):
    study = algolens.study(model, title="sorted_list.safetensors", progress=False)
    page = study.report()
    page.save(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == page.html
    assert study.results.evaluation.loss == pytest.approx(algolens.evaluate(model).loss, abs=1e-3)
    assert study.arrays["W_OV_full"].shape == (2, 52, 52)
    assert [section.id for section in study.results.sections][0] == "model"
    written = study.save_figures(tmp_path / "figures")
    assert {path.suffix for path in written} == {".svg", ".csv"} and all(path.stat().st_size for path in written)
    assert "Findings" in repr(study)
    assert study.provenance.sha256 == sha256(model) and study.provenance.made_by.startswith("algolens.study(title=")
    assert sha256(model) in page.html and sha256(model) in (tmp_path / "figures" / "ablation.svg").read_text()
    with pytest.raises(AlgolensError, match="own|studied"):
        algolens.study(model, others=[model], progress=False)


def test_an_attack_finds_what_is_wrong(model):
    found = algolens.attack(model, work=20_000, progress=False).found
    assert len(found) == 3
    for one in found:
        data = tasks.sorted_list().examples_of([one.input])
        logits = model(data.toks)[0, one.position]
        assert one.margin < 0 and logits.argmax() == one.predicted != one.expected
        right = logits[one.expected] - np.delete(logits, one.expected).max()
        assert right == pytest.approx(one.margin, abs=1e-3)
    position = algolens.attack(model, work=5000, position=12, progress=False).found
    assert {one.position for one in position} == {12}
    with pytest.raises(AlgolensError, match="position: expected one that predicts"):
        algolens.attack(model, position=3, progress=False)


def test_a_certificate_is_checked_and_a_false_one_refused(tmp_path):
    task = tasks.sorted_list(list_len=4, max_value=9)
    model = algolens.train(
        task, epochs=8, train_size=50_000, d_model=32, d_head=16, lr_start=5e-3, progress=False
    ).model
    certificate = algolens.certify(model, work=100_000, progress=False)
    assert certificate.provenance.sha256 == sha256(model)
    certificate.save(tmp_path / "cert.json")
    loaded = Certificate.load(tmp_path / "cert.json")
    found = algolens.check(loaded, model, progress=False)
    bounds = found.proved.list_accuracy
    every = [
        [a, b, c, d]
        for a in range(10)
        for b in range(10)
        for c in range(10)
        for d in range(10)
        if len({a, b, c, d}) == 4
    ]
    data = task.examples_of(every)
    right = (model(data.toks)[:, data.positions].argmax(-1) == data.targets).all(1).mean()
    assert bounds.lower <= right <= bounds.upper and bounds.upper - bounds.lower < 0.2
    false = json.loads(certificate.json)
    false["token_accuracy"]["upper"] = 0.5
    with pytest.raises(AlgolensError, match="token_accuracy|certificate"):
        algolens.check(Certificate(json.dumps(false)), model, progress=False)
    other = algolens.train(task, epochs=1, train_size=2000, d_model=32, d_head=16, progress=False).model
    with pytest.raises(AlgolensError, match="SHA-256"):
        algolens.check(loaded, other, progress=False)
    with pytest.raises(AlgolensError, match="certify: expected how long"):
        algolens.certify(model)
    for wrong in ({"seconds": float("nan")}, {"seconds": -1.0}, {"work": 9, "slack": 2.0}, {"work": 0}):
        with pytest.raises(AlgolensError, match="expected a"):
            algolens.certify(model, **wrong)
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "bytes.json").write_bytes(bytes([0xFF, 0x00]))
    for name in ("list.json", "bytes.json"):
        with pytest.raises(AlgolensError, match="certificate: expected what certify writes"):
            Certificate.load(tmp_path / name)
    two_layers = algolens.train(task, n_layers=2, epochs=1, train_size=600, progress=False).model
    with pytest.raises(AlgolensError):
        algolens.certify(two_layers, work=10, progress=False)
