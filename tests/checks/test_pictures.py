"""Files that cannot be read, do not fit, or are in two splits: each is reported by name."""

import struct
import zlib

import pytest
from PIL import Image

from tests.checks.sets import check_set, image_of, mask_of, photograph, train_ids, write_set


def test_of_many_broken_files_a_few_are_named_and_the_others_counted(here):
    path = write_set(here, {"train": 40})
    for number in range(40):
        image_of(path, number).write_bytes(b"")
    line = check_set(path)["unreadable"]
    assert "40 of 80 files cannot be read: x/images/train/00.png (zero bytes), " in line
    assert "x/images/train/07.png (zero bytes) and 32 more; copy them again" in line
    assert len(line) < 500


def write_list(path, rows):
    (path.parent / "pairs.csv").write_text("image,mask\n" + "".join(f"{image},{mask}\n" for image, mask in rows))
    return path


@pytest.mark.parametrize(("split", "kind"), [("train", "warning"), ("val", "error")])
def test_an_image_that_is_listed_twice_is_reported_with_its_rows(here, split, kind):
    path = write_set(here, {"train": 3}, splits={split: {"pairs": "pairs.csv"}})
    pairs = [(f"images/train/{number:02}.png", f"masks/train/{number:02}.png") for number in range(3)]
    write_list(path, [*pairs, pairs[1], pairs[0]])
    line = check_set(path)["listed-twice"]
    assert line.startswith(
        f"{kind} {split}: 2 of 3 images of {split} are listed more than once: x/images/train/00.png (rows 1, 5),"
        " x/images/train/01.png (rows 2, 4)"
    )
    write_list(path, [*pairs, (pairs[0][0], pairs[1][1])])
    assert check_set(path)["listed-twice"] == (
        f"error {split}: 1 of 3 images of {split} are listed more than once: x/images/train/00.png (rows 1, 4);"
        " x/images/train/00.png even with different masks: keep one row for each image"
    )


def test_a_mask_of_another_size(here):
    path = write_set(here)
    Image.fromarray(train_ids(size=(24, 16))).save(mask_of(path, 2))
    assert check_set(path) == {
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
    assert check_set(path) == {
        "sizes-exif": "error train: 1 of 4 masks have another size than their image, first"
        " x/masks/train/00.png (48x32,"
        f" its image 00{suffix} 32x48); EXIF turns the image and not the mask: set exif: ignore in"
        f" x/dataset.yaml"
    }
    path.write_text(path.read_text() + "exif: ignore\n")
    assert check_set(path) == {}


def test_a_mask_drawn_on_the_turned_photograph_fits(here):
    path = write_set(here)
    exif = Image.Exif()
    exif[0x0112] = 8
    photograph(9).save(image_of(path), exif=exif)
    Image.fromarray(train_ids(size=(32, 48))).save(mask_of(path))
    assert check_set(path) == {}


def test_a_photograph_upside_down_is_doubtful(here):
    path = write_set(here)
    exif = Image.Exif()
    exif[0x0112] = 3
    photograph(9).save(image_of(path), exif=exif)
    assert check_set(path)["orientation"].startswith(
        "warning train: 1 of 4 images are turned or mirrored by EXIF and their masks are not, first"
        " x/images/train/00.png (EXIF orientation 3); look at them"
    )


def test_every_file_that_cannot_be_read_is_named(here):
    path = write_set(here)
    image_of(path, 0).write_bytes(b"")
    image_of(path, 1).write_bytes(image_of(path, 1).read_bytes()[:-20])
    image_of(path, 2).write_text("hello")
    content = bytearray(mask_of(path, 3).read_bytes())
    mask_of(path, 3).write_bytes(content[: len(content) // 2])
    line = check_set(path)["unreadable"]
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
    assert check_set(path) == {
        "decompression-bomb": "error train: 1 of 8 files claim more pixels than is safe to open:"
        " x/images/train/00.png"
        " (decompression bomb: 900000000 pixels); cut them into tiles, or remove these pairs"
    }


def test_a_deep_check_finds_damage_that_only_decoding_shows(here):
    path = write_set(here, image_suffix=".jpg")
    photograph(0, (400, 300)).save(image_of(path, 0, suffix=".jpg"), quality=95)
    content = bytearray(image_of(path, 0, suffix=".jpg").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 300] = bytes(300)
    image_of(path, 0, suffix=".jpg").write_bytes(content)
    assert "damaged" not in check_set(path)
    assert check_set(path, deep=True)["damaged"].startswith(
        "warning train: 1 of 8 files are damaged and can be read in part: x/images/train/00.jpg (Corrupt JPEG data: "
    )


def test_the_same_picture_in_two_splits(here):
    path = write_set(here)
    image_of(path, 1, "val").write_bytes(image_of(path, 2).read_bytes())
    assert check_set(path) == {
        "repeated": "warning train, val: 1 of 2 images of val are in train too: x/images/val/01.png (same as"
        " x/images/train/02.png); scores on val flatter the model: python tools/dataset.py split"
        " x/dataset.yaml"
        " --group-by RULE --out DIR keeps neighbours together"
    }


def test_a_deep_check_finds_a_picture_that_was_saved_again(here):
    path = write_set(here, image_suffix=".jpg")
    photograph(2).save(image_of(path, 1, "val", ".jpg"), quality=60)
    assert check_set(path) == {}
    assert check_set(path, deep=True)["near-repeated"].startswith(
        "warning train, val: 1 of 2 images of val look the same as one of train: x/images/val/01.jpg (looks"
        " like"
        " x/images/train/02.jpg); scores on val flatter the model"
    )
