"""Counting the train ids of masks: by the facts that the check before a run keeps, or by reading."""

import gzip
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import yaml
from mmseg.datasets.transforms import LoadAnnotations
from PIL import Image

from semseg.checks.dataset import check_dataset_file
from semseg.datasets import class_counts
from semseg.datasets.class_counts import DatasetFileLoader, count_train_ids
from semseg.datasets.transforms import LoadTrainIds
from semseg.system.cache_folder import cache_dir
from tests.conftest import raises

MASKS = [[0, 0, 1, 255], [2, 2, 2, 2], [255, 255, 255, 255]]
COUNTS = [{0: 2, 1: 1, 255: 1}, {2: 4}, {255: 4}]


@pytest.fixture
def infos(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    paths = [tmp_path / f"{number}.png" for number in range(len(MASKS))]
    for path, mask in zip(paths, MASKS, strict=True):
        write(path, mask)
    return [dict(img_path=str(path), seg_map_path=str(path)) for path in paths]


def write(path, mask):
    Image.fromarray(np.array([mask], np.uint8)).save(path)


def count(infos, loader=None, **options):
    """Return the pixels by train id of every mask, and how many masks were said to be read."""
    num_read = []
    histograms = count_train_ids(loader or LoadTrainIds(3), infos, on_read=num_read.append, **options)
    return [{int(i): int(row[i]) for i in np.flatnonzero(row)} for row in histograms], num_read


def test_only_masks_that_changed_are_read_again(infos):
    assert count(infos) == (COUNTS, [3])
    assert count(infos) == (COUNTS, [])
    write(infos[1]["seg_map_path"], [1] * 9)
    assert count(infos) == ([COUNTS[0], {1: 9}, COUNTS[2]], [1])
    os.utime(infos[0]["seg_map_path"], ns=(0, 0))
    assert count(infos)[1] == [1]
    assert count(infos[1:])[1] == []  # a part of the set
    assert count(infos * 2)[0] == [COUNTS[0], {1: 9}, COUNTS[2]] * 2  # a repeated set


def test_other_rules_need_no_other_reading(infos):
    assert count(infos) == (COUNTS, [3])
    mapped = [{**info, "label_map": {0: 1, 2: 0}} for info in infos]
    assert count(mapped) == ([{1: 3, 255: 1}, {0: 4}, {255: 4}], [])
    reduced = [{**info, "reduce_zero_label": True} for info in infos]
    assert count(reduced) == ([{0: 1, 255: 3}, {1: 4}, {255: 4}], [])


def test_masks_that_the_check_has_read_are_not_read_again(tmp_path, monkeypatch):
    data = write_set(tmp_path, monkeypatch, [Image.fromarray(np.array([mask], np.uint8)) for mask in MASKS])
    check_dataset_file(data, ["train"])
    assert count(infos_of(tmp_path), DatasetFileLoader(data)) == (COUNTS, [])


def draw(mode, values):
    image = Image.fromarray(np.array([values], np.uint8))
    if mode == "P":
        image.putpalette([channel for value in range(256) for channel in (value, 255 - value, 7)])
    if mode == "1":
        return image.point(lambda value: value * 255).convert("1")
    if mode in ("RGB", "RGBA"):
        colors = np.array([[(10 * value, 20, 30) for value in values]], np.uint8)
        return Image.fromarray(colors).convert(mode)
    return image.convert("I;16") if mode == "I;16" else image


def colored(*colors):
    return [dict(name=name, color=color) for name, color in zip("abc", colors, strict=True)]


@pytest.mark.parametrize(
    ("mode", "rules"),
    [
        ("L", dict(encoding="ids", classes=["a", "b", "c"])),
        ("L", dict(encoding="ids", classes=["a", "b", "c"], label_map={0: "c", 2: "ignore", 1: "b"})),
        ("P", dict(encoding="ids", classes=["a", "b", "c"])),
        ("P", dict(encoding="palette", classes=colored("#00ff07", "#01fe07", "#02fd07"))),
        ("1", dict(encoding="ids", classes=["a", "b", "c"])),
        ("I;16", dict(encoding="ids", classes=["a", "b", "c"])),
        ("RGB", dict(encoding="rgb", classes=colored("#00141e", "#0a141e", "#14141e"))),
        ("RGB", dict(encoding="rgb", classes=colored("#00141e", "#0a141e", "#12141e"), snap=3)),
        ("RGBA", dict(encoding="rgb", classes=colored("#00141e", "#0a141e", "#14141e"))),
    ],
)
def test_facts_give_the_counts_that_reading_gives(tmp_path, monkeypatch, mode, rules):
    values = [0, 0, 1, 1, 1, 0] if mode == "1" else [0, 2, 2, 1, 2, 0, 0]
    data = write_set(tmp_path, monkeypatch, [draw(mode, values), draw(mode, values[:3])], **rules)
    infos, loader = infos_of(tmp_path), DatasetFileLoader(data)
    read = [np.bincount(loader(info)["gt_seg_map"].ravel(), minlength=256) for info in infos]
    np.testing.assert_array_equal(count_train_ids(loader, infos), read)
    inside = [{**info, "dataset_file": str(data)} for info in infos]
    np.testing.assert_array_equal(count_train_ids(LoadTrainIds(), inside), read)


def test_mmsegmentations_loader_is_counted_alike(infos):
    reading = [{**info, "label_map": None, "reduce_zero_label": True} for info in infos]
    loader = LoadAnnotations(reduce_zero_label=True)
    expected = [
        np.bincount(loader({**info, "seg_fields": []})["gt_seg_map"].ravel(), minlength=256) for info in reading
    ]
    np.testing.assert_array_equal(count_train_ids(loader, reading), expected)


def test_a_loader_of_somebody_else_reads_every_mask(infos):
    class Halved:
        def __call__(self, info):
            return {"gt_seg_map": np.asarray(Image.open(info["seg_map_path"])) // 2}

    expected = [{0: 3, 127: 1}, {1: 4}, {127: 4}]
    assert [count(infos, Halved()) for _ in range(2)] == [(expected, [3])] * 2


def test_a_wrong_mask_is_named_with_its_true_number_of_pixels(infos):
    write(infos[1]["seg_map_path"], [0, 7, 7, 7])
    for _ in range(2):
        with raises("E-data-mask-values", r"1\.png .*\{7: 3 px\}"):
            count(infos)


def test_images_without_a_mask_count_as_the_class_unlabelled(tmp_path, monkeypatch):
    data = write_set(tmp_path, monkeypatch, [draw("L", [0, 1, 1]), draw("L", [0])], unlabelled="b")
    infos = infos_of(tmp_path)
    infos[1]["seg_map_path"] = None
    assert count(infos, DatasetFileLoader(data))[0] == [{0: 1, 1: 2}, {1: 1}]


def test_rules_that_are_edited_hold_from_the_next_mask_on(tmp_path, monkeypatch):
    data = write_set(tmp_path, monkeypatch, [draw("L", [0, 7, 7])], label_map={0: "a", 7: "a"})
    infos, loader = infos_of(tmp_path), DatasetFileLoader(data)
    inside = [{**infos[0], "dataset_file": str(data), "seg_fields": []}]
    assert count(infos, loader)[0] == [{0: 3}]
    assert LoadTrainIds()(dict(inside[0]))["gt_seg_map"].tolist() == [[0, 0, 0]]
    data.write_text(data.read_text().replace("7: a", "7: c"))
    os.utime(data, ns=(1, 1))  # on disks that tell seconds only, the edit has the time of the first writing
    assert count(infos, loader)[0] == [{0: 1, 2: 2}]
    assert LoadTrainIds()(dict(inside[0]))["gt_seg_map"].tolist() == [[0, 2, 2]]


def test_a_loader_of_mmsegmentation_that_reads_masks_otherwise_is_asked_for_every_mask(infos):
    loader = LoadAnnotations(imdecode_backend="cv2")
    reading = [{**info, "label_map": None, "reduce_zero_label": False} for info in infos]
    assert [count(reading, loader) for _ in range(2)] == [(COUNTS, [3])] * 2


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", gzip.compress(b"[1, 2]", mtime=0), gzip.compress(b'{"version": 0}', mtime=0)]
)
def test_a_damaged_cache_is_rewritten(infos, content):
    count(infos)
    (file,) = cache_dir().glob("check-*.json.gz")
    file.write_bytes(content)
    assert count(infos) == (COUNTS, [3])
    assert count(infos) == (COUNTS, [])


def test_without_a_writable_cache_masks_are_counted_every_time(infos, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "file/cache"))
    assert [count(infos) for _ in range(2)] == [(COUNTS, [3])] * 2


def test_only_one_of_several_processes_reads_the_masks(infos, monkeypatch):
    stock = class_counts.read_mask_facts

    def read(path):
        with Path(path).with_suffix(".txt").open("a") as file:  # one line per reading
            file.write("read\n")
        return stock(path)

    monkeypatch.setattr(class_counts, "read_mask_facts", read)  # the processes are forks
    with multiprocessing.get_context("fork").Pool(3) as pool:
        results = pool.map(count, [infos] * 3)
    assert [counts for counts, _ in results] == [COUNTS] * 3
    assert sorted(num_read for _, num_read in results) == [[], [], [3]]
    assert [Path(info["img_path"]).with_suffix(".txt").read_text() for info in infos] == ["read\n"] * 3


def write_set(root, monkeypatch, masks, **rules):
    monkeypatch.setenv("SEMSEG_CACHE", str(root / "cache"))
    for name in ("images", "masks"):
        (root / name).mkdir()
    for number, mask in enumerate(masks):
        Image.new("RGB", mask.size).save(root / f"images/{number}.png")
        mask.save(root / f"masks/{number}.png")
    content = {"splits": {"train": {"images": "images", "masks": "masks"}}, "encoding": "ids", "classes": list("abc")}
    (root / "dataset.yaml").write_text(yaml.safe_dump({**content, **rules}))
    return root / "dataset.yaml"


def infos_of(root):
    paths = sorted((root / "images").iterdir())
    return [dict(img_path=str(path), seg_map_path=str(root / "masks" / path.name)) for path in paths]
