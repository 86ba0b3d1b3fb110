"""Drives, sequences and places that have pictures in two splits, and what looks like them and is none."""

import numpy as np
import pytest
import yaml
from PIL import Image

from semseg.checks.dataset import check_dataset_file
from tests.datasets.groups.drives import exif, frame, other

CODE = "group-in-two-splits"


@pytest.fixture
def check(tmp_path, monkeypatch):
    """A function that writes pictures by split and name, and returns the messages about groups."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))

    def write_and_check(pictures, deep=False, exif_of=None):
        for split, by_name in pictures.items():
            for name, picture in by_name.items():
                path = tmp_path / "x/images" / split / name
                path.parent.mkdir(parents=True, exist_ok=True)
                picture.save(path, **({"exif": exif_of[name]} if exif_of else {}))
                mask_path = (tmp_path / "x/masks" / split / name).with_suffix(".png")
                mask_path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray((np.arange(72 * 64) % 2).astype(np.uint8).reshape(64, 72)).save(mask_path)
        content = {
            "splits": {split: {"images": f"images/{split}", "masks": f"masks/{split}"} for split in pictures},
            "encoding": "ids",
            "classes": ["road", "grass"],
            "image_suffix": [".png", ".jpg"],
        }
        (tmp_path / "x/dataset.yaml").write_text(yaml.safe_dump(content))
        report = check_dataset_file("x/dataset.yaml", deep=deep)
        return [finding.line() for finding in report.findings if finding.code == CODE]

    return write_and_check


def test_a_drive_in_two_splits_is_named_with_its_counts_and_the_remedy(check):
    train = {f"01A_{number:05}.png": other(number) for number in range(4)}
    train |= {f"02B_f{number:05}.png": other(10 + number) for number in range(3)}
    val = {f"02B_f{number:05}.png": other(10 + number) for number in range(3, 5)}
    val |= {"03C_00001.png": other(20)}
    assert check({"train": train, "val": val}) == [
        "train, val: 2 of 3 images of val belong to a group that train has images of: 02B (3 of train, 2 of val);"
        " groups by file names up to the last number; scores on val flatter the model: python tools/dataset.py split"
        " x/dataset.yaml --group-by auto --out DIR keeps groups together"
    ]


def test_a_deep_check_adds_how_similar_the_groups_are(check):
    frames = {f"drive{drive}_{number}.png": frame(drive, number) for drive in (1, 2) for number in range(8)}
    parts = {"train": dict(list(frames.items())[:12]), "val": dict(list(frames.items())[12:])}
    (message,) = check(parts, deep=True)
    assert "drive2 (4 of train, 4 of val); groups by file names up to the last number; for 100% of 16" in message


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ([f"{number}_training" for number in range(21, 25)], [f"{number:02}_test" for number in range(1, 5)]),
        ([f"{number:03}" for number in range(4)], [f"{number:03}" for number in range(4, 8)]),
        ([f"DJI_{number:04}" for number in range(4)], [f"DJI_{number:04}" for number in range(4, 8)]),
        (["a/a_000000_000019", "b/b_000000_000019"], ["c/c_000000_000019", "c/c_000001_000019"]),
        (["cow_1", "horse_1", "horse_3"], ["cow_2", "horse_2"]),
        (["rainy/1", "rainy/3", "sunny/1"], ["rainy/2", "sunny/2"]),
        (["2007_000032", "2008_000033"], ["2007_000039", "2008_000042"]),
        (["kind1/0001", "kind1/0002", "kind2/0001"], ["kind1/0001", "kind1/0002", "kind2/0001"]),
    ],
    ids=["retinas", "cracks", "camera", "cities", "words", "folders", "years", "numbered anew"],
)
def test_other_names_are_no_groups(check, train, val):
    parts = {"train": {f"{name}.png": other(number) for number, name in enumerate(train)}}
    parts["val"] = {f"{name}.png": other(50 + number) for number, name in enumerate(val)}
    assert check(parts, deep=True) == []


def test_pictures_taken_within_a_minute_are_found(check):
    names = [f"DJI_{number:04}.jpg" for number in range(6)]
    times = [f"2024:05:01 12:{minute:02}:00" for minute in (0, 1, 20, 21, 22, 59)]
    data = {name: exif(taken) for name, taken in zip(names, times, strict=True)}
    pictures = {name: other(number) for number, name in enumerate(names)}
    train = {name: pictures[name] for name in names[:3]}
    val = {name: pictures[name] for name in names[3:]}
    (message,) = check({"train": train, "val": val}, exif_of=data)
    assert (
        "2 of 3 images of val belong to a group that train has images of: that of DJI_0002.jpg (1 of train, 2"
        in message
    )
    assert "groups by time and place (within 60 s by one camera, or within 25 m);" in message


def test_one_recording_cannot_be_divided(check):
    data = {f"{number}.jpg": exif(f"2024:05:01 12:{number:02}:00") for number in range(6)}
    parts = {
        split: {f"{number}.jpg": other(number) for number in numbers}
        for split, numbers in (("train", range(4)), ("val", range(4, 6)))
    }
    (message,) = check(parts, exif_of=data)
    assert message.endswith("flatter the model: all images are one recording: take val from another one")


def test_frames_of_a_video_without_telling_names_need_a_deep_check(check):
    pictures = [frame(drive, number, step=1) for drive in (1, 2, 3) for number in range(6)]
    names = [f"{number:03}.png" for number in range(18)]
    parts = {
        "train": dict(zip(names[:14], pictures[:14], strict=True)),
        "val": dict(zip(names[14:], pictures[14:], strict=True)),
    }
    assert check(parts) == []
    messages = check(parts, deep=True)
    assert len(messages) <= 1  # those that look the same have a message of their own
    assert all("groups by similarity (images that look like neighbours in a video)" in message for message in messages)
