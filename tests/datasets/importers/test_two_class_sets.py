"""DRIVE and CrackForest: small sets in their layouts."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

import semseg.plugins  # noqa: F401
from semseg.checks.dataset import check_dataset_file
from semseg.cli.groups import data
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.importers import Request, plan
from semseg.datasets.importers.crackforest import read_crackforest
from semseg.datasets.importers.drive import read_drive
from semseg.datasets.masks import decode_pair
from semseg.datasets.pairs import find_pairs
from tests.conftest import raises

SIZE = (6, 5)  # height, width


def photograph(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)).save(path)


def grey(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def truth(number):
    return (np.random.default_rng(number).random(SIZE) < 0.3).astype(np.uint8)


def view():
    inside = np.full(SIZE, 255, np.uint8)
    inside[:, 0] = 0
    return inside


@pytest.fixture
def drive(tmp_path):
    root = tmp_path / "DRIVE"
    for part, numbers in (("training", range(21, 31)), ("test", range(1, 4))):
        for number in numbers:
            photograph(root / part / f"images/{number:02}_{part}.tif", number)
            grey(root / part / f"1st_manual/{number:02}_manual1.gif", 255 * truth(number))
            grey(root / part / f"mask/{number:02}_{part}_mask.gif", view())
    return root


@pytest.fixture
def crackforest(tmp_path):
    root = tmp_path / "cracks"
    (root / "groundTruth").mkdir(parents=True)
    for number in range(1, 13):
        photograph(root / f"image/{number:03}.jpg", number)
        regions = 1 + truth(number)
        regions[0, 0] = 3
        write_truth(root / f"groundTruth/{number:03}.mat", regions)
    photograph(root / "image/201.jpg", 99)
    return root


def write_truth(path, regions):
    savemat(path, {"groundTruth": {"Segmentation": regions, "Boundaries": regions}})


def read_back(out_dir, split):
    rules = read_dataset_file(out_dir / "dataset.yaml")
    return {
        pair.image_path.stem: decode_pair(pair.image_path, pair.mask_path, pair.roi_path, rules)
        for pair in find_pairs(rules, split).pairs
    }


def test_drive_becomes_three_splits_with_the_field_of_view(drive, tmp_path, capsys):
    assert data(["import", "drive", str(drive), "--out", str(tmp_path / "out"), "--nproc", "1"]) == 0
    shown = capsys.readouterr().out
    assert "val is the last fifth of the training pictures, 29_training to 30_training" in shown
    train, val, test = (read_back(tmp_path / "out", split) for split in ("train", "val", "test"))
    assert (len(train), list(val), len(test)) == (8, ["29_training", "30_training"], 3)
    expected = truth(29)
    expected[:, 0] = 255
    assert val["29_training"].tolist() == expected.tolist()
    assert check_dataset_file(tmp_path / "out/dataset.yaml").of_kind("error") == []


def test_an_import_into_its_own_folder_can_be_repeated_and_another_set_is_not_replaced(drive, crackforest, tmp_path):
    request = Request("drive", drive, tmp_path / "out", copy=True)
    for _ in range(2):
        plan(request).write()
    assert len(list((tmp_path / "out/images").rglob("*.tif"))) == 13
    with raises("E-input-used", "has splits from drive"):
        plan(Request("crackforest", crackforest, tmp_path / "out"))
    plan(Request("crackforest", crackforest, tmp_path / "out", overwrite=True)).write()
    assert "001" in read_back(tmp_path / "out", "train")
    with raises("E-input-used", "is the folder that is imported"):
        plan(Request("drive", drive, drive))


def test_pictures_of_drive_without_truth_are_left_out(drive):
    for path in (drive / "test/1st_manual").iterdir():
        path.unlink()
    found = read_drive(drive)
    assert {image.split for image in found.images} == {"train", "val"}
    assert any("left out: 3 photographs without truth (01_test.tif, " in note for note in found.notes)
    (drive / "training/mask/25_training_mask.gif").unlink()
    with raises("E-data-missing", r"1 photographs have no field of view .*25_training\.tif"):
        read_drive(drive)


def test_a_truth_of_another_size_or_with_other_values_is_refused(drive, tmp_path):
    path = drive / "training/1st_manual/22_manual1.gif"
    grey(path, np.zeros((3, 3), np.uint8))
    with raises("E-data-size", r"22_manual1\.gif is 3x3, its image .*22_training\.tif is 5x6"):
        plan(Request("drive", drive, tmp_path / "out"))
    grey(path, np.full(SIZE, 100, np.uint8))
    with raises("E-data-mask-values", r"22_manual1\.gif holds \{100: 30 px\}"):
        plan(Request("drive", drive, tmp_path / "out"))


def test_crackforest_is_divided_by_tens_and_2_is_crack(crackforest, tmp_path, capsys):
    assert data(["import", "crackforest", str(crackforest), "--out", str(tmp_path / "out"), "--nproc", "1"]) == 0
    shown = capsys.readouterr().out
    assert "left out: 1 photographs without truth (201.jpg)" in shown
    names = {split: list(read_back(tmp_path / "out", split)) for split in ("train", "val", "test")}
    assert names == {
        "train": ["001", "002", "003", "004", "005", "006", "011", "012"],
        "val": ["007"],
        "test": ["008", "009", "010"],
    }
    expected = truth(7)
    expected[0, 0] = 0  # enclosed
    assert read_back(tmp_path / "out", "val")["007"].tolist() == expected.tolist()


@pytest.mark.parametrize("fault", ["text", "other key", "zeros", "no struct"])
def test_files_that_hold_no_such_truth_are_refused(crackforest, tmp_path, fault):
    path = crackforest / "groundTruth/003.mat"
    if fault == "text":
        path.write_text("no matlab")
    elif fault == "other key":
        savemat(path, {"other": truth(3)})
    elif fault == "no struct":
        savemat(path, {"groundTruth": truth(3)})
    else:
        write_truth(path, truth(3))
    code = "E-data-mask-values" if fault == "zeros" else "E-data-unreadable"
    with raises(code, r"003\.mat"):
        plan(Request("crackforest", crackforest, tmp_path / "out"))


def test_wrong_folders_say_what_is_expected(tmp_path):
    with raises("E-data-missing", "which holds training and test"):
        read_drive(tmp_path)
    with raises("E-data-missing", "which holds image and groundTruth"):
        read_crackforest(tmp_path)
