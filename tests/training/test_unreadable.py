"""Files that turn bad while a training runs: they are named, replaced, and too many stop the run with a checkpoint."""

import os
import shutil

import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from semseg.config import load_config
from semseg.datasets.seeded import UNREADABLE, Draw, SeededDataset
from tests.conftest import CONFIG, SHORT, raises, run


@pytest.fixture
def dataset(town, tmp_path, monkeypatch):
    """The eight training samples of a copy of the town, in the current folder."""
    shutil.copytree(town / "data/toycity", tmp_path / "data/toycity")
    monkeypatch.chdir(tmp_path)
    init_default_scope("mmseg")
    return SeededDataset(DATASETS.build(load_config(CONFIG).train_dataloader.dataset))


def draw(index):
    drawn = Draw(index)
    drawn.key = (0, 100 + index)
    return drawn


def paths_of(dataset):
    return [dataset.get_data_info(i)["img_path"] for i in range(len(dataset))]


def test_the_next_sample_that_can_be_read_takes_the_place_and_says_why(dataset):
    paths = paths_of(dataset)
    assert UNREADABLE not in dataset[draw(0)]["data_samples"]
    for index in (6, 7):
        os.truncate(paths[index], 3000)
    replaced = dataset[draw(6)]["data_samples"]
    assert replaced.img_path == paths[0]
    assert replaced.get(UNREADABLE) == [f"{paths[index]}: not a readable image" for index in (6, 7)]
    twice = [dataset[draw(6)]["inputs"] for _ in range(2)]
    assert torch.equal(*twice)  # a resumed run draws the same


def test_without_a_picture_that_can_be_read_the_first_one_of_the_process_takes_the_place(dataset, tmp_path):
    with_masks_gone = dataset[draw(2)]
    shutil.rmtree(tmp_path / "data/toycity/leftImg8bit")
    replaced = dataset[draw(5)]
    assert torch.equal(replaced["inputs"], with_masks_gone["inputs"])
    assert len(replaced["data_samples"].get(UNREADABLE)) == 4
    assert UNREADABLE not in with_masks_gone["data_samples"]
    fresh = SeededDataset(dataset.dataset)
    with raises("E-data-missing", "^no image .*_leftImg8bit.png"):
        fresh[draw(5)]


def test_masks_with_wrong_values_are_not_replaced(dataset):
    dataset[draw(0)]
    info = dataset.get_data_info(3)
    shutil.copy(info["seg_map_path"].replace("labelTrainIds", "labelIds"), info["seg_map_path"])
    with raises("E-data-mask-values", "holds values outside 0..18 and 255"):
        dataset[draw(3)]


DAMAGE = """
import shutil
from pathlib import Path
from mmengine.hooks import IterTimerHook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class DamagingHook(IterTimerHook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        super().before_train_iter(runner, batch_idx, data_batch)
        photographs = Path("data/toycity/leftImg8bit/train")
        if runner.iter == 1 and runner.rank == 0:
            {damage}
"""


def train(folder, damage, num_processes, *options, code=0):
    (folder / "damage.py").write_text(DAMAGE.format(damage=damage))
    command = ["train.py", CONFIG] if num_processes == 1 else ["dist_train.sh", CONFIG, num_processes]
    return run(
        folder, *command, "--work-dir", "run", "--seed", 0, "--plugin", "damage.py", *options, *SHORT,
        "default_hooks.timer.type=DamagingHook", "train_cfg.max_iters=20", "train_cfg.val_interval=20",
        "default_hooks.checkpoint.interval=100", code=code,
    )  # fmt: skip


@pytest.mark.slow
def test_a_training_names_a_picture_that_turns_bad_and_goes_on(dataset, tmp_path):
    path = paths_of(dataset)[3]
    done = train(tmp_path, f"Path({path!r}).write_bytes(b'')", 1)
    assert done.stdout.count(f"{path}: not a readable image (the file is empty); another sample takes its place") == 1
    assert "files that could not be read: 1, samples that others replaced: " in done.stdout
    assert (tmp_path / "run/iter_20.pth").is_file()


@pytest.mark.slow
def test_a_training_whose_pictures_are_gone_saves_and_stops_in_all_processes_and_can_be_resumed(dataset, tmp_path):
    done = train(tmp_path, "photographs.rename('gone')", 2, code=3)
    assert "Traceback" not in done.stderr
    assert done.stderr.count("too many files cannot be read (see the warnings) after iteration ") == 1
    (saved,) = (tmp_path / "run").glob("iter_*.pth")
    assert saved.name in done.stderr
    (tmp_path / "gone").rename(tmp_path / "data/toycity/leftImg8bit/train")
    done = train(tmp_path, "pass", 2, "--resume")
    assert f"resumed epoch: 0, iter: {saved.stem[5:]}" in done.stdout
    assert (tmp_path / "run/iter_20.pth").is_file()
