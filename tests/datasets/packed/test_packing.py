"""Packed sets: what is written is read, and nothing else is."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from mmengine.dataset import Compose
from PIL import Image

import semseg.plugins  # noqa: F401
from bench.disk_faults import Failing
from bench.system_calls import is_supported, watch
from semseg.cli.groups import data
from semseg.cli.program import run_tool
from semseg.config.parts_to_pack import parts_of_dataset_file
from semseg.datasets.labelled_dataset import FolderSegDataset
from semseg.datasets.packed.loading import LoadPacked
from semseg.datasets.packed.packing import pack_split
from semseg.datasets.packed.store import PackedSplit
from semseg.datasets.seeded import UNREADABLE, Draw, SeededDataset
from semseg.system.claims import take_claim
from tests.conftest import raises

SIZES = [(300, 520), (256, 256), (257, 1), (40, 700), (90, 130)]  # height, width
STEPS = [
    dict(type="RandomResize", scale=(400, 300), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=(96, 128), cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PhotoMetricDistortion"),
    dict(type="PackSegInputs"),
]
LOADERS = [dict(type="LoadPhotograph"), dict(type="LoadTrainIds")]


def write_set(root, sizes=SIZES, **rules):
    numbers = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for i, (height, width) in enumerate(sizes):
        Image.fromarray(numbers.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(root / f"images/{i}.png")
        values = numbers.integers(0, 3, (height, width), dtype=np.uint8)
        values[: height // 3] = 255
        Image.fromarray(values).save(root / f"masks/{i}.png")
    content = {"splits": {"train": {"images": "images", "masks": "masks"}}, "encoding": "ids", "classes": list("abc")}
    (root / "dataset.yaml").write_text(yaml.safe_dump(content | rules))
    return root / "dataset.yaml"


def pack(dataset_file, folder, **kwargs):
    return pack_split(parts_of_dataset_file(dataset_file, "train"), "train", folder, **kwargs)


def training_set(dataset_file, packed=None, steps=STEPS, fast=True):
    inner = FolderSegDataset(str(dataset_file), "train", pipeline=[*LOADERS, *steps])
    return SeededDataset(inner, fast, None if packed is None else str(packed))


def take(dataset, index, number=0):
    draw = Draw(index)
    draw.key = (0, number)
    return dataset[draw]


@pytest.fixture
def town_file(tmp_path):
    return write_set(tmp_path / "town")


def test_pictures_and_masks_are_read_as_they_were(town_file, tmp_path):
    packed = pack(town_file, tmp_path / "packed", num_processes=2)
    assert packed.num_pictures == len(SIZES) and packed.is_new
    stored = PackedSplit(tmp_path / "packed", "train")
    loader = Compose(LOADERS)
    dataset = FolderSegDataset(str(town_file), "train")
    for i in range(len(SIZES)):
        results = loader(dataset.get_data_info(i))
        for picture, expected in zip(stored.picture(i), (results["img"], results["gt_seg_map"]), strict=True):
            assert picture.shape == expected.shape
            for part in (np.s_[:, :], np.s_[200:290, 250:260], np.s_[255:257, :1], np.s_[10:11, 3:900]):
                assert np.array_equal(picture[part], expected[part])
    assert stored.num_bytes == (tmp_path / "packed/train.tiles").stat().st_size == packed.num_bytes


def test_a_training_gets_the_same_samples_as_from_the_files(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    files, packed = training_set(town_file), training_set(town_file, tmp_path / "packed")
    assert isinstance(packed.dataset.pipeline.transforms[0], LoadPacked)
    for number in range(30):
        index = number % len(SIZES)
        expected, sample = take(files, index, number), take(packed, index, number)
        assert np.array_equal(sample["inputs"], expected["inputs"])
        assert np.array_equal(sample["data_samples"].gt_sem_seg.data, expected["data_samples"].gt_sem_seg.data)
        assert sample["data_samples"].metainfo == expected["data_samples"].metainfo


@pytest.mark.parametrize("fast", [True, False])
def test_without_scaling_and_crop_whole_pictures_are_read(town_file, tmp_path, fast):
    pack(town_file, tmp_path / "packed")
    steps = [dict(type="PackSegInputs")]
    for index in range(len(SIZES)):
        expected = take(training_set(town_file, None, steps), index)
        sample = take(training_set(town_file, tmp_path / "packed", steps, fast), index)
        assert np.array_equal(sample["inputs"], expected["inputs"])


def test_a_set_that_was_packed_is_not_packed_again(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    before = (tmp_path / "packed/train.tiles").stat().st_mtime_ns
    again = pack(town_file, tmp_path / "packed")
    assert not again.is_new and again.num_pictures == len(SIZES)
    assert (tmp_path / "packed/train.tiles").stat().st_mtime_ns == before


def test_changed_files_are_refused_and_packed_again(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    mask_path = town_file.parent / "masks/1.png"
    os.utime(mask_path)  # copied: the same content at another time
    training_set(town_file, tmp_path / "packed")
    Image.fromarray(np.zeros((256, 256), np.uint8)).save(mask_path)
    with raises("E-data-packed", r"1 pictures have changed .* first .*images/1.png or its mask: pack the set again"):
        training_set(town_file, tmp_path / "packed")
    assert pack(town_file, tmp_path / "packed").is_new
    (train_ids,) = take(training_set(town_file, tmp_path / "packed", []), 1)["gt_seg_map"][:1, :1]
    assert train_ids == 0


def test_other_pictures_are_refused(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    for folder in ("images", "masks"):
        shutil.copy(town_file.parent / folder / "0.png", town_file.parent / folder / "new.png")
    with raises("E-data-packed", r"1 of 6 photographs are not in the packed set .*, first .*images/new.png"):
        training_set(town_file, tmp_path / "packed")


def test_other_rules_are_refused(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    rules = yaml.safe_load(town_file.read_text())
    town_file.write_text(yaml.safe_dump(rules | {"label_map": {0: "b"}}))
    with raises("E-data-packed", "was packed with label_map .*, and the training has .*: pack the set again"):
        training_set(town_file, tmp_path / "packed")


def test_set_and_packed_set_may_move_together(tmp_path):
    town_file = write_set(tmp_path / "here/town")
    pack(town_file, tmp_path / "here/packed")
    shutil.copytree(tmp_path / "here", tmp_path / "there")  # keeps the times of change
    shutil.rmtree(tmp_path / "here")
    take(training_set(tmp_path / "there/town/dataset.yaml", tmp_path / "there/packed"), 0)


def test_a_packed_set_may_lie_elsewhere_than_its_files(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    shutil.move(tmp_path / "packed", tmp_path / "fast disk")
    take(training_set(town_file, tmp_path / "fast disk"), 0)


@pytest.mark.parametrize("position", [0.1, 0.5, 0.95])
def test_a_damaged_tile_is_noticed(town_file, tmp_path, position):
    pack(town_file, tmp_path / "packed")
    tiles = tmp_path / "packed/train.tiles"
    content = bytearray(tiles.read_bytes())
    content[int(len(content) * position)] ^= 1
    tiles.write_bytes(content)
    dataset = training_set(town_file, tmp_path / "packed", [])
    with raises("E-data-packed", r"packed is damaged, train.tiles at byte \d+: .*: pack it again"):
        for index in range(len(SIZES)):
            take(dataset, index)
    assert pack(town_file, tmp_path / "packed").is_new
    for index in range(len(SIZES)):
        take(training_set(town_file, tmp_path / "packed", []), index)


def test_a_packed_set_is_not_replaced_by_that_of_other_data(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    with raises("E-data-packed", "packed holds train of another data set, such as .*town/images/0.png; choose another"):
        pack(write_set(tmp_path / "other"), tmp_path / "packed")
    take(training_set(town_file, tmp_path / "packed"), 0)


def test_damaged_files_are_noticed(town_file, tmp_path):
    folder = tmp_path / "packed"
    pack(town_file, folder)
    tiles, index = (folder / "train.tiles").read_bytes(), (folder / "train.npz").read_bytes()
    (folder / "train.tiles").write_bytes(tiles[:-1])
    with raises("E-data-packed", "is damaged, train.tiles is not complete: pack it again"):
        PackedSplit(folder, "train")
    (folder / "train.npz").write_bytes(index[:-1])
    with raises("E-data-packed", "is damaged, train.npz is not the file that was written"):
        PackedSplit(folder, "train")
    (folder / "train.npz").unlink()
    with raises("E-data-packed", "is damaged, train.npz is not the file that was written"):
        PackedSplit(folder, "train")
    for content, message in (
        (json.dumps({"version": 99}), "was packed in format 99, and this version reads 2"),
        ("{", "pack.json is damaged .*: pack the set again"),
        ('{"version": 1, "splits": {"train": {}}}', "was packed in format 1, and this version reads 2: pack it again"),
        ('{"version": 2, "splits": {"train": {}}}', "pack.json does not describe train: pack it again"),
    ):
        (folder / "pack.json").write_text(content)
        with raises("E-data-packed", message):
            PackedSplit(folder, "train")
        assert pack(town_file, folder).is_new
        assert (folder / "train.tiles").read_bytes() == tiles
    with raises("E-data-packed", "is no packed set; make one with tools/dataset.py pack"):
        PackedSplit(town_file.parent, "train")


def test_two_processes_do_not_pack_to_one_folder(town_file, tmp_path):
    claimed = take_claim(tmp_path / "packed/pack.claim")
    message = "is being packed by another process; wait for its end, or choose another folder"
    with claimed, raises("E-data-packed", message):
        pack(town_file, tmp_path / "packed")
    assert pack(town_file, tmp_path / "packed").is_new


@pytest.mark.parametrize("color_type", ["grayscale", "unchanged"])
def test_photographs_that_are_not_rgb_are_refused(town_file, tmp_path, color_type):
    Image.new("LA", (256, 256)).save(town_file.parent / "images/1.png")
    loaders = [dict(type="LoadPhotograph", color_type=color_type), dict(type="LoadTrainIds")]
    parts = [FolderSegDataset(str(town_file), "train", pipeline=loaders)]
    with raises("E-data-image-kind", "a packed set has 8-bit RGB photographs, and masks of their size"):
        pack_split(parts, "train", tmp_path / "packed")


def test_photographs_of_neither_place_are_counted(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    shutil.move(tmp_path / "packed", tmp_path / "moved")
    other_file = write_set(tmp_path / "other")
    with raises("E-data-packed", "5 of 5 photographs are not in the packed set .*moved, first .*other/images/0.png"):
        training_set(other_file, tmp_path / "moved")


def test_a_split_that_is_not_packed_is_named(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    with raises("E-data-packed", "has no split val; it has train"):
        PackedSplit(tmp_path / "packed", "val")


def test_packing_that_was_interrupted_goes_on(town_file, tmp_path, monkeypatch):
    folder = tmp_path / "packed"

    class Interrupted(BaseException):
        pass

    def stop_after_two(done, total):
        if done == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        pack(town_file, folder, on_progress=stop_after_two)
    with raises("E-data-packed", "its packing was interrupted: run the same command again"):
        PackedSplit(folder, "train")
    with (folder / "train.partial").open("ab") as tiles:  # of a picture that has no line yet
        tiles.write(b"torn")
    counts = []
    pack(town_file, folder, on_progress=lambda done, total: counts.append(done))
    assert counts == [2, 3, 4, 5]
    pack(town_file, tmp_path / "at once")
    assert (folder / "train.tiles").read_bytes() == (tmp_path / "at once/train.tiles").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["pack.json", "train.npz", "train.tiles"]


def test_pictures_that_change_during_an_interruption_are_packed_again(town_file, tmp_path):
    with pytest.raises(ZeroDivisionError):
        pack(town_file, tmp_path / "packed", on_progress=lambda done, total: 1 // (3 - done))
    Image.fromarray(np.zeros((256, 256), np.uint8)).save(town_file.parent / "masks/1.png")
    counts = []
    pack(town_file, tmp_path / "packed", on_progress=lambda done, total: counts.append(done))
    assert counts[0] == 1
    assert not PackedSplit(tmp_path / "packed", "train").picture(1)[1][:, :].any()


@pytest.mark.slow
def test_packing_that_was_killed_goes_on(tmp_path):
    town_file = write_set(tmp_path / "town", [(400, 600)] * 60)
    folder = tmp_path / "packed"
    code = "import sys; from semseg.cli.groups import data; data(sys.argv[1:])"
    command = [sys.executable, "-c", code, "pack", str(town_file), "--out", str(folder), "--nproc", "2"]
    for signal_number in (signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (folder / "train.partial").exists():
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal_number)
        process.wait(30)
    subprocess.run(command, check=True)
    pack(town_file, tmp_path / "at once")
    assert (folder / "train.tiles").read_bytes() == (tmp_path / "at once/train.tiles").read_bytes()


def test_pictures_without_mask_are_refused(tmp_path):
    town_file = write_set(tmp_path / "town", unlabelled="a")
    (town_file.parent / "masks/1.png").unlink()
    pack(town_file, tmp_path / "packed")  # unlabelled says what its pixels are
    assert not PackedSplit(tmp_path / "packed", "train").picture(1)[1][:, :].any()


def test_other_pipelines_are_refused(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    for loaders, message in (
        ([dict(type="LoadTrainIds"), dict(type="LoadPhotograph")], "begins with LoadTrainIds and LoadPhotograph"),
        ([dict(type="LoadPhotograph", to_float32=True), dict(type="LoadTrainIds")], "remove to_float32=True"),
    ):
        inner = FolderSegDataset(str(town_file), "train", pipeline=loaders)
        with raises("E-config-unsupported", message):
            SeededDataset(inner, True, str(tmp_path / "packed"))


def test_the_program_packs_a_dataset_file_and_says_how_large_it_is(town_file, tmp_path, capsys):
    assert data(["pack", str(town_file), "--out", str(tmp_path / "packed")]) == 0
    said = capsys.readouterr().out
    assert f"{tmp_path / 'packed'}: train packed, 5 pictures, " in said
    assert f"train on it: tools/train.py CONFIG --packed {tmp_path / 'packed'}" in said
    assert data(["pack", str(town_file), "--out", str(tmp_path / "packed")]) == 0
    assert "train is packed already, 5 pictures" in capsys.readouterr().out
    with raises("E-data-split", "has no split val; it has train"):
        data(["pack", str(town_file), "--out", str(tmp_path / "packed"), "--split", "val"])


@pytest.mark.skipif(not is_supported(), reason="needs seccomp of Linux on x86-64")
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["ENOSPC", "EIO"])
def test_a_disk_that_is_full_or_fails_is_one_sentence_and_packing_continues(tmp_path, mode):
    source = write_set(tmp_path / "set", SIZES[:2])
    pack(source, tmp_path / "whole", num_processes=1)
    whole = {name: (tmp_path / "whole" / name).read_bytes() for name in ("train.tiles", "train.npz")}
    (tmp_path / "out").mkdir()
    log = tmp_path / "log"
    for number in range(1, 60, 4):
        failing = Failing(tmp_path / "out", number, mode)
        code = watch(lambda: run_tool(lambda: pack(source, tmp_path / "out", num_processes=1)), failing, log)
        if not failing.what:
            break
        if code:
            assert log.read_text().startswith(f"error: cannot write {tmp_path / 'out'}"), failing.what
            assert log.read_text().count("\n") == 1
        pack(source, tmp_path / "out", num_processes=1)
        assert {name: (tmp_path / "out" / name).read_bytes() for name in whole} == whole, failing.what
        shutil.rmtree(tmp_path / "out")
        (tmp_path / "out").mkdir()
    assert number > 10


def test_another_sample_takes_the_place_of_one_with_damaged_tiles(town_file, tmp_path):
    pack(town_file, tmp_path / "packed")
    split = PackedSplit(tmp_path / "packed", "train")
    start, end = (int(split._offsets[split._first[number]]) for number in (0, 1))
    path = tmp_path / "packed/train.tiles"
    content = path.read_bytes()
    path.write_bytes(content[:start] + bytes(end - start) + content[end:])
    sample = take(training_set(town_file, tmp_path / "packed"), 0)["data_samples"]
    assert sample.img_path.endswith("1.png")
    assert "train.tiles at byte" in sample.get(UNREADABLE)[0]
