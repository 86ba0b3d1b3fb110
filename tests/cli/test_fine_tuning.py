"""A model that goes on with other classes, by the real programs."""

import pytest
import torch

from semseg import compat, labels
from tests.cli.test_data_option import mine  # noqa: F401
from tests.conftest import CONFIG, SHORT, run

pytestmark = pytest.mark.slow


def test_a_model_learns_other_classes_on_a_frozen_backbone(town, trained, mine):  # noqa: F811
    options = ["--data", "data/mine/dataset.yaml", "--work-dir", "tuned", "--freeze", "backbone"]
    short = [*SHORT, "train_cfg.max_iters=2"]
    first = trained / "iter_4.pth"
    done = run(town, "dist_train.sh", CONFIG, 2, "--load-from", first, *options, *short)
    assert f"loaded 115 of 119 tensors from {first}" in done.stdout
    assert (
        "decode_head.conv_seg, auxiliary_head.conv_seg: 1 of 19 classes carried over by name (sky), re-initialised:"
        " ground, thing"
    ) in done.stdout
    assert "frozen: backbone; 273,382 of 975,254 parameters learn" in done.stdout

    before, after = (compat.load_checkpoint_file(path) for path in (first, town / "tuned/iter_2.pth"))
    old, new = before["state_dict"], after["state_dict"]
    same = {name for name in new if new[name].shape == old[name].shape and torch.equal(new[name], old[name])}
    assert {name for name in new if name.startswith("backbone")} <= same  # statistics of the norm layers as well
    assert not [name for name in same if not name.startswith("backbone") and name.endswith("conv.weight")]
    drift = (
        new["decode_head.conv_seg.weight"][1]
        - old["decode_head.conv_seg.weight"][labels.CITYSCAPES.classes.index("sky")]
    )
    assert drift.abs().max() < 0.01  # two steps with a learning rate of about 0.0005
    frozen = len([name for name in new if name.startswith("backbone") and name.endswith(("weight", "bias"))])
    num_tensors = len([name for name in new if name.endswith(("weight", "bias"))])
    assert len(after["optimizer"]["state"]) == num_tensors - frozen

    done = run(town, "train.py", CONFIG, *options[:-2], "--resume", *short, code=2)
    assert "iter_2.pth was trained with --freeze backbone: resume it so, or start a new run from it" in done.stderr
