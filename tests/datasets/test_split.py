"""Splitting by group: nothing of a group in two splits, sizes near the fractions, files for the reader."""

import csv
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.groups.rules import group_rule
from semseg.datasets.pairs import find_pairs
from semseg.datasets.split import assign, divide, parse_fractions
from tests.conftest import raises
from tests.datasets.groups.drives import frame

FRACTIONS = {"train": 0.5, "val": 0.25, "test": 0.25}


@pytest.fixture
def town(tmp_path):
    """A set of 8 streets with 4 pictures each, in two folders per kind; one picture has no mask."""
    for street in range(8):
        for number in range(4):
            for kind, suffix in (("photos", ".jpg"), ("masks", ".png")):
                path = tmp_path / f"town/{kind}/street{street}/s{street}_{number:04}{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (2, 2)).save(path)
    Image.new("L", (2, 2)).save(tmp_path / "town/photos/street0/unlabelled.jpg")
    text = (
        "# of my own\nsplits:\n  train: {images: photos, masks: masks}\nencoding: ids\n"
        "classes: [road, {name: sky, color: '#4682b4'}]\nlabel_map: {7: road}\n"
    )
    (tmp_path / "town/dataset.yaml").write_text(text)
    return tmp_path / "town"


def streets(path, split):
    return {pair.image_path.parent.name for pair in find_pairs(read_dataset_file(path), split).pairs}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_no_street_is_in_two_splits_and_none_is_lost(town, tmp_path):
    division = divide(town, FRACTIONS, "folder")
    path = division.write(tmp_path / "parted")
    by_split = [streets(path, split) for split in FRACTIONS]
    assert [len(found) for found in by_split] == [4, 2, 2]
    assert len(set.union(*by_split)) == 8
    assert division.table() == [
        "split     groups  images     share     asked",
        "train          4      16     50.0%     50.0%",
        "val            2       8     25.0%     25.0%",
        "test           2       8     25.0%     25.0%",
        "left out: 1 images without a mask",
    ]


def test_other_keys_of_the_file_are_kept(town, tmp_path):
    new = read_dataset_file(divide(town / "dataset.yaml", FRACTIONS, "folder").write(tmp_path / "parted"))
    old = read_dataset_file(town / "dataset.yaml")
    assert (new.classes, new.palette, new.label_map) == (old.classes, old.palette, old.label_map)


def test_replaced_files_are_kept_as_bak(town):
    old = (town / "dataset.yaml").read_text()
    assert divide(town, FRACTIONS, "folder").write() == town / "dataset.yaml"
    assert (town / "dataset.yaml.bak").read_text() == old
    first = contents(town)
    assert divide(town, FRACTIONS, "folder").write() == town / "dataset.yaml"
    assert contents(town) == first
    divide(town, FRACTIONS, "folder", seed=1).write()
    assert (town / "train_pairs.csv.bak").read_bytes() == first["train_pairs.csv"]


def test_the_same_seed_gives_the_same_division_and_another_does_not(town, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        divide(town, FRACTIONS, "folder", seed).write(tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b") != contents(tmp_path / "c")


def test_lists_are_relative_and_sorted(town, tmp_path):
    divide(town, FRACTIONS, "folder").write(tmp_path / "parted")
    with (tmp_path / "parted/val_pairs.csv").open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert header == ["image", "mask"]
    assert rows == sorted(rows)
    assert all(row[0].startswith("../town/photos/street") for row in rows)


@pytest.mark.parametrize(
    ("group_by", "name", "group"),
    [
        ("folder", "photos/a/1.jpg", "photos/a"),
        ("folder", "1.jpg", "."),
        ("prefix", "x/street3_0007.jpg", "street3"),
        ("prefix", "x/aachen_000000_000019_leftImg8bit.png", "aachen_000000"),
        ("prefix", "x/2024-05-01 north 12.5.jpg", "2024-05-01 north 12"),
        ("prefix", "frame0007.jpg", "frame"),
        ("prefix", "0007.jpg", ""),
        ("prefix", "0007_left.jpg", ""),
        ("prefix", "garden.jpg", "garden"),
        ("regex:seq[0-9]+", "a/seq12/3.jpg", "seq12"),
        ("regex:([a-z]+)_([0-9]+)_", "aachen_000000_000019.png", "aachen/000000"),
        ("regex:(north)?_", "a_1.jpg", ""),
        ("regex:seq", "a/1.jpg", None),
    ],
)
def test_groups(group_by, name, group):
    assert group_rule(group_by)(name) == group


@pytest.mark.parametrize("seed", range(20))
def test_sizes_come_near_to_the_fractions(seed):
    generator = random.Random(seed)
    sizes = {f"g{index}": generator.randint(1, 60) for index in range(generator.randint(12, 60))}
    fractions = {"train": 0.7, "val": 0.15, "test": 0.15}
    split_of = assign(sizes, fractions, seed)
    total = sum(sizes.values())
    assert set(split_of) == set(sizes)
    for split, fraction in fractions.items():
        share = sum(size for group, size in sizes.items() if split_of[group] == split) / total
        assert abs(share - fraction) < 0.03


def test_every_split_gets_a_group_however_large_they_are():
    assert set(assign({"a": 1000, "b": 1, "c": 1}, FRACTIONS).values()) == set(FRACTIONS)


def test_fewer_groups_than_splits_are_an_error(town):
    message = r"`group_by` regex:\^photos .*1 group \('photos'\) for 3 splits; .*`group_by` folder, prefix"
    with raises("E-data-groups", message):
        divide(town, FRACTIONS, "regex:^photos")


@pytest.mark.parametrize(
    ("group_by", "code", "values"),
    [
        ("city", "E-input-value", r"`group_by`: expected auto, folder, prefix, or regex:PATTERN, got 'city'"),
        ("regex:(", "E-input-value", r"`group_by` regex:\(: .*\("),
        ("regex:street[0-6]", "E-data-groups", r"4 of 32 images, first photos/street7/s7_0000\.jpg"),
    ],
)
def test_wrong_rules_are_errors(town, group_by, code, values):
    with raises(code, values):
        divide(town, FRACTIONS, group_by)


@pytest.mark.parametrize("pairs", [["train"], ["dev=1"], ["train=0.5", "train=0.5"], ["train=0"], ["train=70"]])
def test_wrong_fractions_are_errors(pairs):
    with raises("E-input-value", r"`fractions`: .*train=0\.7 val=0\.15 test=0\.15, got '"):
        parse_fractions(pairs)


def test_fractions_sum_up_to_one():
    assert parse_fractions(["val=.25", "train=0.750"]) == {"train": 0.75, "val": 0.25}
    with raises("E-input-value", r"`fractions` .*0\.9; expected 1"):
        parse_fractions(["train=0.7", "val=0.2"])


def test_an_image_in_two_splits_is_an_error(town):
    text = (town / "dataset.yaml").read_text()
    again = "  val: {images: photos, masks: masks}\nencoding"
    (town / "dataset.yaml").write_text(text.replace("encoding", again))
    with raises("E-data-duplicate", r"dataset\.yaml .*32 images"):
        divide(town, FRACTIONS, "folder")


def test_no_dataset_file_is_an_error(tmp_path):
    with raises("E-data-missing", r"dataset\.yaml"):
        divide(tmp_path, FRACTIONS, "folder")
    with raises("E-data-missing", r"nowhere\.yaml"):
        divide(Path("nowhere.yaml"), FRACTIONS, "folder")


def drives(tmp_path, num_drives, name="drive{drive}_{number:03}"):
    """Write a set of drives with 4 frames each, and return its dataset.yaml."""
    rows = ["image,mask"]
    for drive in range(num_drives):
        for number in range(4):
            stem = name.format(drive=drive, number=4 * drive + number)
            frame(drive, number).save(tmp_path / f"{stem}.png")
            Image.new("L", (72, 64), drive % 2).save(tmp_path / f"{stem}_mask.png")
            rows.append(f"{stem}.png,{stem}_mask.png")
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    path = tmp_path / "dataset.yaml"
    path.write_text("splits: {train: {pairs: pairs.csv}}\nencoding: ids\nclasses: [road, sky]\n")
    return path


def test_auto_divides_by_the_groups_that_it_proposes(tmp_path):
    division = divide(drives(tmp_path, 8), FRACTIONS, "auto")
    assert {split: len(groups) for split, groups in division.members.items()} == {"train": 4, "val": 2, "test": 2}
    assert division.grouping.evidence.startswith("file names up to the last number: 8 groups of 4 images; for 100% of")
    assert division.warnings() == []


def test_a_split_with_one_group_and_a_guess_are_warnings(tmp_path):
    division = divide(drives(tmp_path, 2), {"train": 0.5, "val": 0.5}, "auto")
    (sentence,) = division.warnings()
    assert sentence.startswith("only one group in train (drive")
    guess = replace(division, grouping=replace(division.grouping, is_sure=False))
    assert "guess" in guess.warnings()[0]


def test_auto_without_evidence_is_an_error_with_the_other_rules(tmp_path):
    path = drives(tmp_path, 1, "{number:03}")
    with raises("E-data-groups", r"`group_by` auto finds no groups: .*folder, prefix or regex:PATTERN"):
        divide(path, {"train": 0.5, "val": 0.5}, "auto")


def test_of_equally_large_divisions_the_one_with_similar_classes_is_used():
    sizes = {f"g{index}": 4 for index in range(8)}
    pixels = {f"g{index}": np.array([100, 0] if index % 2 else [0, 100]) for index in range(8)}
    for seed in range(5):
        split_of = assign(sizes, FRACTIONS, seed, pixels)
        for split in FRACTIONS:
            shares = sum(pixels[group] for group in sizes if split_of[group] == split)
            assert shares[0] == shares[1]


def test_masks_that_cannot_be_read_do_not_stop_a_division(tmp_path):
    path = drives(tmp_path, 4)
    (tmp_path / "drive0_000_mask.png").write_bytes(b"")
    assert len(divide(path, FRACTIONS, "prefix").members) == 3
