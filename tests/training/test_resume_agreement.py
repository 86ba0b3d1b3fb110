"""A resumed run keeps its losses, class weights, crops and data."""

import shlex
import shutil

import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

from semseg.checkpoints.description import describe_run
from semseg.config import load_config
from semseg.config.tree import inner_datasets
from semseg.training import for_training
from tests.conftest import CONFIG, raises

LOSS = "model.decode_head.loss_decode"


def draw(folder, first_class=0):
    """Write a data set of two pictures and return its dataset.yaml."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(2):
        Image.new("RGB", (8 + first_class, 8)).save(folder / f"images/{number}.png")
        Image.fromarray(np.full((8, 8 + first_class), first_class, np.uint8)).save(folder / f"masks/{number}.png")
    splits = {name: {"images": "images", "masks": "masks"} for name in ("train", "val")}
    content = {"splits": splits, "encoding": "ids", "classes": ["a", "b"]}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content))
    return folder / "dataset.yaml"


@pytest.fixture
def data(tmp_path):
    return draw(tmp_path / "data")


def finished(data, options=(), **flags):
    return for_training(load_config(CONFIG, options, work_dir=data.parents[1] / "run", data=data), check=False, **flags)


def checkpoint(cfg, path, command="", num_processes=1):
    """Write a checkpoint of a run of `cfg`, without the weights, and return its path."""
    init_default_scope("mmseg")
    datasets = {}
    for split in ("train", "val"):
        dataset = cfg[f"{split}_dataloader"].dataset
        while "dataset" in dataset:
            dataset = dataset.dataset
        datasets[split] = DATASETS.build({**dataset, "pipeline": []})
    run = describe_run(Config(cfg.to_dict()), datasets, 0, num_processes)
    said = {**run, "command": f"python tools/train.py {command}"}
    torch.save(
        {"meta": {"semseg": said}, "state_dict": {"a": torch.zeros(1)}, "optimizer": {}, "message_hub": {}}, path
    )
    return str(path)


DIFFERS = "E-config-resume-differs"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "command", "now", "message"),
    [
        ({"loss": "focal"}, "x.py --loss focal", {}, "loss focal, .* loss ce: .* with `loss` focal,"),
        ({"loss": "dice"}, "x.py --loss=dice", {"loss": "lovasz"}, "loss dice, .* lovasz: .* with `loss` dice,"),
        ({}, "x.py", {"loss": "ohem"}, "loss ce, .* loss ohem: .* without `loss`,"),
        (
            {"class_weight": "auto"},
            "x.py --class-weight auto",
            {},
            r"class weights 1\.0, 1\.0, .* no class weights: .* with `class_weight` auto,",
        ),
        (
            {},
            "x.py",
            {"class_weight": "auto"},
            r"no class weights, .* class weights 1\.0, 1\.0: .* without `class_weight`,",
        ),
        (
            {"rare_crops": 0.5},
            "x.py --rare-crops 0.5",
            {"rare_crops": 0.25},
            r"rare crops of share 0\.5, .* rare crops of share 0\.25: .* with `rare_crops` 0\.5,",
        ),
        (
            {"performance": "stock"},
            "x.py --performance stock",
            {},
            "with `performance` stock, .* `performance` fast: .* with `performance` stock,",
        ),
        ({}, "x.py", {"performance": "stock"}, "`performance` fast, .* `performance` stock: .* without `performance`,"),
        ({}, "x.py", {"rare_crops": 0.25}, "no rare crops, .* of share 0.25: .* without `rare_crops`,"),
    ],
)
def test_another_loss_weights_or_crops_are_refused(data, tmp_path, before, command, now, message):
    path = checkpoint(finished(data, **before), tmp_path / "iter_2.pth", command)
    with raises(DIFFERS, rf"^`resume`: {path} .* {message} .* `load_from`$"):
        finished(data, resume=path, **now)
    assert finished(data, resume=path, **before).resume


@pytest.mark.slow
def test_a_loss_of_the_same_name_but_another_weight_is_shown_in_full(data, tmp_path):
    path = checkpoint(finished(data), tmp_path / "iter_2.pth")
    with raises(DIFFERS, r"with \[\{.*'loss_weight': 1.0.*, and would .*'loss_weight': 0.5.* without `loss`"):
        finished(data, [f"{LOSS}.loss_weight=0.5"], resume=path)


@pytest.mark.slow
def test_other_data_are_refused_and_the_same_data_in_another_folder_are_not(data, tmp_path):
    path = checkpoint(finished(data), tmp_path / "iter_2.pth", f"x.py --data {data}")
    other = draw(tmp_path / "other", first_class=1)
    with raises(DIFFERS, f" {data}, and .* {other}: .* with `data` {data},"):
        finished(other, resume=path)
    moved = tmp_path / "moved"
    shutil.move(data.parent, moved)
    assert finished(moved / "dataset.yaml", resume=path).resume
    content = yaml.safe_load((moved / "dataset.yaml").read_text())
    (moved / "dataset.yaml").write_text(yaml.safe_dump({**content, "classes": ["b", "a"]}))
    with raises(DIFFERS, "data of"):
        finished(moved / "dataset.yaml", resume=path)


@pytest.mark.slow
def test_other_settings_may_change(data, tmp_path):
    path = checkpoint(finished(data, loss="dice", class_weight="auto", rare_crops=0.5), tmp_path / "iter_2.pth")
    options = [
        "train_cfg.max_iters=9",
        "train_cfg.val_interval=3",
        "train_dataloader.num_workers=0",
        "train_dataloader.persistent_workers=False",
        "val_dataloader.batch_size=2",
        "default_hooks.logger.interval=7",
    ]
    cfg = load_config(CONFIG, options, work_dir=tmp_path / "elsewhere", data=data)
    cfg.val_dataloader.dataset.split = "train"
    flags = dict(loss="dice", class_weight="auto", rare_crops=0.5, val_loss=True, early_stop=3)
    assert for_training(cfg, resume=path, check=False, **flags).resume


@pytest.mark.parametrize(
    ("options", "rare_crops", "name"),
    [
        (["train_dataloader.dataset.pipeline.3.crop_size=(32,96)"], 0.5, "RareClassCrop.crop_size 64x64, .* 32x96"),
        (["val_dataloader.dataset.pipeline.1.scale=(32,16)"], None, "Resize.scale 16x8, .* Resize.scale 32x16"),
    ],
)
def test_other_sizes_are_refused_and_the_options_keep_the_old_ones(data, tmp_path, options, rare_crops, name):
    flags = {} if rare_crops is None else {"rare_crops": rare_crops}
    command = "" if rare_crops is None else "--rare-crops 0.5"
    path = checkpoint(finished(data, **flags), tmp_path / "iter_2.pth", command)
    with raises(DIFFERS, rf"with {name}: resume it with `cfg_options` ") as caught:
        finished(data, options, resume=path, **flags)
    kept = shlex.split(str(caught.value).partition("`cfg_options` ")[2].partition(", or start")[0])
    assert finished(data, [*options, *kept], resume=path, **flags).resume


def test_pictures_that_were_added_do_not_change_the_sizes_of_a_resumed_run(data, tmp_path):
    before = finished(data)
    path = checkpoint(before, tmp_path / "iter_2.pth")
    for number in range(5):
        Image.new("RGB", (256, 128)).save(data.parent / f"images/9{number}.png")
        Image.new("L", (256, 128)).save(data.parent / f"masks/9{number}.png")
    with raises(DIFFERS, "RandomResize.scale 16x8, .* RandomResize.scale 256x128") as caught:
        finished(data, resume=path)
    kept = shlex.split(str(caught.value).partition("`cfg_options` ")[2].partition(", or start")[0])
    resumed = finished(data, kept, resume=path)
    for name in ("train_dataloader", "val_dataloader"):
        pipelines = [inner_datasets(cfg[name].dataset)[0].pipeline for cfg in (before, resumed)]
        assert pipelines[0] == pipelines[1]
    assert before.model.to_dict() == resumed.model.to_dict()


def test_the_processes_may_change_and_the_images_of_a_step_only_if_it_is_said(data, tmp_path):
    one, two = "train_dataloader.batch_size=1", "train_dataloader.batch_size=2"
    path = checkpoint(finished(data, [two]), tmp_path / "iter_2.pth", num_processes=2)
    words = (
        r"with 4 images in a step \(2 x 2\), .* with 2 \(1 x 2\), at another place .* with `cfg_options` {} \({} acc"
    )
    cfg = load_config(CONFIG, work_dir=tmp_path / "run", data=data)
    cfg.train_dataloader.batch_size = 2
    with raises(DIFFERS, words.format("train_dataloader.batch_size=4", two)):
        for_training(cfg, check=False, resume=path)
    assert finished(data, ["train_dataloader.batch_size=4"], resume=path).resume
    assert for_training(cfg, check=False, resume=path, cfg_options=[two]).resume  # said, so it is wanted
    odd = checkpoint(finished(data, [one]), tmp_path / "iter_3.pth", num_processes=3)
    cfg.launcher = "pytorch"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        with raises(DIFFERS, r"with 3 .* \(3 x 1\), .* 4 \(2 x 2\), .*: resume it in 3 processes \(train"):
            for_training(cfg, check=False, resume=odd)


def test_a_checkpoint_without_a_description_is_continued(data, tmp_path):
    torch.save({"meta": {}, "state_dict": {}, "optimizer": {}, "message_hub": {}}, tmp_path / "iter_2.pth")
    assert finished(data, resume=str(tmp_path / "iter_2.pth"), loss="dice").resume
