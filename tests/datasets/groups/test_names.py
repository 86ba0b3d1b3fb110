"""Groups by file names; no file is needed."""

from pathlib import PurePosixPath

import pytest

from semseg.datasets.groups.names import group_by_name, running_number

CITIES = ("aachen_000000_000019", "aachen_000001_000019", "hamburg_000000_000042", "hamburg_000000_000629")
TILES = [f"P{picture:04}_{y}_{x}.png" for picture in (1, 2) for y in (0, 512) for x in (0, 512, 1024)]


def groups(*names, num_dropped=1):
    named = group_by_name([PurePosixPath(name) for name in names], num_dropped)
    return None if named is None else (list(named.groups), named.has_ids)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ["train/0016E5_05640.png", "train/0006R0_f02640.png", "val/0016E5_07959.png"],
            ["0016E5", "0006R0", "0016E5"],
        ),
        (
            ["a/train/patient03_slice1.png", "a/train/patient04_slice1.png", "a/val/patient03_slice12.png"],
            ["patient03", "patient04", "patient03"],
        ),
        (["seq1frame1.png", "seq1frame2.png", "seq2frame1.png"], ["seq1", "seq1", "seq2"]),
        (["seq01/Images/1.png", "seq01/Images/2.png", "seq02/Images/1.png"], ["seq01", "seq01", "seq02"]),
        (["x/train/seq01/a.png", "x/train/seq01/b.png", "x/val/seq02/a.png"], ["seq01", "seq01", "seq02"]),
        (
            [f"leftImg8bit/train/{name[:-14]}/{name}_leftImg8bit.png" for name in CITIES],
            ["aachen/aachen_000000", "aachen/aachen_000001", "hamburg/hamburg_000000", "hamburg/hamburg_000000"],
        ),
        (TILES, ["P0001"] * 6 + ["P0002"] * 6),
        (["t1_x0_y0.png", "t1_x1_y0.png", "t1_x0_y1.png", "t2_x0_y0.png"], ["t1", "t1", "t1", "t2"]),
        (
            ["2011_09_26_drive_0005_0001.png", "2011_09_26_drive_0005_0002.png", "2011_09_26_drive_0009_0001.png"],
            ["2011_09_26_drive_0005", "2011_09_26_drive_0005", "2011_09_26_drive_0009"],
        ),
    ],
)
def test_a_group_is_what_stays_without_the_running_number(names, expected):
    assert groups(*names) == (expected, True)


def test_dropping_one_more_number_gives_the_city():
    names = [f"leftImg8bit/train/{name[:-14]}/{name}_leftImg8bit.png" for name in CITIES]
    found, _ = groups(*names, num_dropped=2)
    assert found == ["aachen/aachen", "aachen/aachen", "hamburg/hamburg", "hamburg/hamburg"]


@pytest.mark.parametrize(
    "names",
    [
        [f"training/images/{number}_training.tif" for number in range(21, 41)]
        + [f"testing/images/{number:02}_test.tif" for number in range(1, 21)],
        [f"image/{number:03}.jpg" for number in range(1, 50)],
        [f"train/DJI_{number:04}.JPG" for number in range(9)] + ["val/DJI_0099.JPG", "val/IMG_0001.JPG"],
        [f"train2017/{number:012}.jpg" for number in range(9)] + ["val2017/000000000139.jpg"],
        ["0000f77c-6257be58.jpg", "0000f77c-62c2a288.jpg", "0001542f-5ce3cf52.jpg"],
        ["TCGA-18-5592-01Z-00-DX1.png", "TCGA-38-6178-01Z-00-DX1.png", "TCGA-49-4488-01Z-00-DX1.png"],
        [f"20240501_12{minute:02}00.jpg" for minute in range(9)] + ["20240502_120000.jpg"],
        [f"drive7_{number:04}.png" for number in range(9)],
    ],
    ids=["retinas", "cracks", "cameras", "COCO", "hashes", "one each", "times", "one group"],
)
def test_names_without_groups_tell_none(names):
    assert groups(*names) is None


@pytest.mark.parametrize(
    "names",
    [
        [f"JPEGImages/{year}_{number:06}.jpg" for year in (2007, 2008) for number in range(5)],
        [f"{kind}_{number:03}.jpg" for kind in ("horse", "cow") for number in range(5)],
        [f"train/{kind}/{number:03}.jpg" for kind in ("rainy", "sunny") for number in range(5)],
    ],
    ids=["years", "words", "folders"],
)
def test_words_and_years_do_not_identify_groups(names):
    found, has_ids = groups(*names)
    assert len(set(found)) == 2
    assert not has_ids


def test_words_of_splits_do_not_make_a_name_different():
    assert running_number(PurePosixPath("a/ADE_train_0001.jpg")) == running_number(PurePosixPath("b/ADE_val_0001.jpg"))
