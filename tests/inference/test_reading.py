"""A zoo of photographs."""

import io
import os
import struct
import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from semseg.inference.reading import TooManyPixelsError, read_image, read_photograph

WIDTH, HEIGHT = 24, 16
RGB = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
RGB[:8, :8], RGB[:8, 16:], RGB[8:] = (255, 0, 0), (0, 0, 255), (102, 102, 102)


def saved(path, picture=RGB, **options):
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(path, **options)
    return path


def differs_by(path, expected=RGB):
    found = read_image(path)
    assert (found.dtype, found.shape) == (np.uint8, expected.shape)
    return np.abs(found.astype(int) - expected).max()


@pytest.mark.parametrize(
    ("name", "mode", "options", "tolerance"),
    [
        ("a.jpg", "RGB", {"quality": 100, "subsampling": 0}, 4),
        ("progressive.jpg", "RGB", {"quality": 100, "subsampling": 0, "progressive": True}, 4),
        ("cmyk.jpg", "CMYK", {"quality": 100, "subsampling": 0}, 4),
        ("cmyk.tif", "CMYK", {}, 0),
        ("alpha.png", "RGBA", {}, 0),
        ("palette.png", "P", {}, 0),
        ("a.bmp", "RGB", {}, 0),
        ("a.webp", "RGB", {"lossless": True}, 0),
        ("alpha.webp", "RGBA", {"lossless": True}, 0),
        ("lzw.tiff", "RGB", {"compression": "tiff_lzw"}, 0),
        ("deflate.tif", "RGB", {"compression": "tiff_adobe_deflate"}, 0),
        ("a.gif", "P", {}, 0),
        ("weird näme ☀ \n.png", "RGB", {}, 0),
    ],
)
def test_colours_arrive_whatever_the_file(tmp_path, name, mode, options, tolerance):
    assert differs_by(saved(tmp_path / name, Image.fromarray(RGB).convert(mode), **options)) <= tolerance


def test_bytes_are_read_as_a_file_is(tmp_path):
    path = saved(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_photograph(path.read_bytes()).image, read_image(path))
    for content, message in ((b"", r"the file is empty"), (b"x", r"^not a readable image$")):
        with pytest.raises(ValueError, match=message):
            read_photograph(content)


def test_postscript_is_not_run_whatever_it_is_called(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(path, "EPS")
    for source in (path, path.read_bytes()):
        with pytest.raises(ValueError, match="not a readable image"):
            read_photograph(source)


def test_a_tile_that_is_larger_than_its_picture_counts(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", RGB, tile=(1024, 2048), compression="zlib", photometric="rgb")
    assert read_image(tmp_path / "a.tif").shape == RGB.shape
    with pytest.raises(TooManyPixelsError, match="2048x1024 are more pixels than --max-pixels 1000000"):
        read_photograph(tmp_path / "a.tif", max_pixels=1_000_000)


def test_a_suffix_need_not_fit(tmp_path):
    assert differs_by(saved(tmp_path / "png.jpg", format="PNG")) == 0


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bits_become_the_nearest_of_8(tmp_path, name):
    grey = (np.arange(WIDTH * HEIGHT, dtype=np.uint32) * 170).astype(np.uint16).reshape(HEIGHT, WIDTH)
    expected = np.repeat(np.rint(grey / 257).astype(np.uint8)[..., None], 3, axis=2)
    assert differs_by(saved(tmp_path / name, Image.fromarray(grey)), expected) == 0


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_becomes_three_equal_channels(tmp_path, mode):
    grey = np.where(np.arange(WIDTH) < 8, 255, 0) * np.ones((HEIGHT, 1))
    path = saved(tmp_path / "grey.png", Image.fromarray(grey.astype(np.uint8)).convert(mode))
    assert differs_by(path, np.repeat(grey[..., None], 3, axis=2)) == 0


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert differs_by(tmp_path / "a.gif") == 0
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    assert differs_by(tmp_path / "a.tif") == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_slivers_are_images(tmp_path, size):
    assert read_image(saved(tmp_path / "a.png", Image.new("RGB", size))).shape == (*size[::-1], 3)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_photographs_are_turned_upright_unless_the_model_learnt_otherwise(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / f"a.{suffix}", exif=exif)
    assert read_image(path).shape == (WIDTH, HEIGHT, 3)
    if suffix != "tif":  # Pillow's reader turns it
        assert read_image(path, "ignore").shape == (HEIGHT, WIDTH, 3)


def test_broken_metadata_spoils_no_picture(tmp_path):
    path = saved(tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff\xff\xff")
    assert read_image(path).shape == RGB.shape
    exif = Image.Exif()
    exif[0x0112] = 77
    assert read_image(saved(tmp_path / "b.jpg", exif=exif)).shape == RGB.shape


def located(latitude, longitude, north="N", east="E", time="2024:05:01 12:30:00"):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: north, 2: latitude, 3: east, 4: longitude})
    exif.get_ifd(0x8769)[0x9003] = time
    return exif


def test_place_and_time_are_read(tmp_path):
    found = read_photograph(saved(tmp_path / "a.jpg", exif=located((32, 57, 3.6), (60, 38, 24.0), "S", "W")))
    assert (round(found.latitude, 4), round(found.longitude, 4)) == (-32.951, -60.64)
    assert found.time == "2024-05-01T12:30:00"
    assert read_photograph(saved(tmp_path / "b.jpg"))[1:4] == (None, None, "")


@pytest.mark.parametrize(
    "exif",
    [
        located((132, 57, 3.6), (60, 38, 24.0)),
        located((32, 57), (60, 38)),
        located((32, 57, 3.6), (60, 38, 24.0), north=""),
    ],
)
def test_an_impossible_place_is_none(tmp_path, exif):
    assert read_photograph(saved(tmp_path / "a.jpg", exif=exif))[1:3] == (None, None)


def test_an_impossible_time_is_none(tmp_path):
    exif = located((32, 57, 3.6), (60, 38, 24.0), time="0000:00:00 00:00:00")
    assert read_photograph(saved(tmp_path / "a.jpg", exif=exif)).time == ""


def encoded(suffix, size=(320, 240)):
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), np.uint8)
    Image.fromarray(noise).save(file, suffix)
    return file.getvalue()


def giant_png():
    """A few bytes that claim 60,000 x 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    file = encoded("png", (1, 1))
    return file[:16] + header + struct.pack(">I", __import__("zlib").crc32(b"IHDR" + header)) + file[33:]


HEIC = b"\0\0\0\x18ftypheic" + bytes(50)  # and then nothing


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"^not a readable image \(the file is empty\)$"),
        (b"no picture", "^not a readable image$"),
        (encoded("jpeg")[:-5000], r"^not a readable image \(image file is truncated"),
        (encoded("png")[:-5000], r"^not a readable image \(image file is truncated"),
        (encoded("png")[:40], "^not a readable image"),
        (encoded("jpeg")[:10], "^not a readable image"),
        (encoded("webp")[:-5000], "^not a readable image"),
        (encoded("tiff")[:-50_000], "^not a readable image"),
        (encoded("gif")[:-5000], "^not a readable image"),
        (encoded("eps"), "^not a readable image$"),  # a program, which Pillow would have Ghostscript run
        (giant_png(), "^60000x60000 are more pixels than --max-pixels 178956970$"),
        (HEIC, "^not a readable image$"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, content, message):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_photograph(path)


def test_what_is_no_file_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"^no such file or directory$"):
        read_image(tmp_path / "none.jpg")
    (tmp_path / "x.jpg").mkdir()
    with pytest.raises(ValueError, match=r"^is a directory$"):
        read_image(tmp_path / "x.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with pytest.raises(ValueError, match=r"^too many levels of symbolic links$"):
        read_image(tmp_path / "loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ValueError, match=r"^not a file$"):
        read_image(tmp_path / "pipe.jpg")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives up the rights of root")
def test_a_file_without_permission_is_one_sentence(tmp_path):
    path = saved(tmp_path / "a.png")
    path.chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(ValueError, match=r"^permission denied$"):
            read_image(path)
    finally:
        os.seteuid(0)


def test_what_has_no_8_bits_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds 1 band of floating-point numbers of 32 bits; expected 1 or 3 bands"):
        read_image(saved(tmp_path / "a.tif", np.ones((4, 4), np.float32)))
    with pytest.raises(ValueError, match=r"holds 1 band of signed numbers of 32 bits; expected 1 or 3 bands"):
        read_image(saved(tmp_path / "b.tif", np.full((4, 4), 70_000, np.int32)))


def test_the_bound_of_pixels_is_ours_alone(tmp_path):
    path = saved(tmp_path / "a.png", Image.new("1", (14_000, 13_000)))
    bound = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match=r"^14000x13000 are more pixels than --max-pixels 178956970$"):
        read_image(path)
    with pytest.raises(ValueError, match=r"^24x16 are more pixels than --max-pixels 383$"):
        read_photograph(saved(tmp_path / "b.png"), max_pixels=383)
    assert read_photograph(tmp_path / "b.png", max_pixels=384).image.shape == RGB.shape
    assert bound == Image.MAX_IMAGE_PIXELS


def test_without_the_plugin_heic_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(HEIC)
    with pytest.raises(ValueError, match=r"^HEIC is read with pillow-heif: pip install -e '\.\[heic\]'$"):
        read_image(tmp_path / "a.heic")


def test_heic_is_read_where_the_plugin_is(tmp_path):
    pillow_heif.from_pillow(Image.fromarray(RGB).resize((240, 160))).save(tmp_path / "a.heic", quality=100)
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.heic").read_bytes())
    for name in ("a.heic", "a.jpg"):
        assert read_image(tmp_path / name).shape == (160, 240, 3)
