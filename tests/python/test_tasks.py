"""Tasks, ours and a user's own, their data, training on them, and what is found of the models."""

import copy
import gc
import inspect
import pickle
import weakref

import algolens
import numpy as np
import pytest
from algolens import AlgolensError, Dataset, SortedListDataset, Task, tasks


class Largest(Task):
    """Says the largest of three numbers."""

    name = "largest"
    n_ctx = 4
    vocab = [*"012345", "END"]
    classes = [*"012345"]
    predicted_positions = [3]
    roles = ["input"] * 3 + ["separator"]

    def generate(self, rng):
        return [*rng.integers(0, 6, 3), 6]

    def targets(self, example):
        return [max(example[:3])]

    def validate(self, example):
        if example[3] != 6:
            raise ValueError("an example ends with END")

    def inputs(self):
        return [[a, b, c] for a in range(6) for b in range(6) for c in range(6)]

    def complete(self, input):
        if len(input) != 3 or max(input) > 5:
            raise ValueError("an input is three numbers")
        return [*input, 6]


SMALL = {
    "train_size": 4000,
    "validation_size": 200,
    "epochs": 12,
    "d_model": 16,
    "d_head": 8,
    "batch_size": 64,
    "progress": False,
}


@pytest.fixture(scope="module")
def largest():
    return algolens.train(Largest(), lr_start=1e-2, **SMALL)


def test_the_post_s_first_cell():
    dataset = SortedListDataset(size=1, list_len=5, max_value=10, seed=42)
    assert dataset[0].tolist() == [9, 6, 2, 4, 5, 11, 2, 4, 5, 6, 9]
    assert dataset.str_toks[0] == ["9", "6", "2", "4", "5", "SEP", "2", "4", "5", "6", "9"]
    assert (dataset.seq_len, dataset.vocab[-1], dataset.toks.dtype, len(dataset)) == (11, "SEP", np.int64, 1)


def test_the_post_s_own_lists_are_a_subclass(model):
    class CustomSortedListDataset(SortedListDataset):
        def __init__(self, unsorted_lists, max_value):
            self.size, self.list_len = len(unsorted_lists), len(unsorted_lists[0])
            self.seq_len, self.max_value = 2 * self.list_len + 1, max_value
            self.vocab = [str(i) for i in range(max_value + 1)] + ["SEP"]
            lists = np.array(unsorted_lists)
            separators = np.full((self.size, 1), self.vocab.index("SEP"))
            self.toks = np.concatenate([lists, separators, np.sort(lists, axis=-1)], axis=-1)
            self.str_toks = [[self.vocab[i] for i in toks] for toks in self.toks.tolist()]

    lists = [[0, *range(40, 49)], [5, *range(30, 48, 2)]]
    custom = CustomSortedListDataset(lists, 50)
    same = tasks.sorted_list().examples_of(lists)
    assert algolens.evaluate(model, custom).loss == algolens.evaluate(model, same).loss
    assert custom.str_toks == same.str_toks


def test_every_task_has_its_options_and_data():
    assert len(tasks.names()) == 19
    for name in tasks.names():
        make = getattr(tasks, name)
        task = make() if name != "caesar" else make(level="easy")
        data = task.dataset(5, seed=1)
        assert data.toks.shape == (5, task.n_ctx) and data.vocab == task.vocab and data.task is task
        assert set(inspect.signature(make).parameters) == set(task.options) or name in ("trigrams", "caesar"), name
        assert (task.dataset(5, seed=1).toks == data.toks).all()
        assert Task.named(task.spec).spec == task.spec
    with pytest.raises(AttributeError, match="no task is called 'sorted_lists'; near it: sorted_list"):
        tasks.sorted_lists
    with pytest.raises(AlgolensError, match="list_size"):
        tasks.sorted_list(list_size=3)
    with pytest.raises(AlgolensError, match="expected a task or a text, found type: call it"):
        algolens.train(Largest)
    with pytest.raises(AlgolensError, match='no task is called "sort"'):
        Task.named("sort")


def test_a_recipe_says_the_weights(tmp_path):
    trained = algolens.train("set_difference", epochs=2, train_size=20_000, seed=4, progress=False)
    assert (
        trained.model.task == "set_difference(k=4,symbols=16)" and len(trained.history) == 2 and not trained.interrupted
    )
    again = algolens.train(trained.recipe, progress=False)
    assert (again.model.W_E == trained.model.W_E).all()
    other = algolens.train(trained.recipe, seed=5, progress=False)
    assert (other.model.W_E != trained.model.W_E).any()
    shaped = algolens.train(
        "sorted_list", n_layers=2, d_mlp=8, act_fn="silu", epochs=1, train_size=512, checkpoint_every=1, progress=False
    )
    assert (shaped.model.cfg.n_layers, shaped.model.cfg.d_mlp, shaped.model.cfg.act_fn) == (2, 8, "silu")
    assert list(shaped.checkpoints) == [0, 1]
    named = trained.recipe.changed(task={"name": "set_difference", "k": 2, "symbols": 8}, d_model=4)
    assert algolens.train(named, progress=False).model.task == "set_difference(k=2,symbols=8)"
    with pytest.raises(AlgolensError, match="act_fn: expected d_mlp beside it"):
        algolens.train("sorted_list", act_fn="gelu", progress=False)
    for change, says in [
        ({"epoch": 3}, "no key of a recipe .* 'epoch'; near it: epochs"),
        ({"lr": 1e-3}, "near it: lr_start, lr_end|near it: .*lr_"),
        ({"list_len": 3}, r"found an option of the task: tasks.sorted_list\(list_len=…\)"),
        ({"seed": "x"}, "recipe"),
        ({"epochs": -1}, "epochs|recipe"),
        ({"lr_start": "fast"}, "recipe"),
    ]:
        with pytest.raises(AlgolensError, match=says):
            algolens.train("sorted_list", progress=False, **change)


def test_a_task_of_one_s_own_is_trained_evaluated_and_studied(largest):
    model = largest.model
    assert largest.history[-1].validation_accuracy > 0.9 and model.task == "largest"
    found = algolens.evaluate(model, size=1000)
    assert found.token_accuracy > 0.9 and found == algolens.evaluate(largest, size=1000, task=Largest()) | {
        "provenance": found.provenance
    }
    every = [[a, b, c] for a in range(6) for b in range(6) for c in range(6)]
    data = Largest().examples_of(every)
    logits = model(data.toks)[:, 3]
    right = (logits.argmax(-1) == np.max(every, axis=1)).mean()
    assert algolens.evaluate(model, data).token_accuracy == right
    exact = algolens.evaluate(model, all=True, progress=False)
    assert exact.inputs == 216 and exact.accuracy == right
    with pytest.raises(AlgolensError, match='no task is called "largest".*say it: task='):
        algolens.evaluate(copy.deepcopy(model))
    with pytest.raises(AlgolensError, match="found a task, <task largest>: say task="):
        algolens.evaluate(model, Largest())
    study = algolens.study(model, task=Largest(), progress=False)
    assert study.results.evaluation.size == 500 and "sort" not in study.report().html.split("<script")[0]
    found = algolens.attack(model, task=Largest(), work=2000, progress=False).found[0]
    assert max(found.input[:3]) == found.expected


@pytest.mark.parametrize(
    ("method", "answer", "says"),
    [
        ("generate", [1, 2], "largest: what generate returns: expected 4 tokens"),
        ("generate", [1, 2, 3, 9], "largest: what generate returns: expected tokens below 7, found 9"),
        ("generate", [1.5, 2, 3, 6], "largest: what generate returns: expected whole numbers"),
        ("targets", [1, 2], "largest: what targets returns: expected one for each of 1 predicted positions, found 2"),
        ("targets", [7], "class|target"),
        ("targets", "x", "largest: what targets returns: expected a list of one class"),
        ("targets", ["x"], "largest: what targets returns: expected classes|expected whole numbers"),
    ],
)
def test_a_task_that_answers_nonsense_is_named(method, answer, says):
    task = type("Wrong", (Largest,), {method: lambda self, given: answer})()
    with pytest.raises(AlgolensError, match=says):
        task.dataset(3)
    with pytest.raises(AlgolensError, match=says):
        algolens.train(task, **SMALL)


@pytest.mark.parametrize(
    ("attribute", "value", "says"),
    [
        (
            "predicted_positions",
            [7],
            r"predicted_positions: expected ascending ones below 4, at least one, found \[7\]",
        ),
        ("predicted_positions", [], "predicted_positions: expected ascending ones"),
        ("predicted_positions", [3, 1], "predicted_positions: expected ascending ones"),
        ("roles", ["input"], "roles: expected one for each of 4 positions, found 1"),
        ("attention_dir", "sideways", "attention_dir: expected"),
        ("padding", -1, "padding: expected a whole number from 0"),
    ],
)
def test_a_task_that_cannot_be_is_refused(attribute, value, says):
    with pytest.raises(AlgolensError, match=says):
        type("Wrong", (Largest,), {attribute: value})().dataset(3)


def test_examples_of_another_length_are_refused_and_so_are_too_many():
    for tokens in ([[1, 2]], [[1, 2, 3, 6, 6]]):
        with pytest.raises(AlgolensError, match="examples: expected 4 tokens an example, as largest has"):
            Largest().examples(tokens)
    with pytest.raises(AlgolensError, match="expected tokens below 7, found 9"):
        Largest().examples([[1, 2, 9, 6]])
    with pytest.raises(AlgolensError, match="number of examples: expected at most"):
        tasks.sorted_list().dataset(2**32 - 1)


def test_tasks_and_data_are_copied():
    task = Largest()
    data = task.dataset(3)
    for one in (copy.deepcopy(data), pickle.loads(pickle.dumps(task.dataset(3)))):
        assert (one.toks == data.toks).all() and (one.targets == data.targets).all() and one.task.spec == "largest"
    lists = pickle.loads(pickle.dumps(SortedListDataset(size=4, list_len=3, max_value=9, seed=1)))
    assert lists.seq_len == 7 and (lists.toks == SortedListDataset(4, 3, 9, 1).toks).all()
    reference = weakref.ref(task)
    del task, data, one
    gc.collect()
    assert reference() is None


def test_what_a_task_raises_is_what_is_raised():
    class Fails(Largest):
        def generate(self, rng):
            raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        Fails().dataset(3)
    with pytest.raises(LookupError, match="no more"):
        algolens.train(Fails(), **SMALL)
    with pytest.raises(AlgolensError, match="example 1: expected one of largest, found .*an example ends with END"):
        Largest().examples([[1, 2, 3, 4]])
    with pytest.raises(AlgolensError, match="input: expected one of largest, found an input is three numbers"):
        Largest().examples_of([[1, 2, 6]])
    with pytest.raises(NotImplementedError, match="Empty has no method generate"):
        type("Empty", (Task,), {"name": "empty", "n_ctx": 2, "vocab": ["a"]})().dataset(1)
    with pytest.raises(AlgolensError, match="task Nameless: expected the attribute name, found none"):
        type("Nameless", (Task,), {})().dataset(1)


def test_data_of_one_s_own_is_learnt_and_studied():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 5, (600, 3))
    data = Dataset(tokens, tokens.max(1, keepdims=True), positions=[2])
    assert (data.vocab, data.classes) == ([*"01234"], [*"01234"]) and (data.targets[:, 0] == tokens.max(1)).all()
    trained = algolens.train(data, epochs=5, batch_size=32, d_model=16, d_head=8, progress=False)
    assert trained.history[-1].validation_accuracy > 0.6
    held_out = algolens.train(data, validation=data, epochs=1, batch_size=32, d_model=16, d_head=8, progress=False)
    assert held_out.recipe["train_size"] == held_out.recipe["validation_size"] == 600
    found = algolens.evaluate(trained.model, data)
    assert found.token_accuracy == (trained.model(tokens)[:, 2].argmax(-1) == tokens.max(1)).mean()
    assert algolens.study(trained.model, data, progress=False).results.evaluation.size == 600
    other = Dataset(tokens, tokens.min(1, keepdims=True), positions=[2], vocab=data.vocab, classes=data.classes)
    assert other._data.sha256 != data._data.sha256
    data.toks = tokens[::-1]
    with pytest.raises(AlgolensError, match="as its tokens were set, found one of none"):
        algolens.train(data, epochs=1, progress=False)
    data.toks = tokens
    part = Dataset(tokens[:0] + 0, tokens[:0, :1], positions=[2])
    with pytest.raises(AlgolensError, match="vocab: expected the same of both"):
        algolens.train(data, validation=part, epochs=1, progress=False)
    sets = np.zeros((600, 1, 5), bool)
    sets[np.arange(600), 0, tokens.max(1)] = True
    assert algolens.evaluate(trained.model, Dataset(tokens, sets, positions=[2])).token_accuracy == found.token_accuracy
    for given, says in [
        ({"targets": tokens}, None),
        ({"targets": tokens[:5], "positions": [0, 1, 2]}, "600"),
        ({"targets": tokens[:, :2]}, "positions: expected the predicted ones"),
        ({"targets": tokens, "positions": [0, 1, 5]}, "positions: expected below 3, found 5"),
        ({"targets": tokens * 1.0}, "targets: expected whole numbers, found float64"),
    ]:
        if says is None:
            Dataset(tokens, **given)
        else:
            with pytest.raises(AlgolensError, match=says):
                Dataset(tokens, **given)
