"""Every fault is reported by name, in one sentence that says what to do."""

import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from semseg import labels
from semseg.checks.dataset import check_dataset_file
from tests.checks.sets import CLASSES, photograph, train_ids, write_set

LABEL_IDS = [label.label_id for label in labels.CITYSCAPES.labels if label.label_id >= 0]


def found(path, **options):
    """Check, and return `{code: line}`; each code at most once."""
    report = check_dataset_file(path, **options)
    lines = {finding.code: f"{finding.kind} {finding.line()}" for finding in report.findings}
    assert len(lines) == len(report.findings), report.lines()
    return lines


def mask_of(path, number=0, split="train"):
    return path.parent / "masks" / split / f"{number:02}.png"


def image_of(path, number=0, split="train", suffix=".png"):
    return path.parent / "images" / split / f"{number:02}{suffix}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to stand in, so that sentences hold short paths."""
    monkeypatch.chdir(tmp_path)
    from pathlib import Path

    Path("x").mkdir()
    return Path("x")


@pytest.mark.parametrize("deep", [False, True])
def test_a_healthy_set_gives_no_finding(here, deep):
    report = check_dataset_file(write_set(here), deep=deep)
    assert report.findings == ()
    assert report.lines() == [
        "x/dataset.yaml: no finding; 4 pairs of train, 2 pairs of val; 12 files read, 0 known from before"
    ]


def test_only_the_splits_that_are_asked_for_are_checked(here):
    path = write_set(here)
    mask_of(path).write_bytes(b"")
    assert found(path, splits=["val"]) == {}
    with pytest.raises(ValueError, match=r"x/dataset.yaml has no split 'test', only train, val"):
        check_dataset_file(path, ["test"])


# files and pairs


def test_the_suffix_that_would_have_matched_is_named(here):
    path = write_set(here, {"train": 2}, image_suffix=".jpg")
    path.write_text(path.read_text() + "image_suffix: .webp\n")
    assert found(path) == {
        "no-pair": "error train: no file in x/images/train ends with .webp (found 2 .jpg); set image_suffix"
    }


def test_names_that_do_not_meet_name_the_suffixes_that_do(here):
    path = write_set(here, {"train": 3})
    for mask in (here / "masks/train").iterdir():
        mask.rename(mask.with_name(f"{mask.stem}_mask.png"))
    assert found(path) == {
        "no-pair": "error train: all 3 images have no mask, first x/images/train/00.png; with image_suffix"
        " '.png' and"
        " mask_suffix '_mask.png' 3 of them would match; set these"
    }


def test_images_without_mask_are_an_error_and_masks_without_image_a_warning(here):
    path = write_set(here)
    mask_of(path, 1).unlink()
    image_of(path, 3).unlink()
    assert found(path) == {
        "images-without-mask": "error train: 1 of 3 images have no mask, first x/images/train/01.png; label"
        " them, or"
        " list the pairs to use: train: {pairs: FILE} in x/dataset.yaml",
        "masks-without-image": "warning train: 1 of 3 masks have no image and are left out, first"
        " x/masks/train/03.png;"
        " add the images, or remove the masks",
    }


def test_hidden_and_foreign_files_are_a_note(here):
    path = write_set(here)
    image_of(path).with_name("._00.png").write_bytes(b"x")
    image_of(path).with_name("Thumbs.db").write_bytes(b"x")
    assert found(path) == {
        "foreign-files": "note train: 2 other files skipped: x/images/train/._00.png (hidden),"
        " x/images/train/Thumbs.db (another kind)"
    }


def test_a_missing_folder_says_what_to_set(here):
    path = write_set(here, root="elsewhere")
    assert found(path) == {"no-folder": "error no folder x/elsewhere; set root in x/dataset.yaml"}


def test_a_missing_set_of_this_project_says_what_draws_it(here):
    path = write_set(here, root="../data/rosario_labelled")
    assert found(path)["no-folder"].endswith(
        "no folder data/rosario_labelled; run python tools/dataset.py toycity data/rosario --style rosario"
    )


# values


def test_label_ids_where_train_ids_belong_name_the_converter(here):
    path = write_set(here, {"train": 3}, classes="cityscapes")
    Image.fromarray(np.resize(np.array(LABEL_IDS, np.uint8), (32, 48))).save(mask_of(path, 1))
    assert found(path) == {
        "mask-values": "error train: 1 of 3 masks hold values outside 0..18 and 255, worst"
        " x/masks/train/01.png"
        " {19: 45 px, 20: 45 px, 21: 45 px, 22: 45 px, and 11 more}; these look like Cityscapes label ids"
        " where train ids"
        " belong: run python tools/convert_datasets/cityscapes.py ROOT"
    }


def test_other_strange_values_name_label_map_and_the_worst_mask(here):
    path = write_set(here)
    for number, count in ((0, 2), (2, 7)):
        values = train_ids()
        values[1, :count] = 77
        Image.fromarray(values).save(mask_of(path, number))
    assert found(path) == {
        "mask-values": "error train: 2 of 4 masks hold values outside 0..2 and 255, worst"
        " x/masks/train/02.png {77: 7 px};"
        " name them in label_map in x/dataset.yaml, as a class or as ignore"
    }


def test_binary_masks_whose_object_would_be_ignored(here):
    path = write_set(here, {"train": 2}, classes=["background", "crack"])
    for number in range(2):
        Image.fromarray((train_ids(number) % 2 * 255).astype(np.uint8)).save(mask_of(path, number))
    assert found(path) == {
        "binary-masks": "error train: all 2 masks hold only 0 and 255, and 255 is ignored: the object would"
        " never be"
        " learnt; set label_map: {255: crack} in x/dataset.yaml"
    }
    path.write_text(path.read_text() + "label_map: {255: crack}\n")
    assert found(path) == {}


def test_colours_that_nobody_named(here):
    classes = [{"name": "road", "color": [128, 64, 128]}, {"name": "grass", "color": [0, 255, 0]}]
    path = write_set(here, {"train": 1}, encoding="rgb", classes=classes)
    colors = np.array([(128, 64, 128), (0, 255, 0)], np.uint8)[train_ids(0, num_classes=2) % 2]
    Image.fromarray(colors).save(mask_of(path))
    assert found(path) == {}
    colors[0, 0] = (1, 2, 3)
    Image.fromarray(colors).save(mask_of(path))
    assert found(path) == {
        "mask-values": "error train: 1 of 1 masks hold colours that are not in the list, worst"
        " x/masks/train/00.png"
        " {#010203: 1 px}; add them to classes or label_map in x/dataset.yaml"
    }
    colors[:, ::2] = np.random.default_rng(0).integers(0, 255, colors[:, ::2].shape)
    Image.fromarray(colors).save(mask_of(path))
    assert found(path)["mask-values"].endswith("edges look smoothed: set snap: 40 in x/dataset.yaml")


# kinds

EXPECTED = "an index image is expected, first x/masks/train/00.png"
IMPORT = "python tools/dataset.py import colors x/masks/train --images x/images/train --classes FILE"


def as_kind(kind, values):
    gray = Image.fromarray(values)
    if kind == "I;16":
        return Image.fromarray(values.astype(np.uint16) * 1000)
    return gray.convert(kind)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("RGB", f"are RGB where {EXPECTED} (RGB, 4 colours); run {IMPORT} --split train --out DIR"),
        ("RGBA", f"are RGBA where {EXPECTED} (RGBA, 4 colours); run {IMPORT} --split train --out DIR"),
        ("LA", f"are grey with alpha where {EXPECTED} (LA, 4 colours); run {IMPORT} --split train --out DIR"),
        (
            "I;16",
            f"are 16-bit where {EXPECTED} (values 0 to 60000); renumber them to 0..2 and 255, and save them"
            " with 8 bits",
        ),
    ],
)
def test_other_kinds_of_picture_name_the_import(here, kind, sentence):
    path = write_set(here)
    values = train_ids()
    if kind == "I;16":
        values = np.minimum(values, 60)
    as_kind(kind, values).save(mask_of(path))
    assert found(path) == {"mask-kind": f"error train: 1 of 4 masks {sentence}"}


def test_jpeg_masks_name_png_and_the_import(here):
    path = write_set(here, {"train": 2}, mask_suffix=".jpg")
    for number in range(2):
        mask = mask_of(path, number)
        Image.open(mask).save(mask.with_suffix(".jpg"))
        mask.unlink()
    line = found(path)["mask-kind"]
    assert line.startswith(
        "error train: all 2 masks are JPEG, which changes labels near edges, where an index image is"
    )
    assert line.endswith(f"; export PNG, or run {IMPORT} --mask-suffix .jpg --snap 40 --split train --out DIR")


def test_a_palette_is_an_index_image_and_16_bit_with_small_values_too(here):
    path = write_set(here)
    palette = Image.fromarray(train_ids())
    palette.putpalette(bytes(range(256)) * 3)
    palette.save(mask_of(path, 0))
    Image.fromarray(train_ids().astype(np.uint16)).save(mask_of(path, 1))
    assert found(path) == {}


# sizes


def test_a_mask_of_another_size(here):
    path = write_set(here)
    Image.fromarray(train_ids(size=(24, 16))).save(mask_of(path, 2))
    assert found(path) == {
        "sizes": "error train: 1 of 4 masks have another size than their image, first x/masks/train/02.png"
        " (24x16, its"
        " image 02.png 48x32); scale them with nearest neighbour, or find the right image"
    }


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_mask_that_fits_the_photograph_only_as_stored(here, suffix):
    path = write_set(here, image_suffix=suffix)
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph(9).save(image_of(path, suffix=suffix), exif=exif)
    assert found(path) == {
        "sizes-exif": "error train: 1 of 4 masks have another size than their image, first"
        " x/masks/train/00.png (48x32,"
        f" its image 00{suffix} 32x48); EXIF turns the image and not the mask: set exif: ignore in"
        f" x/dataset.yaml"
    }
    path.write_text(path.read_text() + "exif: ignore\n")
    assert found(path) == {}


def test_a_mask_drawn_on_the_turned_photograph_fits(here):
    path = write_set(here)
    exif = Image.Exif()
    exif[0x0112] = 8
    photograph(9).save(image_of(path), exif=exif)
    Image.fromarray(train_ids(size=(32, 48))).save(mask_of(path))
    assert found(path) == {}


def test_a_photograph_upside_down_is_doubtful(here):
    path = write_set(here)
    exif = Image.Exif()
    exif[0x0112] = 3
    photograph(9).save(image_of(path), exif=exif)
    assert found(path)["orientation"].startswith(
        "warning train: 1 of 4 images are turned or mirrored by EXIF and their masks are not, first"
        " x/images/train/00.png (EXIF orientation 3); look at them"
    )


# broken files


def test_every_file_that_cannot_be_read_is_named(here):
    path = write_set(here)
    image_of(path, 0).write_bytes(b"")
    image_of(path, 1).write_bytes(image_of(path, 1).read_bytes()[:-20])
    image_of(path, 2).write_text("hello")
    content = bytearray(mask_of(path, 3).read_bytes())
    mask_of(path, 3).write_bytes(content[: len(content) // 2])
    line = found(path)["unreadable"]
    assert line == (
        "error train: 4 of 8 files cannot be read: x/images/train/00.png (zero bytes),"
        " x/images/train/01.png (truncated:"
        " no end mark), x/images/train/02.png (not an image), x/masks/train/03.png (damaged: image file is"
        " truncated);"
        " copy them again, or remove these pairs"
    )


def test_a_decompression_bomb_is_not_opened(here):
    path = write_set(here)
    content = image_of(path).read_bytes()
    header = b"IHDR" + struct.pack(">II", 30000, 30000) + content[24:29]
    image_of(path).write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])
    assert found(path) == {
        "decompression-bomb": "error train: 1 of 8 files claim more pixels than is safe to open:"
        " x/images/train/00.png"
        " (decompression bomb: 900000000 pixels); cut them into tiles, or remove these pairs"
    }


def test_deep_finds_what_only_a_decoder_sees(here):
    path = write_set(here, image_suffix=".jpg")
    photograph(0, (400, 300)).save(image_of(path, 0, suffix=".jpg"), quality=95)
    content = bytearray(image_of(path, 0, suffix=".jpg").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    image_of(path, 0, suffix=".jpg").write_bytes(content)
    assert "damaged" not in found(path)
    assert found(path, deep=True)["damaged"].startswith(
        "warning train: 1 of 8 files are damaged and can be read in part: x/images/train/00.jpg (Corrupt JPEG data: "
    )


# what stands in two splits, and how much of each class


def test_the_same_picture_in_two_splits(here):
    path = write_set(here)
    image_of(path, 1, "val").write_bytes(image_of(path, 2).read_bytes())
    assert found(path) == {
        "repeated": "warning train, val: 1 of 2 images of val are in train too: x/images/val/01.png (same as"
        " x/images/train/02.png); scores on val flatter the model: python tools/dataset.py split"
        " x/dataset.yaml"
        " --group-by RULE --out DIR keeps neighbours together"
    }


def test_deep_finds_a_picture_that_was_saved_again(here):
    path = write_set(here, image_suffix=".jpg")
    photograph(2).save(image_of(path, 1, "val", ".jpg"), quality=60)
    assert found(path) == {}
    assert found(path, deep=True)["near-repeated"].startswith(
        "warning train, val: 1 of 2 images of val look the same as one of train: x/images/val/01.jpg (looks"
        " like"
        " x/images/train/02.jpg); scores on val flatter the model"
    )


def test_classes_without_a_pixel(here):
    path = write_set(here, classes=[*CLASSES, "rider", "truck"])
    report = check_dataset_file(path)
    assert [finding.line() for finding in report.findings] == [
        "train: no pixel of rider, truck in 4 masks: nothing to learn from",
        "val: no pixel of rider, truck in 2 masks: nothing to measure",
    ]
    assert {finding.kind for finding in report.findings} == {"warning"}


def test_a_set_that_is_mostly_ignored_and_of_one_class(here):
    path = write_set(here, {"train": 1})
    values = np.full((32, 48), 255, np.uint8)
    values[:8] = 1
    values[0, 0], values[0, 1] = 0, 2
    Image.fromarray(values).save(mask_of(path))
    assert found(path) == {
        "mostly-ignored": "warning train: 75.0 % of the pixels are ignored (255); is that meant?",
        "one-class": "warning train: 99.5 % of the labelled pixels are grass: a model that always says so"
        " looks good; read"
        " the IoU of the other classes",
    }


# the report


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


def test_two_processes_find_what_one_finds(here):
    path = write_set(here, {"train": 80})
    mask_of(path, 7).write_bytes(b"")
    assert found(path, num_processes=2, deep=True) == found(path, num_processes=1, deep=True) != {}
