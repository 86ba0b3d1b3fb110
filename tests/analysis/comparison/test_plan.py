import dataclasses
import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from semseg.analysis.comparison.plan import command_words, make_plan, training_options
from semseg.analysis.options import ComparisonOptions
from semseg.config import load_config
from tests.config.plugins import LOSS, forget_plugins
from tests.conftest import CONFIG, raises


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A dataset.yaml with two classes: three pictures for training, two for validation."""
    root = tmp_path_factory.mktemp("data")
    for split, num_pictures in (("train", 3), ("val", 2)):
        for number in range(num_pictures):
            for kind in ("photos", "masks"):
                (root / split / kind).mkdir(parents=True, exist_ok=True)
                picture = np.full((16, 16), number % 2, np.uint8)
                Image.fromarray(picture).save(root / split / kind / f"{number}.png")
    splits = {name: {"images": f"{name}/photos", "masks": f"{name}/masks"} for name in ("train", "val")}
    path = root / "dataset.yaml"
    path.write_text(yaml.safe_dump({"splits": splits, "encoding": "ids", "classes": ["sand", "water"]}))
    return path


@pytest.fixture
def other(tmp_path):
    """A second config, which differs in the learning rate."""
    path = tmp_path / "other.py"
    path.write_text(f"_base_ = {str(CONFIG)!r}\noptim_wrapper = dict(optimizer=dict(lr=0.001))\n")
    return path


def options(tmp_path, data, **more):
    return ComparisonOptions(**{"out_dir": tmp_path / "out", "iters": 10, "seeds": 2, "data": [str(data)], **more})


def test_every_model_is_trained_with_every_seed(tmp_path, data, other):
    plan = make_plan([CONFIG.stem, str(other)], options(tmp_path, data))
    assert [(run.model.name, run.seed) for run in plan.runs()] == [
        (CONFIG.stem, 0), ("other", 0), (CONFIG.stem, 1), ("other", 1),
    ]  # fmt: skip
    assert len({run.folder for run in plan.runs()}) == 4
    first, second = plan.models
    assert first.digest != second.digest
    assert first.data == second.data
    assert first.data["images"] == {"train": 3, "test": 2}
    assert make_plan([CONFIG.stem], options(tmp_path, data, seeds=1)).models[0].digest == first.digest


def test_plugins_are_a_part_of_what_a_run_is(tmp_path, data, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before, path = set(sys.modules), tmp_path / "own_loss.py"
    path.write_text(LOSS)
    digests = []
    for plugins, text in (((), LOSS), ([str(path)], LOSS), ([str(path)], f"{LOSS}# changed")):
        path.write_text(text)
        (model,) = make_plan([str(CONFIG)], options(tmp_path, data, plugins=plugins)).models
        digests.append(model.digest)
        forget_plugins(before, tmp_path)
    assert len(set(digests)) == 3
    words = command_words(model, options(tmp_path, data, plugins=["a.py", "b"]), [])
    assert words == ["--data", str(data), "--plugin", "a.py", "--plugin", "b"]
    assert command_words(model, options(tmp_path, data, plugins="a.py"), []) == words[:4]


@pytest.mark.parametrize(("length", "interval"), [(4, 1), (24, 5), (1000, 200)])
def test_a_training_is_validated_five_times_and_its_learning_rate_reaches_its_end(tmp_path, data, length, interval):
    plan = make_plan([str(CONFIG)], options(tmp_path, data))
    words = training_options(plan.models[0], length)
    cfg = load_config(CONFIG, words, data=str(data))
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[-1].end == length
    assert cfg.train_cfg.val_interval == cfg.default_hooks.checkpoint.interval == interval
    assert 1 <= cfg.default_hooks.logger.interval <= 10


@pytest.mark.parametrize(
    ("change", "code", "values"),
    [
        ({"iters": None}, "E-input-required", "`minutes` or `iters`"),
        ({"minutes": 2.0}, "E-input-required", "`minutes` or `iters`"),
        ({"iters": None, "minutes": 0.0}, "E-input-range", "`minutes` 0.0"),
        ({"iters": 0}, "E-input-range", "`iters` 0"),
        ({"seeds": 0}, "E-input-range", "`seeds` 0"),
        ({"cfg_options": ("train_cfg.max_iters=9",)}, "E-config-conflict", r"train_cfg\.max_iters=9"),
        ({"cfg_options": ("model.backbon=1",)}, "E-config-key", "backbone"),
    ],
)
def test_wrong_options_are_named(tmp_path, data, change, code, values):
    with raises(code, values):
        make_plan([str(CONFIG)], options(tmp_path, data, **change))
    assert not (tmp_path / "out").exists()


def test_configs_that_cannot_be_compared_are_refused(tmp_path, data, other):
    with raises("E-input-incomparable", "two configs are called other"):
        make_plan([str(other), str(other)], options(tmp_path, data))
    loaders = "train_dataloader = val_dataloader = test_dataloader = dict(dataset=dict(_delete_=True, **dataset))\n"
    for split in ("train", "val"):
        dataset = f"dataset = dict(type='FolderSegDataset', dataset_file={str(data)!r}, split={split!r})\n"
        heads = "model = dict(decode_head=dict(num_classes=2), auxiliary_head=dict(num_classes=2))\n"
        (tmp_path / f"on_{split}.py").write_text(f"_base_ = {str(other)!r}\n{dataset}{loaders}{heads}")
    with raises("E-input-incomparable", "on_train and on_val read different data .*; give `data`"):
        on_both = [str(tmp_path / f"on_{split}.py") for split in ("train", "val")]
        make_plan(on_both, dataclasses.replace(options(tmp_path, data), data=None))
    by_epoch = tmp_path / "by_epoch.py"
    by_epoch.write_text(
        f"_base_ = {str(other)!r}\ntrain_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=1)\n"
    )
    with raises("E-config-unsupported", r"by_epoch\.py trains by epochs"):
        make_plan([str(by_epoch)], options(tmp_path, data))
