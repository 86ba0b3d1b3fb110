"""Published sets: each is drawn in its own layout, imported with all splits, and read back."""

import json

import numpy as np
import pytest
from PIL import Image

from semseg.cli.import_sets import SET_FORMATS
from semseg.datasets.importers import SetRequest, plan_set
from semseg.datasets.importers.ade20k_classes import ADE20K_CLASSES
from semseg.datasets.importers.whole_set_import import READERS
from semseg.labels import CITYSCAPES, IGNORED, distinct_colors
from tests.conftest import raises
from tests.datasets.importers.published import SHAPE, columns, read_back, save, save_photo


def imported(name, source, **more):
    plan = plan_set(SetRequest(name, source, source.parent / "out", **more))
    plan.write()
    return (plan, *read_back(source.parent / "out"))


def draw(root, *places, mask):
    """Write a photograph and its mask for each pair of paths."""
    for image, mask_path in places:
        save_photo(root / image)
        save(root / mask_path, mask)


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
    assert SET_FORMATS.keys() == READERS.keys()


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("is_file", [False, True])
def test_another_layout_is_one_sentence_with_what_was_expected(tmp_path, name, is_file):
    source = tmp_path / "raw"
    save_photo(source / "photos/a.png")
    source = source / "photos/a.png" if is_file and name != "yolo" else source
    with raises("E-data-missing", r"is not the folder of .*: expected .*; it (holds photos|is a file)"):
        plan_set(SetRequest(name, source, tmp_path / "out"))
    with raises("E-data-missing", "no folder .*none"):
        plan_set(SetRequest(name, tmp_path / "none", tmp_path / "out"))


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
    kept = [name for name in CITYSCAPES.classes if name not in ("car", "truck", "bicycle")]
    assert list(dataset.classes) == [*kept, "vehicle", "other"]
    assert dataset.palette[kept.index("road")] == (128, 64, 128)
    assert dataset.palette[len(kept)] == (0, 0, 142)
    assert splits["train"]["a"] == [0, len(kept), IGNORED, len(kept) + 1, len(kept) + 1, len(kept) + 1]
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


COLORS = {"Road": (128, 64, 128), "Tree": (0, 128, 0), "Void": (0, 0, 0)}
CLASS_DICTS = {
    "usual": "name,r,g,b\n" + "\n".join(f"{name},{r},{g},{b}" for name, (r, g, b) in COLORS.items()),
    "other order": "R, G, B, Class\n" + "\n".join(f"{r}, {g}, {b}, {name}" for name, (r, g, b) in COLORS.items()),
    "no header": "\n".join(f"{name},{r},{g},{b}" for name, (r, g, b) in COLORS.items()),
}
PLACES = {  # split: image and mask
    "train_labels": {s: (f"{s}/a_{s}.png", f"{s}_labels/a_{s}_L.png") for s in ("train", "val", "test")},
    "valid": {s: (f"{f}/images/{s}.jpg", f"{f}/masks/{s}.png") for s, f in (("train", "train"), ("val", "valid"))},
    "images/train": {s: (f"images/{s}/a.jpg", f"masks/{s}/a_label.png") for s in ("train", "val")},
    "images": {"train": ("images/a.jpg", "masks/a.png")},
    "deepglobe": {"train": ("train/1_sat.jpg", "train/1_mask.png")},
    "one folder": {s: (f"{s}/1.png", f"{s}/1_mask.png") for s in ("train", "val")},
}


def class_dict(root, places, text=CLASS_DICTS["usual"]):
    mask = np.array([list(COLORS.values()) * 2] * SHAPE[0])
    draw(root, *places.values(), mask=mask)
    (root / "class_dict.csv").write_text(text)


@pytest.mark.parametrize("layout", PLACES)
def test_coloured_masks_with_class_dict_become_index_pngs(tmp_path, layout):
    class_dict(tmp_path / "raw", PLACES[layout])
    _, dataset, splits = imported("class-dict", tmp_path / "raw", label_map=("Void=ignore",))
    assert splits.keys() == PLACES[layout].keys()
    assert all(list(of_split.values()) == [[0, 1, IGNORED] * 2] for of_split in splits.values())
    assert dataset.classes == ("Road", "Tree")
    assert dataset.palette == (COLORS["Road"], COLORS["Tree"])


@pytest.mark.parametrize("text", CLASS_DICTS.values(), ids=CLASS_DICTS)
def test_class_dict_has_columns_in_any_order_and_case(tmp_path, text):
    class_dict(tmp_path / "raw", PLACES["images"], text)
    plan, dataset, splits = imported("class-dict", tmp_path / "raw")
    assert dict(zip(dataset.classes, dataset.palette, strict=True)) == COLORS
    assert splits["train"]["a"] == [0, 1, 2] * 2
    assert any("`label_map` Void=ignore" in note for note in plan.notes)


def test_a_wrong_class_dict_is_named(tmp_path):
    class_dict(tmp_path / "raw", PLACES["images"])
    path = tmp_path / "raw/class_dict.csv"
    for text, values in (
        ("name,red\nRoad,1", r"no column for green, blue; .*found name, red"),
        ("name,r,g,b\nRoad,1,2,300", r"'Road,1,2,300' is not a name with three numbers"),
        ("name,r,g,b\nRoad,1,2,3\nTree,1,2,3", "'Road' and 'Tree' have the same colour"),
        ("", "found nothing"),
    ):
        path.write_text(text)
        with raises("E-data-classes", values):
            imported("class-dict", tmp_path / "raw")
    path.write_text(CLASS_DICTS["usual"].replace("Void,0,0,0", "Void,0,0,9"))
    with raises("E-data-mask-values", r"#000000 \(8 px in 1 of 1 masks, nearest Void #000009, 9 away\)"):
        imported("class-dict", tmp_path / "raw")
    _, _, splits = imported("class-dict", tmp_path / "raw", snap=10)
    assert splits["train"]["a"] == [0, 1, 2] * 2


def yolo(root, data_yaml=None):
    """Photographs of 6x4 pixels: a large car on the left with a small wheel in it, an empty file, and no file."""
    for image, text in (
        ("images/train/a.jpg", "1 0.2 0.3 0.3 0.3 0.3 0.7 0.2 0.7\n0 0 0 0.49 0 0.49 1 0 1\n"),
        ("images/train/b.jpg", "0 0.5 0 1 0 1 1 0.5 1\n"),
        ("images/train/empty.jpg", ""),
        ("images/val/c.jpg", "0 0 0 1 0 1 0.3 0 0.3\n1 0 0.6 1 0.6 1 1 0 1\n"),
        ("images/val/none.jpg", None),
    ):
        save_photo(root / image)
        if text is not None:
            path = (root / image.replace("images", "labels")).with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (root / "data.yaml").write_text(data_yaml or "path: .\ntrain: images/train\nval: images/val\nnames: [car, wheel]\n")


@pytest.mark.parametrize(
    "data_yaml",
    [
        None,
        "train: ../images/train\nval: ../images/val\nnc: 2\nnames: ['car', 'wheel']\ndownload: raise SystemExit\n",
        "path: /elsewhere/raw\ntrain: train.txt\nvalid: [images/val]\nnames: {0: car, 1: wheel}\n",
    ],
    ids=["ultralytics", "roboflow", "list"],
)
def test_polygons_of_yolo_are_painted_larger_ones_first(tmp_path, data_yaml):
    yolo(tmp_path / "raw", data_yaml)
    lines = [f"./images/train/{name}.jpg" for name in ("a", "b", "empty")]
    (tmp_path / "raw/train.txt").write_text("\n".join(lines))
    plan, dataset, splits = imported("yolo", tmp_path / "raw")
    assert dataset.classes == ("background", "car", "wheel")
    assert splits == {
        "train": {"a": [1, 1, 1, 0, 0, 0], "b": [0, 0, 0, 1, 1, 1], "empty": [0] * 6},
        "val": {"c": [1] * 6, "none": [0] * 6},
    }
    mask = np.asarray(Image.open(next((tmp_path / "out/train_ids/train").rglob("a.png"))))
    assert mask[1, 1] == mask[2, 1] == 2
    assert "images without text file, which are only background: 1" in plan.notes


def test_background_of_yolo_can_be_ignored(tmp_path):
    yolo(tmp_path / "raw")
    plan, dataset, splits = imported("yolo", tmp_path / "raw/data.yaml", label_map=("background=ignore",))
    assert dataset.classes == ("car", "wheel")
    assert splits == {"train": {"a": [0] * 3 + [255] * 3, "b": [255] * 3 + [0] * 3}, "val": {"c": [0] * 6}}
    assert "left out: 2 images without shapes" in plan.notes


@pytest.mark.parametrize(
    ("line", "code", "values"),
    [
        ("0 0.5 0.5 0.2 0.2", "E-data-annotation", "1 of 5 shapes cannot be drawn, first in b a 'car': a box"),
        ("0 10 10 20 10 20 20", "E-data-annotation", r"point \(10, 10\); expected 0 to 1"),
        ("0 0.1 nan 0.2 0.2 0.3 0.3", "E-data-annotation", r"point \(0.1, nan\); expected 0 to 1"),
        ("0 0.1 0.1 0.2 0.2 0.3", "E-data-annotation", r"b\.txt line 1: expected class x1 y1"),
        ("car 0.1 0.1 0.2 0.2 0.3 0.3", "E-data-annotation", r"b\.txt line 1: expected class x1 y1"),
        ("7 0.1 0.1 0.2 0.2 0.3 0.1", "E-data-labels", r"1 label is not in .*: '7' \(1 shape\)"),
    ],
)
def test_a_wrong_line_of_yolo_is_named(tmp_path, line, code, values):
    yolo(tmp_path / "raw")
    (tmp_path / "raw/labels/train/b.txt").write_text(line)
    with raises(code, values):
        imported("yolo", tmp_path / "raw")


def test_a_wrong_data_yaml_is_named(tmp_path):
    for text, code, values in (
        ("train: images/train\n", "E-data-yaml", "no names in it"),
        ("names: [car, car]\ntrain: images/train\n", "E-data-yaml", "a list of different names"),
        ("names: [car]\ntrain: pictures\n", "E-data-missing", "train: no folder or list pictures"),
        ("names: [car]\n", "E-data-yaml", "expected train, val or test"),
        ("names: [car", "E-data-yaml", "is not YAML"),
    ):
        yolo(tmp_path / "raw", text)
        with raises(code, values):
            imported("yolo", tmp_path / "raw")
    (tmp_path / "raw/data.yaml").rename(tmp_path / "raw/one.yaml")
    (tmp_path / "raw/two.yaml").write_text("")
    with raises("E-data-yaml", "several YAML files"):
        imported("yolo", tmp_path / "raw")
