"""Coloured masks: exact, near and unknown colours."""

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.importers import Request, plan
from semseg.labels import IGNORED
from tests.conftest import raises

ROAD, CAR, VOID, STRANGE = (128, 64, 128), (0, 0, 142), (0, 0, 0), (0, 0, 140)


@pytest.fixture
def source(tmp_path):
    """Two masks and photographs of 4x2 pixels in a folder `street`."""
    for name in ("1", "2"):
        for folder, suffix in (("masks", ".png"), ("photos", ".jpg")):
            (tmp_path / folder / "street").mkdir(parents=True, exist_ok=True)
            mask = np.full((2, 4, 3), ROAD, np.uint8)
            mask[0, :2] = CAR
            mask[1, 0] = VOID
            Image.fromarray(mask).save(tmp_path / folder / "street" / f"{name}{suffix}")
    (tmp_path / "classes.txt").write_text("road #804080\ncar 0 0 142\n")
    return tmp_path


def request(folder, **more):
    given = {
        "format": "colors",
        "source": folder / "masks",
        "out_dir": folder / "out",
        "images_dir": folder / "photos",
        "classes": str(folder / "classes.txt"),
        "label_map": ("#000000=ignore",),
    }
    return Request(**given | more)


def recolor(path, color):
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0] = color
    Image.fromarray(pixels).save(path)


def test_colours_become_train_ids(source):
    plan(request(source)).write()
    with Image.open(source / "out/train_ids/train/street/1.png") as mask:
        assert mask.mode == "P"
        assert np.asarray(mask).tolist() == [[1, 1, 0, 0], [IGNORED, 0, 0, 0]]
        assert mask.getpalette()[:6] == [*ROAD, *CAR]


def test_palette_masks_are_read_by_their_colours(source):
    path = source / "masks/street/1.png"
    Image.open(path).quantize(8).save(path)
    plan(request(source)).write()
    written = [np.asarray(Image.open(source / f"out/train_ids/train/street/{name}.png")) for name in "12"]
    assert np.array_equal(*written)


def test_an_unknown_colour_is_an_error_with_counts_and_the_nearest(source):
    recolor(source / "masks/street/1.png", STRANGE)
    values = (
        rf"1 colour .*{source}/classes\.txt: #00008c \(1 px in 1 of 2 masks, nearest car #00008e, 2 away\);"
        " .*`label_map` '#00008c=ignore', or `snap`"
    )
    with raises("E-data-mask-values", values):
        plan(request(source))
    assert not (source / "out").exists()


def test_near_colours_snap_and_are_counted(source):
    recolor(source / "masks/street/1.png", STRANGE)
    work = plan(request(source, snap=2))
    assert work.notes == ("snapped: 1 px to the nearest colour",)
    work.write()
    assert np.asarray(Image.open(source / "out/train_ids/train/street/1.png"))[0, 0] == 1
    with raises("E-data-mask-values", "1 colour "):
        plan(request(source, snap=1.9))


def test_the_colours_of_the_masks_are_listed_when_no_classes_are_given(source):
    with raises("E-input-required", r"`classes`, .*masks holds #804080, #00008e, #000000"):
        plan(request(source, classes=None))


def test_names_with_suffixes_belong_together(source):
    for name in "12":
        (source / f"masks/street/{name}.png").rename(source / f"masks/street/{name}_color.PNG")
        (source / f"photos/street/{name}.jpg").rename(source / f"photos/street/{name}_left.jpg")
    work = plan(request(source, mask_suffix=("_color.png",), image_suffix=("_left.jpg",)))
    assert len(work.pictures) == 2


def test_a_mask_without_its_photograph_is_named(source):
    (source / "photos/street/2.jpg").unlink()
    with raises("E-data-missing", r"1 of 2 images .*2\.png; .*`images_dir`"):
        plan(request(source))
    work = plan(request(source, skip_broken=True))
    assert len(work.pictures) == 1
    assert work.notes[0].startswith("left out: 1 images that are not there, first that of ")


def test_a_mask_of_another_size_is_named(source):
    Image.new("RGB", (8, 4)).save(source / "photos/street/1.jpg")
    with raises(
        "E-data-images",
        r"1 of 2 images .*1\.jpg: 8x4, annotated at 4x2",
    ):
        plan(request(source))


@pytest.mark.parametrize(
    ("change", "code", "values"),
    [
        ({"images_dir": None}, "E-input-required", "`images_dir`"),
        ({"label_map": ("void=ignore",)}, "E-input-value", "`label_map` void=ignore: .*'#ff0000="),
        ({"label_map": ("#000000=vid",)}, "E-input-value", "`label_map` #000000=vid: .*'vid' .*ignore"),
    ],
)
def test_wrong_options_are_named(source, change, code, values):
    with raises(code, values):
        plan(request(source, **change))


def test_masks_are_never_written_over(source):
    (source / "train_ids").mkdir()
    (source / "masks").rename(source / "train_ids/train")
    with raises(
        "E-input-used",
        r"train_ids/train/street/1\.png .*`out_dir`",
    ):
        plan(request(source, source=source / "train_ids/train", out_dir=source))
