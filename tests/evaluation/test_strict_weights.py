import pytest
import torch

from tests.training.toy_runs import ToyModel, log_of, toy_runner


def load(tmp_path, **weights):
    """Load the weights of a toy model through the Runner, with some added or replaced, or removed (None)."""
    content = {**ToyModel().state_dict(), **{name.replace("__", "."): value for name, value in weights.items()}}
    content = {name: value for name, value in content.items() if value is not None}
    torch.save({"state_dict": content, "meta": {}}, tmp_path / "a.pth")
    runner = toy_runner(tmp_path / "run", hooks=[dict(type="StrictWeightsHook")], load_from=str(tmp_path / "a.pth"))
    runner.load_or_resume()
    assert all(torch.equal(value, content[name]) for name, value in runner.model.state_dict().items())
    return runner


def test_weights_that_fit_are_loaded_without_a_warning(tmp_path):
    runner = load(tmp_path, auxiliary_head__weight=torch.ones(3))
    assert "do not match" not in log_of(runner)
    assert "auxiliary_head" not in log_of(runner)


def test_weights_that_do_not_fit_end_the_run(tmp_path):
    with pytest.raises(
        ValueError, match=r"a\.pth does not fit the model of the config: 1 key is missing \(layer\.bias"
    ):
        load(tmp_path, layer__bias=None)
    with pytest.raises(ValueError, match=r"1 key has another shape \(layer\.weight \[5, 4\] instead of \[1, 4\]\)"):
        load(tmp_path, layer__weight=torch.ones(5, 4))
