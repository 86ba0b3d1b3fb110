import contextlib
import re

import numpy as np
import pytest
import yaml
from PIL import Image

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.image_files import read_image
from semseg.datasets.masks import census, decode_mask
from semseg.labels import CITYSCAPES
from tests.conftest import raises

ROAD, GRASS, SKY = (128, 64, 128), (0, 255, 0), (0, 0, 255)
TRAIN_IDS = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
CLASSES = [{"name": name, "color": list(color)} for name, color in zip("abc", (ROAD, GRASS, SKY), strict=True)]


def rules(folder, encoding, **more):
    content = {"splits": {"train": {"images": "a", "masks": "b"}}, "encoding": encoding, "classes": CLASSES}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(content | more))
    return read_dataset_file(folder / "dataset.yaml")


def save(path, array, mode=None, **how):
    image = Image.fromarray(np.asarray(array))
    (image.convert(mode, palette=Image.Palette.ADAPTIVE) if mode else image).save(path, **how)
    return path


def colored(*rows):
    return np.array(rows, np.uint8)


RGB = colored((ROAD, GRASS, SKY), (SKY, GRASS, ROAD))


def palette_png(path, indices, *colors):
    image = Image.fromarray(np.array(indices, np.uint8)).convert("P")
    image.putpalette([part for color in colors for part in color])
    image.save(path)
    return path


def turned(path, array, orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(array).save(path, exif=exif)
    return path


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "I"])
def test_ids_are_positions_in_the_list_of_classes(tmp_path, mode):
    values = np.where(TRAIN_IDS == 1, 255, TRAIN_IDS)
    image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.uint8)).convert(mode)
    decoded = decode_mask(image, rules(tmp_path, "ids"))
    assert decoded.dtype == np.uint8
    assert (decoded == values).all()


def test_one_bit_masks_are_zeros_and_ones(tmp_path):
    image = Image.fromarray(TRAIN_IDS == 2)
    assert image.mode == "1"
    assert decode_mask(image, rules(tmp_path, "ids")).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_the_label_map_overrides_the_ids(tmp_path):
    described = rules(tmp_path, "ids", label_map={0: "ignore", 1: "b", 200: "b", 255: "c"})
    assert decode_mask(save(tmp_path / "m.png", colored((0, 200, 255, 1))), described).tolist() == [[255, 1, 2, 1]]


def test_a_position_does_not_mean_its_class_where_the_label_map_names_other_values_for_it(tmp_path):
    described = rules(tmp_path, "ids", label_map={3: "a", 4: "a", 8: "b"})
    assert decode_mask(save(tmp_path / "m.png", colored((3, 4, 8, 2))), described).tolist() == [[0, 0, 1, 2]]
    path = save(tmp_path / "n.png", colored((3, 8, 0, 0)))
    with raises("E-data-mask-values", rf"^{path} .*\{{0: 2 px\}}; label_map gives 3 and 4 to a, .*add 0 to label_map"):
        decode_mask(path, described)
    described = rules(tmp_path, "ids", label_map={3: "a", 8: "b", 0: "ignore"})
    assert decode_mask(path, described).tolist() == [[0, 1, 255, 255]]


def test_unknown_values_are_named_with_pixels_and_the_nearest_known(tmp_path):
    path = save(tmp_path / "m.png", colored((0, 7, 7, 33), (1, 7, 255, 2)))
    values = f"{path} holds values outside 0..2 and 255: {{7: 3 px, 33: 1 px}}; nearest known is 2 (c)"
    with raises("E-data-mask-values", f"^{re.escape(values)}"):
        decode_mask(path, rules(tmp_path, "ids"))


def test_a_census_counts_instead_of_refusing(tmp_path):
    found = census(save(tmp_path / "m.png", colored((0, 7, 7, 33))), rules(tmp_path, "ids"))
    assert (found.unknown, found.snapped) == ({7: 2, 33: 1}, {})
    assert found.train_ids.tolist() == [[0, 255, 255, 255]]


def test_sixteen_bits_above_255_are_refused(tmp_path):
    path = save(tmp_path / "m.png", np.array([[0, 300, 40000, 300]], np.uint16))
    with raises("E-data-mask-values", r"m\.png .*0\.\.255: \{300: 2 px, 40000: 1 px\}"):
        decode_mask(path, rules(tmp_path, "ids"))


def test_the_colours_of_a_palette_count_and_not_its_order(tmp_path):
    path = palette_png(tmp_path / "m.png", TRAIN_IDS, SKY, ROAD, GRASS)
    assert (decode_mask(path, rules(tmp_path, "palette")) == colored((2, 0, 1), (1, 0, 2))).all()


def test_only_the_colours_that_occur_have_to_be_known(tmp_path):
    path = palette_png(tmp_path / "m.png", [[0, 0, 1]], ROAD, GRASS, (9, 9, 9))
    assert decode_mask(path, rules(tmp_path, "palette")).tolist() == [[0, 0, 1]]
    path = palette_png(tmp_path / "m.png", [[0, 2, 1, 3]], ROAD, GRASS, (9, 9, 9), (9, 9, 9))
    with raises("E-data-mask-values", r"1 colour .*\{#090909: 2 px \(nearest a, \d+ away\)\}"):
        decode_mask(path, rules(tmp_path, "palette"))
    label_map = {2: "ignore", "#090909": "c"}  # an index goes before a colour
    assert decode_mask(path, rules(tmp_path, "palette", label_map=label_map)).tolist() == [[0, 255, 1, 2]]


@pytest.mark.parametrize("mode", [None, "RGBA", "P"])
def test_colours_are_found_in_rgb_masks(tmp_path, mode):
    path = save(tmp_path / "m.png", RGB, mode)
    assert Image.open(path).mode == (mode or "RGB")
    assert (decode_mask(path, rules(tmp_path, "rgb")) == TRAIN_IDS).all()


def test_black_and_white_mean_what_the_list_says(tmp_path):
    path = save(tmp_path / "m.png", colored((0, 255, 255)))
    with raises("E-data-mask-values", r"2 colours .*\{#ffffff: 2 px \(.*\), #000000: 1 px \("):
        decode_mask(path, rules(tmp_path, "rgb"))
    assert decode_mask(path, rules(tmp_path, "rgb", label_map={"#000000": "a", 255: "ignore"})).tolist() == [
        [0, 255, 255]
    ]


def test_unknown_colours_are_named_with_pixels_and_the_nearest_known(tmp_path):
    path = save(tmp_path / "m.png", colored((ROAD, (128, 64, 120), (0, 250, 0), (0, 250, 0))))
    values = r"\{#00fa00: 2 px \(nearest b, 5 away\), #804078: 1 px \(nearest a, 8 away\)\}"
    with raises("E-data-mask-values", f"^{path} .*2 colours .*{values}"):
        decode_mask(path, rules(tmp_path, "rgb"))
    with raises("E-data-mask-values", r"1 colour .*\{#804078: 1 px"):
        decode_mask(path, rules(tmp_path, "rgb", snap=7))


@pytest.mark.parametrize("encoding", ["rgb", "palette"])
def test_near_colours_snap_and_are_counted(tmp_path, encoding):
    stray = (3, 250, 4)
    if encoding == "rgb":
        path = save(tmp_path / "m.png", colored((ROAD, stray, stray, (70, 70, 70))))
    else:
        path = palette_png(tmp_path / "m.png", [[0, 1, 1, 2]], ROAD, stray, (70, 70, 70))
    described = rules(tmp_path, encoding, snap=10)
    found = census(path, described)
    assert (found.snapped, found.unknown) == ({stray: 2}, {(70, 70, 70): 1})
    assert found.train_ids.tolist() == [[0, 1, 1, 255]]
    described = rules(tmp_path, encoding, snap=10, label_map={"#464646": "ignore"})
    for _ in range(2):  # the second time from what the first has learnt
        assert decode_mask(path, described).tolist() == [[0, 1, 1, 255]]
    assert census(path, described).snapped == {stray: 2}


def test_snapping_takes_the_nearest_of_all_colours(tmp_path):
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (40, 50, 3), np.uint8)
    palette = np.array(CITYSCAPES.palette)
    distances = np.linalg.norm(image[:, :, None].astype(float) - palette, axis=-1)
    described = rules(tmp_path, "rgb", classes="cityscapes", snap=442)
    decoded = decode_mask(Image.fromarray(image), described)
    assert np.allclose(np.take_along_axis(distances, decoded[..., None].astype(int), -1)[..., 0], distances.min(-1))


@pytest.mark.parametrize(
    ("encoding", "mode", "values"),
    [
        ("ids", "RGB", "m.png is RGB, .*encoding: rgb"),
        ("ids", "LA", "m.png is LA"),
        ("palette", "RGB", "m.png is RGB, .*encoding: rgb"),
        ("palette", "L", "m.png is L, .*encoding: ids"),
    ],
)
def test_a_mask_of_another_kind_is_refused_with_the_encoding_to_set(tmp_path, encoding, mode, values):
    path = save(tmp_path / "m.png", RGB, mode)
    for read in (decode_mask, census):
        with raises("E-data-encoding", values):
            read(path, rules(tmp_path, encoding))


def test_transparent_pixels_are_refused(tmp_path):
    rgba = np.dstack([RGB, np.array([[255, 255, 0], [255, 9, 255]], np.uint8)])
    with raises("E-data-encoding", r"m\.png has 2 pixels"):
        decode_mask(save(tmp_path / "m.png", rgba), rules(tmp_path, "rgb"))


def test_a_jpeg_mask_needs_snap(tmp_path):
    path = save(tmp_path / "m.jpg", np.kron(RGB, np.ones((32, 32, 1), np.uint8)), quality=95, subsampling=0)
    with raises("E-data-encoding", r"m\.jpg is a JPEG, .*snap"):
        decode_mask(path, rules(tmp_path, "rgb"))
    assert (decode_mask(path, rules(tmp_path, "rgb", snap=150)) == np.kron(TRAIN_IDS, np.ones((32, 32)))).mean() > 0.95


def test_missing_and_broken_files_are_named(tmp_path):
    described = rules(tmp_path, "ids")
    with raises("E-data-missing", r"mask .*none\.png"):
        decode_mask(tmp_path / "none.png", described)
    with raises("E-data-missing", r"image .*none\.png"):
        read_image(tmp_path / "none.png")
    whole = save(tmp_path / "m.png", np.zeros((64, 64), np.uint8)).read_bytes()
    for content in (b"", b"no picture", whole[:60]):
        (tmp_path / "m.png").write_bytes(content)
        with raises("E-data-unreadable", r"m\.png .*\("):
            decode_mask(tmp_path / "m.png", described)
        with raises("E-data-unreadable", r"m\.png"):
            read_image(tmp_path / "m.png")


def test_exif_turns_both_images_and_masks_or_none(tmp_path):
    image = np.repeat(np.repeat(RGB, 8, 0), 8, 1)
    photograph, mask = turned(tmp_path / "p.jpg", image), turned(tmp_path / "m.png", image)
    described = rules(tmp_path, "rgb")
    assert read_image(photograph).shape == (24, 16, 3)
    assert (decode_mask(mask, described) == np.rot90(np.kron(TRAIN_IDS, np.ones((8, 8))), -1)).all()
    described = rules(tmp_path, "rgb", exif="ignore")
    assert read_image(photograph, "ignore").shape == (16, 24, 3)
    assert (decode_mask(mask, described) == np.kron(TRAIN_IDS, np.ones((8, 8)))).all()


def test_a_photograph_is_read_as_rgb(tmp_path):
    assert read_image(save(tmp_path / "p.png", RGB)).tolist() == RGB.tolist()
    assert read_image(save(tmp_path / "p.png", TRAIN_IDS)).shape == (2, 3, 3)


def test_a_mask_whose_end_is_lost_is_refused_although_pillow_fills_it(tmp_path):
    values = np.random.default_rng(0).integers(0, 3, (64, 96)).astype(np.uint8)
    path = save(tmp_path / "mask.png", values)
    content, num_filled = path.read_bytes(), 0
    for length in range(len(content) // 3, len(content) - 50, 20):
        path.write_bytes(content[:length] + bytes(len(content) - length))  # as a power cut may leave it
        with contextlib.suppress(OSError):
            num_filled += (np.asarray(Image.open(path)) != values).any()
        with raises("E-data-unreadable", f"^{path} is not a readable image "):
            decode_mask(path, rules(tmp_path, "ids"))
    assert num_filled > 5
