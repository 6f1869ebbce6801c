"""What the tests share: a trained model, random models, weights that other people trained."""

import json
import os
import struct
from pathlib import Path

import algolens
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def model():
    """The model of our own that sorts."""
    return algolens.HookedTransformer.from_checkpoint(ROOT / "models" / "sorted_list.safetensors")


@pytest.fixture(scope="session")
def lists():
    """Lists of the post's evaluation."""
    return algolens.SortedListDataset(size=50, list_len=10, max_value=50, seed=43)


@pytest.fixture
def small():
    """A random model with everything: two blocks, MLPs, norms."""
    return algolens.HookedTransformer(
        algolens.HookedTransformerConfig(n_layers=2, d_model=16, n_ctx=8, d_head=4, d_vocab=10, act_fn="gelu", seed=3)
    )


@pytest.fixture
def tokens():
    """Sequences for `small`."""
    return np.random.default_rng(0).integers(0, 10, (6, 8))


@pytest.fixture(scope="session")
def reference():
    """The folder of weights that other people trained, with the numbers that they must give."""
    folder = os.environ.get("ALGOLENS_REFERENCE")
    if not folder:
        pytest.skip("ALGOLENS_REFERENCE is not set")
    return Path(folder)


def read_safetensors(path):
    """The arrays of a safetensors file of float32 and integers, by the format's own description."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    types = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "BOOL": "?"}
    arrays = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + at for at in entry["data_offsets"])
            arrays[name] = np.frombuffer(data[begin:end], types[entry["dtype"]]).reshape(entry["shape"])
    return arrays
