import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

import semseg.plugins  # noqa: F401
from tests.conftest import REPO, raises


@pytest.fixture(autouse=True)
def names_are_those_of_mmsegmentation():
    init_default_scope("mmseg")  # as every run does; other tests may have set it or not


def write_set(folder, num_images=3, **more):
    """A drawn set of two classes; returns its dataset.yaml."""
    random = np.random.default_rng(0)
    for i in range(num_images):
        for part, shape in (("photos/city", (8, 12, 3)), ("masks/city", (8, 12))):
            (folder / part).mkdir(parents=True, exist_ok=True)
            array = random.integers(0, 2 if len(shape) == 2 else 256, shape, np.uint8)
            Image.fromarray(array).save(folder / part / f"{i}.png")
    content = {
        "splits": {"train": {"images": "photos", "masks": "masks"}},
        "encoding": "ids",
        "classes": [{"name": "road", "color": [1, 2, 3]}, {"name": "grass", "color": [4, 5, 6]}],
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content | more))
    return str(folder / "dataset.yaml")


def build(dataset_file, split="train", **more):
    return DATASETS.build({"type": "FolderSegDataset", "dataset_file": dataset_file, "split": split, **more})


def test_a_dataset_file_becomes_a_dataset(tmp_path):
    pipeline = [
        {"type": "LoadImageFromFile"},
        {"type": "LoadTrainIds"},
        {"type": "PackSegInputs"},
    ]
    dataset = build(write_set(tmp_path), pipeline=pipeline)
    assert dataset.metainfo["classes"] == ("road", "grass")
    assert dataset.metainfo["palette"] == [[1, 2, 3], [4, 5, 6]]
    assert [dataset.get_data_info(i)["seg_map_path"] for i in range(len(dataset))] == [
        str(tmp_path / f"masks/city/{i}.png") for i in range(3)
    ]
    sample = pickle.loads(pickle.dumps(dataset))[1]  # as in a loader's process
    truth = np.asarray(Image.open(tmp_path / "masks/city/1.png"))
    assert (sample["data_samples"].gt_sem_seg.data[0].numpy() == truth).all()
    assert sample["inputs"].shape == (3, 8, 12)


def test_results_are_named_below_the_folder_of_the_images(tmp_path):
    from semseg.datasets.built_sets import names_of_set

    dataset = build(write_set(tmp_path))
    assert sorted(str(name) for name in names_of_set(dataset).values()) == ["city/0", "city/1", "city/2"]


def test_the_root_may_be_given_elsewhere(tmp_path):
    dataset_file = write_set(tmp_path / "here", root="nowhere")
    assert len(build(dataset_file, data_root=str(tmp_path / "here"), indices=2)) == 2


def test_an_image_without_mask_is_refused_with_the_way_out(tmp_path):
    dataset_file = write_set(tmp_path)
    (tmp_path / "masks/city/1.png").unlink()
    with raises("E-data-pairs", r"1 of 3 images .*1\.png"):
        build(dataset_file)


def test_a_mask_without_image_is_left_out(tmp_path):
    dataset_file = write_set(tmp_path)
    (tmp_path / "photos/city/1.png").unlink()
    assert len(build(dataset_file)) == 2


def test_a_missing_split_or_file_is_named(tmp_path):
    dataset_file = write_set(tmp_path)
    with raises("E-data-split", r"dataset\.yaml .*'test', only train"):
        build(dataset_file, "test")
    with raises("E-data-missing", r"other\.yaml"):
        build(str(tmp_path / "other.yaml"))


@pytest.mark.slow
def test_suim_is_read_as_its_authors_read_it(tmp_path):
    shutil.copytree(REPO / "configs/datasets", tmp_path / "configs/datasets")
    root = tmp_path / "data/suim"
    random = np.random.default_rng(0)
    stored = random.integers(0, 256, (48, 64, 3), np.uint8)  # every colour, not only the eight
    for split in ("train_val", "TEST"):
        for folder in ("images", "masks"):
            (root / split / folder).mkdir(parents=True)
        Image.fromarray(stored).save(root / split / "images/d_r_1_.jpg")
        Image.fromarray(stored).save(root / split / "masks/d_r_1_.bmp")
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "LoadTrainIds"}]
    for split in ("train", "test"):
        dataset = build(str(tmp_path / "configs/datasets/suim.yaml"), split, pipeline=pipeline)
        assert Path(dataset.get_data_info(0)["img_path"]).is_relative_to(root)
        bits = stored / 255 > 0.5  # as their code does
        assert (dataset[0]["gt_seg_map"] == bits @ [4, 2, 1]).all()
