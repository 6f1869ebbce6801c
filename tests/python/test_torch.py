"""Torch tensors come in and go out; torch is no dependency, so these run only where it is installed."""

import algolens
import numpy as np
import pytest
from algolens import AlgolensError, HookedTransformer

torch = pytest.importorskip("torch")


def test_what_comes_in_as_a_tensor_goes_out_as_one(small, tokens):
    expected, given = small(tokens), torch.from_numpy(tokens)
    logits, cache = small.run_with_cache(given)
    assert isinstance(logits, torch.Tensor) and (logits.numpy() == expected).all()
    assert all(isinstance(activation, torch.Tensor) for activation in cache.values())
    loss = small(given, return_type="loss")
    assert isinstance(loss, torch.Tensor) and loss.item() == small(tokens, return_type="loss")
    assert (small(given[0].to(torch.int32)).numpy() == expected[:1]).all()
    assert (cache["pattern", 0].sum(-1) - 1).abs().max() < 1e-5


def test_hooks_see_tensors_and_edit_them(small, tokens):
    def in_place(z, hook):
        assert isinstance(z, torch.Tensor)
        z[:, :, 0] = 0.0

    def returned(z, hook):
        z = z.clone()
        z[:, :, 0] = 0.0
        return z.double()

    def in_numpy(z, hook):
        z[:, :, 0] = 0.0

    name, given = "blocks.0.attn.hook_z", torch.from_numpy(tokens)
    expected = small.run_with_hooks(tokens, fwd_hooks=[(name, in_numpy)])
    for hook in (in_place, returned):
        assert (small.run_with_hooks(given, fwd_hooks=[(name, hook)]).numpy() == expected).all()


def test_weights_may_be_tensors_of_any_precision(small, tokens):
    other = HookedTransformer(small.cfg, seed=9)
    other.load_state_dict({name: torch.tensor(value) for name, value in small.state_dict().items()})
    assert (other(tokens) == small(tokens)).all()
    for precision in (torch.bfloat16, torch.float16, torch.float64):
        other.load_state_dict({name: torch.tensor(value).to(precision) for name, value in small.state_dict().items()})
        assert np.abs(other(tokens) - small(tokens)).max() < 0.1


def test_gradients_of_a_number_that_torch_computes(small, tokens):
    given = torch.from_numpy(tokens)

    def loss(logits):
        rows, right = logits[:, :-1].reshape(-1, logits.shape[-1]), given[:, 1:].reshape(-1)
        return torch.nn.functional.cross_entropy(rows, right)

    found, expected = small.gradients(given, loss), small.gradients(tokens)
    assert isinstance(found.params["embed.W_E"], torch.Tensor)
    for name, gradient in expected.params.items():
        assert np.abs(found.params[name].numpy() - gradient).max() < 1e-5, name
    with pytest.raises(AlgolensError, match="derivative by the logits"):
        small.gradients(given, lambda logits: logits.mean(0))


def test_what_is_no_token_is_refused(small):
    with pytest.raises(AlgolensError, match="tokens: expected whole numbers, found float32"):
        small(torch.zeros(2, 8))
    with pytest.raises(AlgolensError, match="expected numbers from 0 on, found -1"):
        small(torch.full((2, 8), -1))


def test_figures_and_data_take_tensors():
    cells = torch.arange(6.0).reshape(2, 3).requires_grad_()
    assert algolens.imshow(cells).svg == algolens.imshow(np.arange(6.0).reshape(2, 3)).svg
    data = algolens.Dataset(torch.zeros((2, 3), dtype=torch.long), torch.ones((2, 1), dtype=torch.long), positions=[2])
    assert data.classes == ["0", "1"]
