"""An error in a model or transform reaches the user with the key of its part in the config."""

import sys

import pytest
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from semseg.config import load_config
from semseg.training.run import train
from tests.conftest import CONFIG, raises
from tests.training.runs import QUICK, build


@pytest.fixture
def in_town(town, monkeypatch):
    monkeypatch.chdir(town)


@TRANSFORMS.register_module()
class BrokenTransform(BaseTransform):
    def transform(self, results):
        return results["no such key"]


def break_pipeline(cfg):
    steps = cfg.train_dataloader.dataset.dataset.pipeline
    steps.insert(2, dict(type="BrokenTransform"))


@pytest.mark.slow
@pytest.mark.usefixtures("in_town")
def test_a_transform_that_fails_is_named_with_its_key(tmp_path):
    runner = build(tmp_path, change=break_pipeline)
    key = r"train_dataloader\.dataset\.dataset\.pipeline\.2 \(BrokenTransform\)"
    with raises("E-config-part", rf"{key} .* a sample of the training: KeyError: 'no such key'"):
        runner.train()


@pytest.mark.slow
@pytest.mark.usefixtures("in_town")
def test_a_part_of_the_model_that_fails_is_named_with_its_key(tmp_path):
    runner = build(tmp_path, "model.decode_head.in_channels=77")
    with raises("E-config-part", r"model\.decode_head \(PSPHead\) .* a training step on .* 77"):
        runner.train()


@pytest.mark.slow
@pytest.mark.usefixtures("in_town")
@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("model.backbone.depth=19", r"model\.backbone \(ResNetV1c\) cannot be built: KeyError: .*depth 19"),
        (
            "model.decode_head.type=PSPHeda",
            r"model\.decode_head \(PSPHeda\) cannot be built: no part .* name PSPHeda; .*`plugins` FILE",
        ),
    ],
)
def test_a_part_that_cannot_be_built_is_named_with_its_key(tmp_path, option, values):
    cfg = load_config(CONFIG, [*QUICK, option], work_dir=tmp_path)
    with raises("E-config-part", values):
        train(cfg)


def test_modules_beside_a_config_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_own_parts.py").write_text("LOADED = True\n")
    config = tmp_path / "x.py"
    config.write_text(f"_base_ = {str(CONFIG)!r}\ncustom_imports = dict(imports=['semseg.plugins', 'my_own_parts'])\n")
    load_config(config)
    assert sys.modules["my_own_parts"].LOADED
    config.write_text(f"_base_ = {str(CONFIG)!r}\ncustom_imports = dict(imports=['not_there_at_all'])\n")
    with raises("E-config-package", r"x\.py: .*not_there_at_all"):
        load_config(config)
