"""Published sets: each is drawn in its own layout, imported with all splits, and read back."""

import json

import numpy as np
import pytest
from PIL import Image

from semseg.cli.imports import IMPORT_FORMATS
from semseg.datasets.importers import Request, plan
from semseg.datasets.importers.ade20k_classes import ADE20K_CLASSES
from semseg.datasets.importers.formats import FORMATS
from semseg.labels import CITYSCAPES, IGNORED, distinct_colors
from tests.conftest import raises
from tests.datasets.importers.published import columns, draw, imported, save, save_photo


def bdd100k(root):
    for split in ("train", "val"):
        draw(root, (f"images/10k/{split}/a.jpg", f"labels/sem_seg/masks/{split}/a.png"), mask=columns(0, 13, 18, 255))
    save_photo(root / "images/10k/test/z.jpg")


def ade20k(root):
    for split, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        draw(root, (f"images/{split}/{name}.jpg", f"annotations/{split}/{name}.png"), mask=columns(0, 1, 8, 150))
    rows = [f"{number}\t0.1\t5\t5\t{name}, synonym " for number, (name, _) in enumerate(ADE20K_CLASSES, 1)]
    (root / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio\tTrain\tVal\tName", *rows]))


def voc(root):
    palette = np.zeros((256, 3), np.uint8)
    palette[1:] = distinct_colors(255)
    for name in ("2007_000001", "2007_000002", "2008_000003"):
        save_photo(root / f"JPEGImages/{name}.jpg")
        save(root / f"SegmentationClass/{name}.png", columns(0, 15, 20, 255), palette.tobytes())
    lists = root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000001\n2007_000002\n")
    (lists / "val.txt").write_text("2008_000003\n")


def loveda(root):
    for split, numbers in (("Train", (0, 1366)), ("Val", (2522, 3514))):
        for area, number in zip(("Rural", "Urban"), numbers, strict=True):
            places = (f"{split}/{area}/{folder}_png/{number}.png" for folder in ("images", "masks"))
            draw(root, tuple(places), mask=columns(0, 1, 2, 7))
    save_photo(root / "Test/Rural/images_png/4191.png")


def mapillary(version):
    def write(root):
        names = [("Bird", True, [165, 42, 42]), ("Car", True, [0, 0, 142]), ("Bus", True, [0, 0, 142]),
                 ("Unlabeled", False, [0, 0, 0])]  # fmt: skip
        labels = [{"name": f"x--{n}", "readable": n, "evaluate": e, "color": c} for n, e, c in names]
        root.mkdir()
        (root / f"config_{version}.json").write_text(json.dumps({"labels": labels, "version": version}))
        for split in ("training", "validation"):
            draw(root, (f"{split}/images/a.jpg", f"{split}/{version}/labels/a.png"), mask=columns(0, 1, 2, 3))
        save_photo(root / "testing/images/b.jpg")

    return write


SETS = {  # format: how it is drawn; the row of train ids; number of classes; names of the training images
    "bdd100k": (bdd100k, [0, 13, 18, 255, 255, 255], 19, ["a"]),
    "ade20k": (ade20k, [255, 0, 7, 149, 149, 149], 150, ["ADE_train_00000001"]),
    "voc": (voc, [0, 15, 20, 255, 255, 255], 21, ["2007_000001", "2007_000002"]),
    "loveda": (loveda, [255, 0, 1, 6, 6, 6], 7, ["0", "1366"]),
    "mapillary-v1.2": (mapillary("v1.2"), [0, 1, 2, 255, 255, 255], 3, ["a"]),
    "mapillary-v2.0": (mapillary("v2.0"), [0, 1, 2, 255, 255, 255], 3, ["a"]),
}


@pytest.mark.parametrize("name", SETS)
def test_masks_of_ids_are_read_where_they_are(tmp_path, name):
    draw_set, row, num_classes, names = SETS[name]
    draw_set(tmp_path / "raw")
    _, dataset, splits = imported(name, tmp_path / "raw")
    assert sorted(splits["train"]) == names
    assert splits.keys() == {"train", "val"}
    assert all(train_ids == row for of_split in splits.values() for train_ids in of_split.values())
    assert len(dataset.classes) == num_classes
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"dataset.yaml", "train_pairs.csv", "val_pairs.csv"}


@pytest.mark.parametrize("name", SETS)
def test_a_copy_holds_index_pngs_of_the_same_train_ids(tmp_path, name):
    draw_set, row, _, _ = SETS[name]
    draw_set(tmp_path / "raw")
    _, dataset, splits = imported(name, tmp_path / "raw", copy=True)
    assert all(train_ids == row for of_split in splits.values() for train_ids in of_split.values())
    assert dataset.label_map == {}
    assert len(list((tmp_path / "out/images").rglob("*.*"))) == sum(map(len, splits.values()))


def test_every_format_is_described_on_the_command_line():
    assert IMPORT_FORMATS.keys() == FORMATS.keys()


@pytest.mark.parametrize("name", [*SETS, "class-dict", "yolo", "camvid"])
@pytest.mark.parametrize("is_file", [False, True])
def test_another_layout_is_one_sentence_with_what_was_expected(tmp_path, name, is_file):
    source = tmp_path / "raw"
    save_photo(source / "photos/a.png")
    source = source / "photos/a.png" if is_file and name != "yolo" else source
    with raises("E-data-missing", r"is not the folder of .*: expected .*; it (holds photos|is a file)"):
        plan(Request(name, source, tmp_path / "out"))
    with raises("E-data-missing", "no folder .*none"):
        plan(Request(name, tmp_path / "none", tmp_path / "out"))


@pytest.mark.parametrize("name", SETS)
def test_a_value_that_no_class_has_is_an_error_with_its_number_of_pixels(tmp_path, name):
    SETS[name][0](tmp_path / "raw")
    path = next(path for path in sorted((tmp_path / "raw").rglob("*.png")) if "mages" not in str(path))
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, :2] = 200
    save(path, pixels)
    with raises("E-data-mask-values", r"200 \(2 px in 1 of \d masks\)"):
        imported(name, tmp_path / "raw")
    assert not (tmp_path / "out").exists()
    _, _, splits = imported(name, tmp_path / "raw", label_map=("200=ignore",))
    rows = [row for of_split in splits.values() for row in of_split.values()]
    assert [row[:2] for row in rows].count([IGNORED, IGNORED]) == 1


def test_classes_can_be_merged_renamed_and_ignored(tmp_path):
    bdd100k(tmp_path / "raw")
    plan, dataset, splits = imported(
        "bdd100k", tmp_path / "raw", label_map=("car=vehicle", "truck=vehicle", "18=ignore", "255=other")
    )
    kept = ["vehicle" if name == "car" else name for name in CITYSCAPES.classes if name not in ("truck", "bicycle")]
    assert list(dataset.classes) == [*kept, "other"]
    assert dataset.palette[0] == (128, 64, 128)
    assert dataset.palette[13] == (0, 0, 142)
    assert splits["train"]["a"] == [0, 13, IGNORED, 17, 17, 17]
    _, dataset, splits = imported("bdd100k", tmp_path / "raw", label_map=("road=car",))
    assert dataset.classes == CITYSCAPES.classes[1:]
    assert splits["train"]["a"] == [12, 12, 17, IGNORED, IGNORED, IGNORED]
    assert "new classes of `label_map`: vehicle, other" in plan.notes
    with raises("E-input-value", "'cra' is not a class of BDD100K; did you mean 'car'"):
        imported("bdd100k", tmp_path / "raw", label_map=("cra=ignore",), overwrite=True)


def test_equal_colours_of_a_config_are_replaced(tmp_path):
    mapillary("v2.0")(tmp_path / "raw")
    plan, dataset, _ = imported("mapillary-v2.0", tmp_path / "raw")
    assert dataset.palette[:2] == ((165, 42, 42), (0, 0, 142))
    assert len(set(dataset.palette)) == 3
    assert any(note.startswith("colours: 1 classes") for note in plan.notes)
    assert any(note.startswith("left out: 1 images of test without masks") for note in plan.notes)
    (tmp_path / "raw/config_v2.0.json").write_text('{"labels": [{"readable": "Bird"}]}')
    with raises("E-data-classes", r"config_v2\.0\.json: expected a list labels"):
        imported("mapillary-v2.0", tmp_path / "raw")


def test_another_list_of_150_classes_is_an_error(tmp_path):
    ade20k(tmp_path / "raw")
    path = tmp_path / "raw/objectInfo150.txt"
    path.write_text(path.read_text().replace("building", "edifice"))
    with raises("E-data-classes", r"objectInfo150\.txt: expected building as class 2 of 150 .*found edifice"):
        imported("ade20k", tmp_path / "raw")


def test_the_augmented_masks_of_voc_are_added_to_train(tmp_path):
    voc(tmp_path / "VOCdevkit/VOC2012")
    root, lists = tmp_path / "VOCdevkit/VOC2012", tmp_path / "VOCdevkit/VOC2012/ImageSets/Segmentation"
    for name in ("2007_000001", "2009_000004", "2009_000005"):
        save_photo(root / f"JPEGImages/{name}.jpg")
        save(root / f"SegmentationClassAug/{name}.png", columns(1, 2))
    _, _, splits = imported("voc", tmp_path / "VOCdevkit")
    assert sorted(splits["train"]) == ["2007_000001", "2007_000002", "2009_000004", "2009_000005"]
    assert splits["train"]["2007_000001"][1] == 15
    assert splits["train"]["2009_000004"][1] == 2
    (lists / "aug.txt").write_text("2009_000005\n")
    _, _, splits = imported("voc", tmp_path / "VOCdevkit")
    assert sorted(splits["train"]) == ["2007_000001", "2007_000002", "2009_000005"]
    (lists / "trainaug.txt").write_text(
        "/JPEGImages/2009_000004.jpg /SegmentationClassAug/2009_000004.png\n2008_000003\n"
    )
    with raises("E-data-duplicate", "2008_000003.jpg is in train and in val"):
        imported("voc", tmp_path / "VOCdevkit")
    (lists / "trainaug.txt").write_text("2011_000009\n")
    with raises("E-data-missing", r"train\.txt: 1 of 1 images have no mask, first 2011_000009"):
        imported("voc", tmp_path / "VOCdevkit")


def test_a_missing_photograph_is_an_error_or_skipped(tmp_path):
    loveda(tmp_path / "raw")
    (tmp_path / "raw/Train/Urban/images_png/1366.png").unlink()
    with raises("E-data-missing", r"1 of 4 images are not there, first .*Train/Urban/images_png/1366\.png"):
        imported("loveda", tmp_path / "raw")
    _, _, splits = imported("loveda", tmp_path / "raw", skip_broken=True)
    assert list(splits["train"]) == ["0"]


def test_another_set_is_not_overwritten(tmp_path):
    bdd100k(tmp_path / "bdd")
    voc(tmp_path / "voc")
    imported("bdd100k", tmp_path / "bdd")
    with raises("E-input-used", r"splits from bdd100k .*bdd; .*`overwrite`"):
        imported("voc", tmp_path / "voc")
    _, dataset, _ = imported("voc", tmp_path / "voc", overwrite=True)
    assert len(dataset.classes) == 21
