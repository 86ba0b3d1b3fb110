import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from semseg.datasets import fast_png
from semseg.datasets.fast_png import decode_plain_png

pytest.importorskip("kornia_rs", reason="pip install -e '.[fast]'")
PIXELS = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
MOST = 10_000


def png(pixels=PIXELS, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png", **options)
    return file.getvalue()


def with_chunk(kind, data):
    """Return a PNG with another chunk behind the header."""
    content = png()
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return content[:33] + chunk + content[33:]


def as_opencv(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def test_pixels_are_those_of_opencv():
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "a street")
    for content in (
        png(),
        png(compress_level=0),
        png(pnginfo=text),
        png(icc_profile=b"\0" * 200),
        png(PIXELS[:1, :1]),
        with_chunk(b"gAMA", struct.pack(">I", 10_000)),
        with_chunk(b"pHYs", struct.pack(">IIB", 3, 5, 1)),
    ):
        decoded = decode_plain_png(content, MOST)
        assert decoded is not None and decoded.flags.c_contiguous
        assert np.array_equal(decoded, as_opencv(content))


def test_other_files_are_left_to_opencv():
    grey, palette = PIXELS[..., 0], Image.fromarray(PIXELS).quantize(16)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = png(exif=exif)
    exif_chunk = turned[33 : 45 + int.from_bytes(turned[33:37], "big")]
    assert exif_chunk[4:8] == b"eXIf"
    jpeg, indexed = io.BytesIO(), io.BytesIO()
    Image.fromarray(PIXELS).save(jpeg, "jpeg")
    palette.save(indexed, "png")
    for content in (
        png(grey),
        png(grey.astype(np.uint16) * 257),
        png(np.dstack([PIXELS, grey])),
        png(exif=exif),
        with_chunk(b"tRNS", b"\0\1\0\2\0\3"),
        with_chunk(b"acTL", b"\0\0\0\1\0\0\0\0"),
        png()[:-12] + exif_chunk + png()[-12:],  # behind the pixels
        jpeg.getvalue(),
        indexed.getvalue(),
        b"",
        png()[:30],
    ):
        assert decode_plain_png(content, MOST) is None
    assert decode_plain_png(png(), 37 * 53 - 1) is None


@pytest.mark.parametrize("length", [40, 60, 500, -20, -5])
def test_a_cut_off_file_is_left_to_opencv(length):
    assert decode_plain_png(png()[:length], MOST) is None or length == -5  # all pixels are there


def test_changed_bytes_never_raise():
    content = png()
    for position in range(8, len(content), 97):
        changed = bytearray(content)
        changed[position] ^= 0x55
        decoded = decode_plain_png(bytes(changed), MOST)
        assert decoded is None or decoded.dtype == np.uint8


def test_without_the_package_opencv_decodes(monkeypatch):
    monkeypatch.setattr(fast_png, "_decoder", lambda: None)
    assert decode_plain_png(png(), MOST) is None
