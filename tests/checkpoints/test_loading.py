import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from semseg.checkpoints.loading import load_strictly
from tests.checkpoints.described import checkpoint, small_config
from tests.conftest import raises


def model(*options):
    init_default_scope("mmseg")
    return MODELS.build(small_config(*options).model)


@pytest.fixture(scope="module")
def content():
    return checkpoint()


def changed(content, **weights):
    """Return the content with other weights; None removes one. `__` stands for a dot."""
    weights = {name.replace("__", "."): value for name, value in weights.items()}
    merged = {**content["state_dict"], **weights}
    return {**content, "state_dict": {name: value for name, value in merged.items() if value is not None}}


def test_weights_that_fit_are_loaded(content):
    loaded = model()
    load_strictly(loaded, content, "a.pth")
    for name, value in content["state_dict"].items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_the_model_may_be_wrapped_and_so_may_the_keys(content):
    wrapped = MODELS.build(dict(type="SegTTAModel", module=small_config().model))
    prefixed = {f"module.{name}": value for name, value in content["state_dict"].items()}
    load_strictly(wrapped, {"state_dict": prefixed}, "a.pth")
    name = "decode_head.conv_seg.weight"
    assert torch.equal(wrapped.module.state_dict()[name], content["state_dict"][name])


def test_harmless_differences_are_allowed(content):
    loaded = load_strictly(model("model.auxiliary_head=None"), content, "a.pth")
    assert not any(name.startswith("auxiliary_head") for name in loaded)
    counters = {name: None for name in content["state_dict"] if name.endswith("num_batches_tracked")}
    assert counters
    load_strictly(model(), changed(content, **counters), "a.pth")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"decode_head__conv_seg__weight": None}, r"1 key is missing \(decode_head\.conv_seg\.weight\)"),
        ({"auxiliary_head__conv_seg__bias": None}, r"1 key is missing \(auxiliary_head\.conv_seg\.bias\)"),
        ({"decode_head__more": torch.ones(1)}, r"1 key is not in the model \(decode_head\.more\)"),
        ({f"x{i}": torch.ones(1) for i in range(5)}, r"5 keys are not in the model \(x0, x1, x2 and 2 more\)"),
        (
            {"decode_head__conv_seg__bias": torch.ones(5), "backbone__stem__0__weight": None},
            r"1 key has another shape \(decode_head\.conv_seg\.bias \[5\] instead of \[19\]\); 1 key is missing \(",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(content, weights, message):
    with raises("E-checkpoint-mismatch", rf"^a\.pth .*: {message}") as caught:
        load_strictly(model(), changed(content, **weights), "a.pth")
    assert "use the config that it was trained with, or none at all: the file describes its model" in str(caught.value)


def test_a_file_without_description_gets_no_advice_to_leave_out_the_config(content):
    with raises("E-checkpoint-mismatch", r"use the config that it was trained with$"):
        load_strictly(model(), {"state_dict": {}}, "a.pth")
