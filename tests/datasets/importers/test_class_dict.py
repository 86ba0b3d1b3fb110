"""Coloured masks with a class_dict.csv, in the layouts in which such sets are published."""

import numpy as np
import pytest

from semseg.labels import IGNORED
from tests.conftest import raises
from tests.datasets.importers.published import SHAPE, draw, imported

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
