"""Regions of interest: outside of them every reader of train ids gets 255."""

import numpy as np
import pytest
import yaml
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from PIL import Image

import semseg.plugins  # noqa: F401
from semseg.cli.groups import data
from semseg.config.parts_to_pack import parts_of_dataset_file
from semseg.datasets.class_counts import DatasetFileLoader, count_train_ids
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.labelled_dataset import FolderSegDataset
from semseg.datasets.packed.packing import pack_split
from semseg.datasets.pairs import find_pairs
from semseg.datasets.rare_class_crops import RareClassDataset
from semseg.datasets.roi import read_roi
from semseg.datasets.samples import from_dataset_file
from semseg.datasets.seeded import SeededDataset
from semseg.datasets.statistics import count_dataset_file
from semseg.datasets.transforms import LoadTrainIds
from semseg.errors import InvalidDataError
from tests.conftest import raises

SIZE = (6, 8)  # height, width
LOADERS = [dict(type="LoadPhotograph"), dict(type="LoadTrainIds")]


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    init_default_scope("mmseg")


def write_set(root, num_images=3, kind="L", **more):
    """Write a set whose regions of interest are the lower part, one row less in each picture."""
    numbers = np.random.default_rng(0)
    for i in range(num_images):
        inside = np.zeros(SIZE, np.uint8)
        inside[i + 1 :] = 255
        pictures = {
            "images": Image.fromarray(numbers.integers(0, 256, (*SIZE, 3), np.uint8)),
            "masks": Image.fromarray(numbers.integers(0, 2, SIZE, np.uint8)),
            "roi": Image.fromarray(inside).convert(kind),
        }
        for name, picture in pictures.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            picture.save(root / name / f"{i}.png")
    splits = {"train": {"images": "images", "masks": "masks", "roi": "roi"}}
    content = {"splits": splits, "encoding": "ids", "classes": ["ground", "vessel"]}
    (root / "dataset.yaml").write_text(yaml.safe_dump(content | more))
    return root / "dataset.yaml"


def expected(root, i):
    train_ids = np.array(Image.open(root / f"masks/{i}.png"))
    train_ids[: i + 1] = 255
    return train_ids


@pytest.mark.parametrize("kind", ["L", "1", "RGB", "I;16", "P"])
def test_zero_is_outside_in_every_kind_of_mask(tmp_path, kind):
    values = np.zeros(SIZE, np.uint8)
    values[2:] = 255
    values[3:] = 1 if kind == "L" else 255
    image = Image.fromarray(values.astype(np.uint16) * 200 if kind == "I;16" else values)
    if kind == "P":
        image = Image.fromarray((values > 0).astype(np.uint8))
        image.putpalette([4, 2, 4, 252, 254, 252])
    elif kind != "I;16":
        image = image.convert(kind)
    image.save(tmp_path / "roi.png")
    assert read_roi(tmp_path / "roi.png").tolist() == (values > 0).tolist()


def test_regions_that_cannot_be_read_surely_are_refused(tmp_path):
    white_first = Image.fromarray(np.zeros(SIZE, np.uint8))
    white_first.putpalette([255, 255, 255, 0, 0, 0])
    for name, image in (
        ("a.png", white_first),
        ("b.jpg", Image.new("L", (4, 4))),
        ("c.png", Image.new("RGBA", (4, 4))),
    ):
        image.save(tmp_path / name)
        with pytest.raises(InvalidDataError, match=name) as raised:
            read_roi(tmp_path / name)
        assert raised.value.code == "E-data-encoding"


def test_training_and_browsing_ignore_what_is_outside(tmp_path):
    path = write_set(tmp_path)
    dataset = FolderSegDataset(str(path), "train", pipeline=LOADERS)
    assert [dataset[i]["gt_seg_map"].tolist() for i in range(3)] == [expected(tmp_path, i).tolist() for i in range(3)]
    samples = from_dataset_file(path, "train", 3).samples
    assert [sample.train_ids.tolist() for sample in samples] == [expected(tmp_path, i).tolist() for i in range(3)]


@pytest.mark.parametrize("unlabelled", [None, "ground"])
def test_counts_from_facts_are_those_of_the_loader(tmp_path, unlabelled):
    more = {"unlabelled": unlabelled} if unlabelled else {}
    path = write_set(tmp_path, **more)
    Image.new("L", SIZE[::-1]).save(tmp_path / "roi/0.png")  # nothing inside
    if unlabelled:
        (tmp_path / "masks/1.png").unlink()
    dataset = FolderSegDataset(str(path), "train", pipeline=LOADERS)
    loaded = np.stack([np.bincount(dataset[i]["gt_seg_map"].ravel(), minlength=256) for i in range(3)])
    infos = [dataset.get_data_info(i) for i in range(3)]
    for loader in (LoadTrainIds(), DatasetFileLoader(path)):
        for _ in range(2):  # read, and from the cache
            assert np.array_equal(count_train_ids(loader, infos), loaded)
    counts = count_dataset_file(path, "train")
    assert counts.ignored == loaded[:, 255].sum() and counts.pixels.tolist() == loaded[:, :2].sum(axis=0).tolist()


def test_a_region_that_changed_is_counted_again(tmp_path):
    path = write_set(tmp_path)
    before = count_dataset_file(path, "train").ignored
    Image.new("L", SIZE[::-1], 1).save(tmp_path / "roi/2.png")
    assert count_dataset_file(path, "train").ignored == before - 3 * SIZE[1]


def test_crops_around_a_rare_class_see_only_what_is_inside(tmp_path):
    path = write_set(tmp_path)
    masks = np.zeros((3, *SIZE), np.uint8)
    masks[0, 0, 0] = masks[1, 5, 5] = 1  # the first one is outside
    for i, mask in enumerate(masks):
        Image.fromarray(mask).save(tmp_path / f"masks/{i}.png")
    dataset = FolderSegDataset(str(path), "train", pipeline=LOADERS)
    wrapped = RareClassDataset(dataset, share=1, min_pixels=1)
    assert wrapped._holders[1].tolist() == [1]


def test_a_region_of_another_size_is_refused(tmp_path):
    path = write_set(tmp_path)
    Image.new("L", (5, 4), 1).save(tmp_path / "roi/1.png")
    dataset = FolderSegDataset(str(path), "train", pipeline=LOADERS)
    with raises("E-data-size", r"roi/1\.png is 5x4, .*masks/1\.png is 8x6"):
        dataset[1]


def test_every_photograph_needs_its_region(tmp_path):
    path = write_set(tmp_path)
    (tmp_path / "roi/1.png").unlink()
    with raises("E-data-pairs", r"1 images have no region of interest, first .*images/1\.png"):
        FolderSegDataset(str(path), "train")


def test_a_loader_that_would_not_see_the_regions_is_refused(tmp_path):
    with raises("E-config-unsupported", "LoadAnnotations does not read"):
        FolderSegDataset(str(write_set(tmp_path)), "train", pipeline=[LOADERS[0], dict(type="LoadAnnotations")])


def test_a_packed_set_holds_the_regions_and_notices_that_they_changed(tmp_path):
    path = write_set(tmp_path / "set")

    def pack():
        return pack_split(parts_of_dataset_file(path, "train"), "train", tmp_path / "packed")

    def training_set():
        inner = FolderSegDataset(str(path), "train", pipeline=[*LOADERS, dict(type="PackSegInputs")])
        return SeededDataset(inner, False, str(tmp_path / "packed"))

    assert pack().is_new and not pack().is_new
    target = training_set()[1]["data_samples"].gt_sem_seg.data[0].numpy()
    assert target.tolist() == expected(tmp_path / "set", 1).tolist()
    Image.fromarray(np.ones(SIZE, np.uint8)).save(tmp_path / "set/roi/1.png")
    with raises("E-data-packed", "1 pictures have changed.*region of interest"):
        training_set()
    assert pack().is_new
    content = yaml.safe_load(path.read_text())
    del content["splits"]["train"]["roi"]
    path.write_text(yaml.safe_dump(content))
    with raises("E-data-packed", "was packed with roi"):
        training_set()


def test_a_divided_set_keeps_its_regions(tmp_path):
    path = write_set(tmp_path / "set", 6)
    argv = ["split", str(path), "--fractions", "train=0.5", "val=0.5", "--group-by", "regex:[0-9]+"]
    assert data([*argv, "--out", str(tmp_path / "parted")]) == 0
    rules = read_dataset_file(tmp_path / "parted/dataset.yaml")
    pairs = [pair for split in ("train", "val") for pair in find_pairs(rules, split).pairs]
    assert sorted(pair.roi_path.resolve() for pair in pairs) == sorted((tmp_path / "set/roi").iterdir())
    dataset = FolderSegDataset(str(rules.path), "val", pipeline=LOADERS)
    for i in range(len(dataset)):
        number = int(dataset.get_data_info(i)["img_path"][-5])
        assert dataset[i]["gt_seg_map"].tolist() == expected(tmp_path / "set", number).tolist()


@pytest.mark.parametrize("suffix", [".gif", ".bmp"])
def test_masks_and_regions_may_be_gif_or_bmp_and_photographs_tiff(tmp_path, suffix):
    for name, value in (("masks", 255), ("roi", 255)):
        (tmp_path / name).mkdir()
        picture = np.zeros(SIZE, np.uint8)
        picture[2:] = value
        Image.fromarray(picture).save(tmp_path / name / f"1_{name}{suffix}")
    (tmp_path / "images").mkdir()
    Image.new("RGB", SIZE[::-1], (10, 20, 30)).save(tmp_path / "images/1.tif")
    content = {
        "splits": {"train": {"images": "images", "masks": "masks", "roi": "roi"}},
        "encoding": "ids",
        "classes": ["ground", "vessel"],
        "label_map": {255: "vessel"},
        "mask_suffix": f"_masks{suffix}",
        "roi_suffix": f"_roi{suffix}",
    }
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(content))
    dataset = FolderSegDataset(str(tmp_path / "dataset.yaml"), "train")
    results = Compose(LOADERS)(dataset.get_data_info(0))
    assert results["img"][0, 0].tolist() == [30, 20, 10]
    assert results["gt_seg_map"].tolist() == [[255] * 8] * 2 + [[1] * 8] * 4
