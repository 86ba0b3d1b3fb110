import shutil

import pytest
import yaml
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmseg.datasets import CityscapesDataset

from semseg.checkpoints.fingerprint import data_fingerprint
from semseg.datasets.labelled_dataset import FolderSegDataset


@pytest.fixture
def root(tmp_path):
    for city, number in (("a", 1), ("a", 2), ("b", 3)):
        for folder, suffix in (("leftImg8bit", "_leftImg8bit.png"), ("gtFine", "_gtFine_labelTrainIds.png")):
            path = tmp_path / "set" / folder / city / f"{number}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * number)
    return tmp_path / "set"


def dataset(root, **more):
    prefix = dict(img_path="leftImg8bit", seg_map_path="gtFine")
    return CityscapesDataset(data_root=str(root), data_prefix=prefix, pipeline=[], serialize_data=False, **more)


def test_the_same_set_elsewhere_has_the_same_fingerprint(root, tmp_path):
    fingerprint = data_fingerprint({"train": dataset(root)})
    assert fingerprint["images"] == {"train": 3}
    shutil.copytree(root, tmp_path / "deep/er/copy")
    assert data_fingerprint({"train": dataset(tmp_path / "deep/er/copy")}) == fingerprint


@pytest.mark.parametrize("change", ["add", "remove", "resize", "rename", "mask", "part", "split"])
def test_another_set_has_another_fingerprint(root, change):
    before = data_fingerprint({"train": dataset(root)})
    path, split, more = root / "leftImg8bit/a/1_leftImg8bit.png", "train", {}
    if change == "add":
        shutil.copy(path, root / "leftImg8bit/b/9_leftImg8bit.png")
    elif change == "remove":
        path.unlink()
    elif change == "resize":
        path.write_bytes(b"xy")
    elif change == "rename":
        path.rename(path.with_name("7_leftImg8bit.png"))
    elif change == "mask":
        (root / "gtFine/a/1_gtFine_labelTrainIds.png").write_bytes(b"xy")
    elif change == "part":
        more = dict(indices=2)
    else:
        split = "val"
    assert data_fingerprint({split: dataset(root, **more)})["sha256"] != before["sha256"]


def test_wrapped_datasets_have_the_same_fingerprint(root):
    plain = data_fingerprint({"train": dataset(root)})
    assert data_fingerprint({"train": RepeatDataset(dataset(root), 5)}) == plain
    twice = data_fingerprint({"train": ConcatDataset([dataset(root), dataset(root)])})
    assert twice["images"] == {"train": 6}


def test_a_set_that_lists_no_files_has_none():
    assert data_fingerprint({"train": [1, 2]})["images"] == {"train": 0}


def test_regions_of_interest_belong_to_the_fingerprint(tmp_path):
    for name in ("images", "masks", "roi"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"x")
    splits = {"train": {"images": "images", "masks": "masks", "roi": "roi"}}
    path = tmp_path / "dataset.yaml"
    path.write_text(yaml.safe_dump({"splits": splits, "encoding": "ids", "classes": ["a", "b"]}))
    before = data_fingerprint({"train": FolderSegDataset(str(path), "train")})
    assert before["rois"] == 1
    (tmp_path / "roi/1.png").write_bytes(b"xy")
    assert data_fingerprint({"train": FolderSegDataset(str(path), "train")})["sha256"] != before["sha256"]
