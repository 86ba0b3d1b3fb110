"""The files and pairs of a whole set, and the report."""

import json
import re
from pathlib import Path

import pytest

from semseg.checks.dataset import check_dataset_file
from semseg.datasets.dataset_file import read_dataset_file
from tests.checks.sets import check_set, image_of, mask_of, write_set
from tests.conftest import REPO, raises


@pytest.mark.parametrize("deep", [False, True])
def test_a_healthy_set_gives_no_finding(here, deep):
    report = check_dataset_file(write_set(here), deep=deep)
    assert report.findings == ()
    assert report.lines() == [
        "x/dataset.yaml: no finding; 4 pairs of train, 2 pairs of val; 12 files read, 0 known from before"
    ]


def test_only_the_given_splits_are_checked(here):
    path = write_set(here)
    mask_of(path).write_bytes(b"")
    assert check_set(path, splits=["val"]) == {}
    with raises("E-data-split", r"x/dataset\.yaml.* 'test', .*train, val"):
        check_dataset_file(path, ["test"])


def test_the_suffix_that_would_have_matched_is_named(here):
    path = write_set(here, {"train": 2}, image_suffix=".jpg")
    path.write_text(path.read_text() + "image_suffix: .webp\n")
    assert check_set(path) == {
        "no-pair": "error train: no file in x/images/train ends with .webp (found 2 .jpg); set image_suffix"
    }


def test_if_names_do_not_match_the_suffixes_that_match_are_named(here):
    path = write_set(here, {"train": 3})
    for mask in (here / "masks/train").iterdir():
        mask.rename(mask.with_name(f"{mask.stem}_mask.png"))
    assert check_set(path) == {
        "no-pair": "error train: all 3 images have no mask, first x/images/train/00.png; with image_suffix"
        " '.png' and"
        " mask_suffix '_mask.png' 3 of them would match; set these"
    }


def test_names_that_begin_differently_get_a_hint(here):
    path = write_set(here, {"train": 12})
    for kind in ("images", "masks"):
        for file in (here / kind / "train").iterdir():
            file.rename(file.with_name(f"{kind[:-1]}_{file.name}"))
    assert check_set(path) == {
        "no-pair": "error train: all 12 images have no mask, first x/images/train/image_00.png; images and masks pair"
        " by the beginning of their names, and these begin with 'image_' and 'mask_' (image_00.png, mask_00.png):"
        " rename one of the two"
    }


def test_several_masks_for_each_image_are_not_paired_as_one(here):
    path = write_set(here, {"train": 3})
    for mask in (here / "masks/train").iterdir():
        mask.with_name(f"{mask.stem}_car.png").write_bytes(mask.read_bytes())
        mask.rename(mask.with_name(f"{mask.stem}_road.png"))
    assert check_set(path) == {
        "no-pair": "error train: all 3 images have no mask, first x/images/train/00.png; there are several masks for"
        " each image (*_car.png 3, *_road.png 3): set mask_suffix to the one that holds all classes; masks of one"
        " class each become a set with python tools/dataset.py import class-masks x/masks/train --images x/images/train"
        " --out DIR"
    }


def test_a_folder_of_masks_for_each_class_is_one_to_import(here):
    path = write_set(here, {"train": 3})
    for mask in list((here / "masks/train").iterdir()):
        for name in ("car", "road"):
            mask.parent.joinpath(name).mkdir(exist_ok=True)
            (mask.parent / name / mask.name).write_bytes(mask.read_bytes())
        mask.unlink()
    assert check_set(path) == {
        "no-pair": "error train: all 3 images have no mask, first x/images/train/00.png; there are several masks for"
        " each image (car/ 3, road/ 3): masks of one class each become a set with python tools/dataset.py import"
        " class-masks x/masks/train --images x/images/train --out DIR"
    }


def test_a_folder_per_image_gets_a_hint(here):
    path = write_set(here, {"train": 3})
    for kind in ("images", "masks"):
        for file in list((here / kind / "train").iterdir()):
            (here / kind / "train" / file.stem).mkdir()
            file.rename(here / kind / "train" / file.stem / f"{kind[:-1]}.png")
    assert check_set(path) == {
        "no-pair": "error train: all 3 images have no mask, first x/images/train/00/image.png; with image_suffix"
        " 'image.png' and mask_suffix 'mask.png' 3 of them would match; set these"
    }
    path.write_text(path.read_text() + "image_suffix: image.png\nmask_suffix: mask.png\n")
    assert check_set(path) == {}


def test_images_without_mask_are_an_error_and_masks_without_image_a_warning(here):
    path = write_set(here)
    mask_of(path, 1).unlink()
    image_of(path, 3).unlink()
    assert check_set(path) == {
        "images-without-mask": "error train: 1 of 3 images have no mask, first x/images/train/01.png; label"
        " them, or"
        " list the pairs to use: train: {pairs: FILE} in x/dataset.yaml, or say there with unlabelled: CLASS what"
        " images without mask show",
        "masks-without-image": "warning train: 1 of 3 masks have no image and are left out, first"
        " x/masks/train/03.png;"
        " add the images, or remove the masks",
    }


def test_hidden_and_foreign_files_are_a_note(here):
    path = write_set(here)
    image_of(path).with_name("._00.png").write_bytes(b"x")
    image_of(path).with_name("Thumbs.db").write_bytes(b"x")
    assert check_set(path) == {
        "foreign-files": "note train: 2 other files skipped: x/images/train/._00.png (hidden),"
        " x/images/train/Thumbs.db (another kind)"
    }


def test_a_missing_folder_says_what_to_set(here):
    path = write_set(here, root="elsewhere")
    assert check_set(path) == {"no-folder": "error no folder x/elsewhere; set root in x/dataset.yaml"}


def test_a_missing_set_of_this_project_names_the_command_that_draws_it(here):
    path = write_set(here, root="../data/rosario_labelled")
    assert check_set(path)["no-folder"].endswith(
        "no folder data/rosario_labelled; run python tools/dataset.py toycity data/rosario --style rosario"
    )


def test_the_json_holds_every_finding(here):
    path = write_set(here)
    image_of(path, 1).write_bytes(b"")
    check_dataset_file(path).write_json(here / "found.json")
    content = json.loads((here / "found.json").read_text())
    assert content["version"] == 1
    assert content["splits"] == {"train": 4, "val": 2}
    (finding,) = content["findings"]
    assert (finding["kind"], finding["code"], finding["split"]) == ("error", "unreadable", "train")
    assert (finding["count"], finding["total"]) == (1, 8)
    assert finding["worst"] == [{"path": "x/images/train/01.png", "detail": "zero bytes"}]


def test_two_processes_have_the_same_findings_as_one(here):
    path = write_set(here, {"train": 80})
    mask_of(path, 7).write_bytes(b"")
    assert check_set(path, num_processes=2, deep=True) == check_set(path, num_processes=1, deep=True) != {}


def test_the_example_of_the_documentation_can_be_read(here):
    text = (REPO / "docs/data.md").read_text()
    Path("dataset.yaml").write_text(re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1))
    assert read_dataset_file("dataset.yaml").classes == ("road", "grass")
