"""Annotations in, train-id images and split lists out, whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.cityscapes import convert
from tests.conftest import raises
from tests.datasets.annotations import label_path, make_older, square, write_label_ids, write_polygons

ROAD, BICYCLE = 7, 33


@pytest.fixture
def root(tmp_path):
    """Three files in two splits."""
    write_polygons(tmp_path, "train/ulm/ulm_000001_000019")
    write_polygons(tmp_path, "train/aachen/aachen_000000_000019")
    write_polygons(tmp_path, "val/bonn/bonn_000000_000019")
    return tmp_path


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file: any write changes one of them."""
    return {
        str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_images_and_lists_are_written(root):
    assert convert.convert(root) == {"train": (2, 0), "val": (1, 0)}
    image = np.asarray(Image.open(root / "gtFine/val/bonn/bonn_000000_000019_gtFine_labelTrainIds.png"))
    assert (image.shape, image[5, 5], image[0, 0]) == ((12, 16), 13, 255)
    assert (root / "train.txt").read_text() == "aachen/aachen_000000_000019\nulm/ulm_000001_000019\n"
    assert (root / "val.txt").read_text() == "bonn/bonn_000000_000019\n"
    assert not (root / "test.txt").exists()


def test_the_lists_hold_what_mmsegmentation_writes(root):
    scandir = pytest.importorskip("mmengine.utils").scandir
    convert.convert(root)
    theirs = [
        name.replace("_gtFine_polygons.json", "")
        for name in scandir(str(root / "gtFine/train"), "_polygons.json", recursive=True)
    ]
    assert (root / "train.txt").read_text().splitlines() == sorted(theirs)


def test_coarse_annotations_have_their_own_suffix(tmp_path):
    polygon_path = write_polygons(tmp_path, "train_extra/ulm/ulm_1_2", gt="gtCoarse")
    assert convert.convert(tmp_path, "gtCoarse", tmp_path / "lists/coarse") == {"train_extra": (1, 0)}
    assert label_path(polygon_path).name == "ulm_1_2_gtCoarse_labelTrainIds.png"
    assert label_path(polygon_path).is_file()
    assert (tmp_path / "lists/coarse/train_extra.txt").read_text() == "ulm/ulm_1_2\n"


def test_linked_folders_are_followed_and_hidden_copies_are_not_read(tmp_path):
    write_polygons(tmp_path / "elsewhere", "train/ulm/ulm_0_0")
    (tmp_path / "root/gtFine").mkdir(parents=True)
    (tmp_path / "root/gtFine/train").symlink_to(tmp_path / "elsewhere/gtFine/train")
    (tmp_path / "root/gtFine/train/ulm/._ulm_0_0_gtFine_polygons.json").write_bytes(b"\x00\x05")
    assert convert.convert(tmp_path / "root") == {"train": (1, 0)}


@pytest.mark.parametrize("num_processes", [1, 2])
def test_converting_twice_writes_nothing(root, num_processes):
    write_label_ids(root / "gtFine/val/bonn/bonn_000000_000019_gtFine_polygons.json", 33)
    convert.convert(root, num_processes=num_processes)
    before = snapshot(root)
    assert convert.convert(root, num_processes=num_processes) == {"train": (0, 2), "val": (0, 1)}
    assert snapshot(root) == before


def test_a_polygon_file_newer_than_its_image_is_converted_again(root):
    convert.convert(root)
    polygon_path = write_polygons(root, "val/bonn/bonn_000000_000019", square("bus"))
    make_older(label_path(polygon_path), by_s=60)
    assert convert.convert(root) == {"train": (0, 2), "val": (1, 0)}
    assert np.asarray(Image.open(label_path(polygon_path)))[5, 5] == 15


def test_an_image_cut_short_anywhere_is_converted_again(tmp_path):
    path = label_path(write_polygons(tmp_path, "train/ulm/ulm_0_0"))
    convert.convert(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole) - 4):  # the last 4 are the checksum of an empty chunk
        path.write_bytes(whole[:length])
        assert convert.convert(tmp_path) == {"train": (1, 0)}, length
        assert path.read_bytes() == whole


def test_what_a_killed_run_left_is_removed(root):
    image_leftover = root / "gtFine/val/bonn/.bonn_000000_000019_gtFine_labelTrainIds.123.tmp.png"
    list_leftover = root / ".val.123.tmp.txt"
    image_leftover.write_bytes(b"\x89PNG")
    list_leftover.write_text("bo")
    convert.convert(root)
    assert not image_leftover.exists()
    assert not list_leftover.exists()


def test_a_list_is_corrected_when_an_image_is_gone(root):
    convert.convert(root)
    (root / "gtFine/train/ulm/ulm_000001_000019_gtFine_polygons.json").unlink()
    convert.convert(root)
    assert (root / "train.txt").read_text() == "aachen/aachen_000000_000019\n"


def test_progress_counts_every_file(root):
    calls = []
    convert.convert(root, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("num_processes", [1, 2])
def test_broken_files_are_all_named_and_the_others_are_converted(root, num_processes):
    unknown = write_polygons(root, "train/ulm/ulm_000001_000019", square("cars"))
    (root / "gtFine/val/bonn/bonn_000000_000019_gtFine_polygons.json").write_text('{"imgWidth": 16,')
    with raises("E-data-conversion", "2 of 3 annotations") as caught:
        convert.convert(root, num_processes=num_processes)
    first, second = str(caught.value).splitlines()
    assert first.endswith(f"{unknown}: object 0 cannot be drawn: unknown label 'cars'")
    assert "bonn_000000_000019_gtFine_polygons.json: not JSON (Expecting" in second
    assert label_path(root / "gtFine/train/aachen/aachen_000000_000019_gtFine_polygons.json").is_file()
    assert not (root / "train.txt").exists()


def test_an_image_that_cannot_be_written_ends_the_run(tmp_path):
    path = label_path(write_polygons(tmp_path, "train/ulm/ulm_0_0"))
    path.mkdir()
    with raises("E-data-conversion", r"labelTrainIds.png .*: Is a dir"):
        convert.convert(tmp_path)
    assert not list(path.parent.glob(".*"))


def test_wrong_folders_are_named_with_the_remedy(tmp_path):
    with raises("E-data-missing", r"/nowhere$"):
        convert.convert(tmp_path / "nowhere")
    with raises("E-data-missing", r"/gtFine; unpack gtFine_trainvaltest.zip in "):
        convert.convert(tmp_path)
    (tmp_path / "gtCoarse/train").mkdir(parents=True)
    patterns = r"\*_gtCoarse_polygons.json or \*_gtCoarse_labelIds.png"
    with raises("E-data-missing", rf"{patterns} .*/gtCoarse; unpack gtCoarse.zip in "):
        convert.convert(tmp_path, "gtCoarse")


def test_no_processes_is_an_error(root):
    with raises("E-input-range", r"^0 processes"):
        convert.convert(root, num_processes=0)


@pytest.mark.parametrize(
    ("source", "corner", "centre"), [("auto", 18, 18), ("labelids", 18, 18), ("polygons", 255, 13)]
)
def test_label_ids_are_translated_unless_polygons_are_asked_for(root, source, corner, centre):
    polygon_path = root / "gtFine/train/ulm/ulm_000001_000019_gtFine_polygons.json"
    write_label_ids(polygon_path, BICYCLE)
    counts = convert.convert(root, source=source)
    assert counts == ({"train": (1, 0)} if source == "labelids" else {"train": (2, 0), "val": (1, 0)})
    image = np.asarray(Image.open(label_path(polygon_path)))
    assert (image[0, 0], image[5, 5]) == (corner, centre)


def test_label_ids_without_polygons_are_enough(root):
    (root / "gtFine/test/kiel").mkdir(parents=True)
    write_label_ids(root / "gtFine/test/kiel/kiel_0_0_gtFine_polygons.json", ROAD)
    assert convert.convert(root)["test"] == (1, 0)
    assert (root / "test.txt").read_text() == "kiel/kiel_0_0\n"


def test_edited_polygons_win_over_label_ids(root):
    polygon_path = root / "gtFine/val/bonn/bonn_000000_000019_gtFine_polygons.json"
    write_label_ids(polygon_path, BICYCLE, older_s=3600)
    convert.convert(root)
    assert np.asarray(Image.open(label_path(polygon_path)))[5, 5] == 13


def test_polygons_replace_damaged_label_ids(root):
    polygon_path = root / "gtFine/val/bonn/bonn_000000_000019_gtFine_polygons.json"
    label_ids_path = write_label_ids(polygon_path, BICYCLE)
    label_ids_path.write_bytes(label_ids_path.read_bytes()[:50])
    with raises("E-data-conversion", r"1 of 1 annot.*_labelIds.png"):
        convert.convert(root, source="labelids")
    assert convert.convert(root)["val"] == (1, 0)
    assert np.asarray(Image.open(label_path(polygon_path)))[5, 5] == 13


def test_newer_label_ids_are_converted_again(root):
    polygon_path = root / "gtFine/val/bonn/bonn_000000_000019_gtFine_polygons.json"
    convert.convert(root)
    make_older(label_path(polygon_path), by_s=60)
    write_label_ids(polygon_path, ROAD)
    assert convert.convert(root)["val"] == (1, 0)
    assert np.asarray(Image.open(label_path(polygon_path)))[5, 5] == 0


def test_an_unknown_source_is_an_error(root):
    with raises("E-input-value", r"'masks'; expected one of auto, polygons, labelids$"):
        convert.convert(root, source="masks")


def test_counts_are_compared_with_those_of_cityscapes():
    counts = {
        "train": convert.Counts(2900, 75),
        "val": convert.Counts(3, 0),
        "mine": convert.Counts(1, 0),
    }
    assert convert.describe(counts) == [
        "train: 2975 of 2975; 2900 written, 75 up to date",
        "val: 3 found, Cityscapes has 500; 3 written, 0 up to date",
        "test: 0 found, Cityscapes has 1525",
        "mine: 1 found; 1 written, 0 up to date",
    ]
    assert convert.describe({"train": convert.Counts(1, 0)}, "myGt") == ["train: 1 found; 1 written, 0 up to date"]
