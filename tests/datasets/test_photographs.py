"""One reader of photographs: every way to read one gives the same pixels, or the same refusal."""

import re

import cv2
import numpy as np
import pytest
import tifffile
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from semseg.datasets.bit_depth import check_bits, scale_to_8_bits
from semseg.datasets.file_facts import read_image_facts
from semseg.datasets.image_files import read_image
from semseg.datasets.photographs import decode_photograph
from semseg.datasets.transforms import LoadPhotograph
from semseg.inference.reading import read_photograph
from semseg.inference.tiff import TiffImage
from tests.conftest import raises
from tests.datasets.photograph_zoo import ALPHA, DEEP, GREY, HEIGHT, MODES, REFUSED, RGB, TWELVE, pillow, png, tiff


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


def as_trained(path, bits=None, **options):
    results = LoadPhotograph(bits, **options)({"img_path": str(path)})
    assert results["ori_shape"] == results["img_shape"] == results["img"].shape[:2]
    return results["img"][:, :, ::-1]


@pytest.mark.parametrize("name", MODES)
def test_training_inference_and_pictures_read_the_same_pixels(tmp_path, name):
    content, expected = MODES[name]
    path = written(tmp_path, name, content)
    for read in (as_trained, lambda path: read_photograph(path).image, read_image):
        found = read(path)
        assert (found.dtype, found.shape) == (np.uint8, expected.shape)
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(read_photograph(content).image, expected)
    facts = read_image_facts(path, deep=True)
    assert (facts.problem, facts.refusal, len(facts.thumbnail)) == ("", "", 144)


@pytest.mark.parametrize("name", REFUSED)
def test_every_reader_refuses_the_same_kinds_by_name(tmp_path, name):
    content, sentence = REFUSED[name]
    path = written(tmp_path, name, content)
    for read in (as_trained, read_photograph, read_image, lambda path: read_photograph(content)):
        with raises("E-data-bits" if "12 bits." in name or "10 bits." in name else "E-data-image-kind", sentence):
            read(path)
    facts = read_image_facts(path, deep=False)
    assert facts.problem == ""
    assert facts.refusal or facts.depth[1] in (10, 12)


@pytest.mark.parametrize("bits", [None, 12])
@pytest.mark.parametrize("name", ["a.jpg", "grey.jpg", "progressive.jpg", "a.png", "palette.png", "a.webp", "a.bmp"])
@pytest.mark.parametrize("color_type", ["color", "color_ignore_orientation"])
def test_a_plain_picture_is_what_mmcv_loads(tmp_path, name, bits, color_type):
    picture = Image.fromarray(RGB).resize((61, 43))
    picture = picture.convert({"grey.jpg": "L", "palette.png": "P"}.get(name, "RGB"))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / name, progressive="progressive" in name, exif=exif)
    stock, ours = ({"img_path": str(tmp_path / name)} for _ in range(2))
    stock = LoadImageFromFile(color_type=color_type)(stock)
    ours = LoadPhotograph(bits, color_type=color_type)(ours)
    assert stock.keys() == ours.keys()
    np.testing.assert_array_equal(ours["img"], stock["img"])
    exif = "apply" if color_type == "color" else "ignore"
    np.testing.assert_array_equal(read_photograph(tmp_path / name, exif).image, stock["img"][:, :, ::-1])


def test_other_kinds_of_colour_are_left_to_mmcv(tmp_path):
    path = written(tmp_path, "a.tif", tiff(DEEP, photometric="rgb"))
    found = LoadPhotograph(color_type="unchanged")({"img_path": str(path)})["img"]
    np.testing.assert_array_equal(found[:, :, ::-1], DEEP)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("grey", [False, True])
def test_bits_scale_a_photograph_alike_in_training_and_inference(tmp_path, suffix, grey):
    values = TWELVE[:, :, 1] if grey else TWELVE
    content = png(values) if suffix == "png" else tiff(values, photometric="minisblack" if grey else "rgb")
    path = written(tmp_path, f"a.{suffix}", content)
    expected = np.repeat(GREY[..., None], 3, axis=2) if grey else RGB
    for found in (as_trained(path, 12), read_photograph(path, bits=12).image, read_image(path, bits=12)):
        np.testing.assert_array_equal(found, expected)
    if suffix == "tif":
        with TiffImage(path, 12) as image:
            np.testing.assert_array_equal(image[:, :], expected)
    assert read_photograph(path, bits=16).image.max() == 16  # what it would be without bits: nearly black
    for read in (lambda: as_trained(path, 10), lambda: read_photograph(path, bits=10)):
        with raises("E-data-bits", r"up to 4095, and 10 bits end at 1023"):
            read()


def test_the_highest_value_of_the_bits_in_use_becomes_255_and_the_rest_the_nearest():
    for bits in range(8, 17):
        values = np.arange(1 << bits, dtype=np.uint16)
        scaled = scale_to_8_bits(values, bits)
        assert scaled[[0, -1]].tolist() == [0, 255]
        assert np.abs(scaled - values * (255 / values[-1])).max() <= 0.5
    for bits in (0, 7, 17, "12", True, 12.0):
        with raises("E-data-bits", re.escape(f"bits {bits!r}: ")):
            check_bits(bits)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("grey", [False, True])
def test_16_bits_are_turned_as_8_bits_are(tmp_path, orientation, suffix, grey):
    exif = Image.Exif()
    exif[0x0112] = orientation
    plain = written(tmp_path, "plain.png", pillow(GREY if grey else RGB, "PNG", exif=exif))
    values = DEEP[:, :, 1] if grey else DEEP
    if suffix == "png":
        header = len(b"\x89PNG\r\n\x1a\n") + 25
        with plain.open("rb") as file:
            content = file.read()
        start = content.index(b"eXIf") - 4
        chunk = content[start : start + 12 + int.from_bytes(content[start : start + 4], "big")]
        deep = png(values)
        content = deep[:header] + chunk + deep[header:]
    else:
        kind = "minisblack" if grey else "rgb"
        content = tiff(values, photometric=kind, extratags=[(274, "H", 1, orientation, True)])
    path = written(tmp_path, f"deep.{suffix}", content)
    expected = read_photograph(plain).image
    np.testing.assert_array_equal(read_photograph(path).image, expected)
    np.testing.assert_array_equal(as_trained(path), expected)
    if suffix == "png":
        np.testing.assert_array_equal(as_trained(path, color_type="color_ignore_orientation")[:, :, 1], GREY)


@pytest.mark.parametrize("name", ["RGB16.png", "RGB16.tif", "L16.png", "L16.tif", "RGBA.tif"])
def test_a_truncated_file_is_refused(tmp_path, name):
    content = MODES[name][0]
    path = written(tmp_path, name, content[: len(content) // 2])
    for read in (as_trained, read_photograph):
        with raises("E-data-unreadable"):
            read(path)


def test_a_black_photograph_of_16_bits_is_read(tmp_path):
    path = written(tmp_path, "a.png", png(np.zeros((4, 4, 3), np.uint16)))
    assert not read_photograph(path).image.any()


@pytest.mark.parametrize("name", ["RGBA.png", "RGBA.webp", "LA.png", "RGBA.tif", "LA.tif", "RGBA16.png", "RGBA16.tif"])
def test_transparent_pixels_have_no_data(name):
    np.testing.assert_array_equal(decode_photograph(MODES[name][0]).nodata, ALPHA == 0)


def test_a_transparent_colour_has_no_data():
    palette = Image.fromarray(GREY).convert("P")
    content = pillow(palette, "PNG", transparency=int(GREY[5, 5]))
    np.testing.assert_array_equal(decode_photograph(content).nodata, GREY[5, 5] == GREY)


@pytest.mark.parametrize(("values", "kind"), [(RGB, "rgb"), (GREY, "minisblack"), (DEEP, "rgb")])
@pytest.mark.parametrize("nodata", ["0", "255", "-9999", "nan", "1e40", "none"])
def test_the_value_of_gdal_nodata_has_no_data_where_all_bands_have_it(values, kind, nodata):
    values = values.copy()
    values[2:5] = int(nodata) if nodata in ("0", "255") else 7
    values[7, 7] = 40_000 if values.dtype == np.uint16 else 90
    content = tiff(values, photometric=kind, extratags=[(42113, "s", 0, nodata, True)])
    found = decode_photograph(content, bits=16).nodata
    if nodata not in ("0", "255"):
        assert found is None
        return
    expected = (values == int(nodata)).reshape(HEIGHT, -1, (values.ndim == 3 and 3) or 1).all(axis=2)
    assert expected[2:5].all()
    np.testing.assert_array_equal(found, expected)


def test_the_value_of_no_data_does_not_hide_how_many_bits_are_in_use():
    values = TWELVE[:, :, 1].copy()
    values[:4] = 65535
    content = tiff(values, photometric="minisblack", extratags=[(42113, "s", 0, "65535", True)])
    with raises("E-data-bits", r"4095 \(highest value 4095\)"):
        decode_photograph(content)
    found = decode_photograph(content, bits=12)
    assert found.nodata.sum() == found.nodata[:4].size
    np.testing.assert_array_equal(found.image[4:, :, 0], GREY[4:])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiles_of_16_bits_are_what_the_whole_file_is(tmp_path, channels):
    values = np.random.default_rng(0).integers(0, 4096, (150, 201, channels), np.uint16)
    values[0, 0], values[100:, 50:90] = 4095, 0
    extra = dict(extrasamples=["unassalpha"]) if channels == 4 else dict(extratags=[(42113, "s", 0, "0", True)])
    kind = "minisblack" if channels == 1 else "rgb"
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values[:, :, 0] if channels == 1 else values, photometric=kind, tile=(64, 64), **extra)
    whole = read_photograph(path, bits=12)
    with TiffImage(path, 12) as image:
        np.testing.assert_array_equal(image[:, :], whole.image)
        np.testing.assert_array_equal(image[60:130, 33:120], whole.image[60:130, 33:120])
        np.testing.assert_array_equal(image.nodata(slice(90, 140)), whole.nodata[90:140])
    with TiffImage(path, 10) as image, raises("E-data-bits", "up to 4095, and 10 bits end"):
        image[:, :]


def test_opencv_alone_would_read_other_pixels(tmp_path):
    """The reason for the reader: what training and inference did before."""
    content = MODES["RGBA.tif"][0]
    alone = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert (alone[ALPHA == 0] == 0).all()
    assert RGB[ALPHA == 0].any()
