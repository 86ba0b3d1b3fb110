"""Which model judges which picture."""

import shutil
from pathlib import Path

import pytest

from semseg.analysis.suspects.held_out import read_judges, seen_in_training, share_pictures
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.pairs import find_pairs
from tests.conftest import raises


@pytest.fixture
def pairs(labelled_set):
    rules = read_dataset_file(labelled_set / "dataset.yaml")
    return [pair for split in ("train", "val") for pair in find_pairs(rules, split).pairs]


@pytest.fixture
def folds(labelled_set, tmp_path):
    """The work folders of two folds: a list of pairs with names relative to the set, and names relative to the list."""
    for number, lines in ((1, "image,mask\nphotos/train/0.png\nphotos/val/2.png,masks/val/2.png\n"), (2, "own.png\n")):
        folder = tmp_path / f"fold_{number}"
        folder.mkdir()
        (folder / "held_out.txt").write_text(lines)
        (folder / "best.pth").symlink_to(labelled_set / "best.pth")
    (tmp_path / "fold_2/own.png").symlink_to(labelled_set / "photos/train/1.png")
    return tmp_path


def names(shares):
    return [[pair.image_path.name for pair in share] for share in shares]


def test_one_checkpoint_judges_all_pictures(labelled_set, pairs):
    judges = read_judges([str(labelled_set / "best.pth")], labelled_set)
    shares, num_left = share_pictures(judges, pairs)
    assert (names(shares), num_left) == ([["0.png", "1.png", "2.png", "3.png"]], 0)


def test_each_fold_judges_the_pictures_that_it_has_not_seen(labelled_set, folds, pairs):
    judges = read_judges([str(folds)], labelled_set)
    assert [judge.checkpoint for judge in judges] == [folds / "fold_1/best.pth", folds / "fold_2/best.pth"]
    shares, num_left = share_pictures(judges, pairs)
    assert (names(shares), num_left) == ([["0.png", "2.png"], ["1.png"]], 1)


def test_checkpoints_with_lists_are_the_same_as_a_folder_of_folds(labelled_set, folds):
    words = [f"{folds}/fold_{number}/best.pth={folds}/fold_{number}/held_out.txt" for number in (1, 2)]
    assert read_judges(words, labelled_set) == read_judges([str(folds)], labelled_set)


def test_what_is_missing_is_named(labelled_set, folds, tmp_path):
    checkpoint = labelled_set / "best.pth"
    with raises("E-input-value", "several checkpoints need a list each"):
        read_judges([str(checkpoint), str(folds)], labelled_set)
    with raises("E-input-missing", r"no finished fold in .*; expected the work folder of train --folds"):
        read_judges([str(labelled_set)], labelled_set)
    with raises("E-checkpoint-missing", "no checkpoint nowhere.pth"):
        read_judges(["nowhere.pth"], labelled_set)
    list_path = tmp_path / "list.txt"
    list_path.write_text("photos/val/2.png\nphotos/val/9.png\n")
    with raises("E-input-list", "list.txt line 2: no image photos/val/9.png"):
        read_judges([f"{checkpoint}={list_path}"], labelled_set)
    list_path.write_text("\n")
    with raises("E-input-list", "names no picture"):
        read_judges([f"{checkpoint}={list_path}"], labelled_set)


def test_lists_of_other_pictures_are_refused(labelled_set, folds, pairs):
    judges = read_judges([f"{labelled_set}/best.pth={folds}/fold_2/held_out.txt"], labelled_set)
    with raises("E-input-none-left", "none of the 2 pictures"):
        share_pictures(judges, pairs[2:])


def described(**dataset):
    return {"config": {"train_dataloader": {"dataset": {"type": "RepeatDataset", "times": 2, "dataset": dataset}}}}


def test_pictures_of_the_training_are_known_from_the_description(labelled_set, pairs):
    file = dict(type="FolderSegDataset", dataset_file=str(labelled_set / "dataset.yaml"), split="train")
    assert [path.name for path in seen_in_training(described(**file), pairs)] == ["0.png", "1.png"]
    assert [path.name for path in seen_in_training(described(**file, indices=[1]), pairs)] == ["1.png"]
    folder = dict(type="CityscapesDataset", data_root=str(labelled_set), data_prefix={"img_path": "photos/val"})
    assert [path.name for path in seen_in_training(described(**folder), pairs)] == ["2.png", "3.png"]


def test_nothing_is_claimed_of_files_that_are_not_here(labelled_set, pairs, tmp_path):
    moved = shutil.copy(labelled_set / "dataset.yaml", tmp_path)
    for path in (Path(moved), tmp_path / "missing.yaml"):
        file = dict(type="FolderSegDataset", dataset_file=str(path), split="train")
        assert seen_in_training(described(**file), pairs) == []
    assert seen_in_training({}, pairs) == []
