"""Photographs with every kind of values, as bytes, for the tests of all readers of photographs."""

import io
import struct
import zlib

import cv2
import numpy as np
import tifffile
from PIL import Image

WIDTH, HEIGHT = 24, 16
RGB = np.asarray(
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (4, 6, 3), np.uint8)).resize((WIDTH, HEIGHT))
).copy()
RGB[0, 0], RGB[-1, -1] = 0, 255
GREY = RGB[:, :, 1].copy()
ALPHA = np.where(np.arange(WIDTH) < WIDTH // 2, 255, 0).astype(np.uint8) * np.ones((HEIGHT, 1), np.uint8)
DEEP = RGB.astype(np.uint16) * 257
TWELVE = ((RGB.astype(np.uint32) * 4095 + 127) // 255).astype(np.uint16)


def pillow(picture, suffix, **options):
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, suffix, **options)
    return file.getvalue()


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def png(values, significant_bits=None):
    """A PNG of 16 bits, with an sBIT chunk if asked for."""
    encoded = cv2.imencode(".png", values[..., [2, 1, 0, 3][: values.shape[2]]] if values.ndim == 3 else values)[1]
    content = encoded.tobytes()
    if significant_bits is None:
        return content
    chunk = b"sBIT" + bytes([significant_bits] * (values.shape[2] if values.ndim == 3 else 1))
    chunk = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return content[:33] + chunk + content[33:]


def stack(*bands):
    return np.dstack(bands)


GREYS = np.repeat(GREY[..., None], 3, axis=2)
PALETTE = Image.fromarray(RGB).quantize(200)
MODES = {  # name: (content, what every reader makes of it)
    "1.png": (pillow(Image.fromarray(GREY > 127), "PNG"), np.where(GREYS > 127, 255, 0)),
    "L.png": (pillow(GREY, "PNG"), GREYS),
    "LA.png": (pillow(Image.fromarray(stack(GREY, ALPHA), "LA"), "PNG"), GREYS),
    "P.png": (pillow(PALETTE, "PNG"), np.asarray(PALETTE.convert("RGB"))),
    "RGB.png": (pillow(RGB, "PNG"), RGB),
    "RGBA.png": (pillow(stack(RGB, ALPHA), "PNG"), RGB),
    "RGB.bmp": (pillow(RGB, "BMP"), RGB),
    "RGB.webp": (pillow(RGB, "WEBP", lossless=True), RGB),
    "RGBA.webp": (pillow(stack(RGB, ALPHA), "WEBP", lossless=True, exact=True), RGB),
    "L16.png": (png(DEEP[:, :, 1]), GREYS),
    "RGB16.png": (png(DEEP), RGB),
    "RGBA16.png": (png(stack(DEEP, ALPHA.astype(np.uint16) * 257)), RGB),
    "1.tif": (pillow(Image.fromarray(GREY > 127), "TIFF"), np.where(GREYS > 127, 255, 0)),
    "L.tif": (tiff(GREY, photometric="minisblack"), GREYS),
    "white is 0.tif": (tiff(255 - GREY, photometric="miniswhite"), GREYS),
    "grey tiles.tif": (tiff(GREY, photometric="minisblack", tile=(16, 16)), GREYS),
    "RGB.tif": (tiff(RGB, photometric="rgb"), RGB),
    "RGB planes.tif": (tiff(RGB.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate"), RGB),
    "RGBA.tif": (tiff(stack(RGB, ALPHA), photometric="rgb", extrasamples=["unassalpha"]), RGB),
    "LA.tif": (pillow(Image.fromarray(stack(GREY, ALPHA), "LA"), "TIFF"), GREYS),
    "PA.tif": (pillow(Image.fromarray(GREY).convert("P").convert("PA"), "TIFF"), GREYS),
    "CMYK.tif": (pillow(Image.fromarray(RGB).convert("CMYK"), "TIFF"), RGB),
    "BigTIFF.tif": (tiff(RGB, photometric="rgb", bigtiff=True), RGB),
    "L16.tif": (tiff(DEEP[:, :, 1], photometric="minisblack"), GREYS),
    "L16 big-endian.tif": (tiff(DEEP[:, :, 1], photometric="minisblack", byteorder=">"), GREYS),
    "RGB16.tif": (tiff(DEEP, photometric="rgb"), RGB),
    "RGB16 tiles.tif": (tiff(DEEP, photometric="rgb", tile=(16, 16), compression="lzw", byteorder=">"), RGB),
    "RGBA16.tif": (tiff(stack(DEEP, ALPHA.astype(np.uint16)), photometric="rgb", extrasamples=["unassalpha"]), RGB),
    "sBIT.png": (png(TWELVE, 12), RGB),
    "sBIT grey.png": (png(TWELVE[:, :, 1], 12), GREYS),
    "sBIT as the standard has it.png": (png(TWELVE << 4 | TWELVE >> 8, 12), RGB),
    "MaxSampleValue.tif": (tiff(TWELVE, photometric="rgb", extratags=[(281, "H", 3, (4095,) * 3, True)]), RGB),
}
REFUSED = {  # name: (content, values in the message)
    "RGB and near infrared.tif": (
        tiff(stack(RGB, GREY), photometric="rgb", extrasamples=["unspecified"]),
        r"holds 4 bands of 8 bits; expected 1 or 3 bands",
    ),
    "4 grey bands.tif": (
        tiff(stack(RGB, GREY), photometric="minisblack", planarconfig="contig"),
        r"holds 4 bands of 8 bits marked as grey; expected 1 or 3 bands",
    ),
    "3 grey bands.tif": (
        tiff(RGB, photometric="minisblack", planarconfig="contig"),
        r"holds 3 bands of 8 bits marked as grey; .*PHOTOMETRIC=RGB",
    ),
    "8 bands.tif": (
        tiff(np.dstack([DEEP, DEEP, DEEP])[:, :, :8], photometric="minisblack", planarconfig="contig"),
        r"holds 8 bands of 16 bits marked as grey; expected 1 or 3 bands",
    ),
    "float.tif": (tiff(GREY / np.float32(255)), r"holds 1 band of floating-point numbers of 32 bits"),
    "float RGB.tif": (tiff(RGB.astype("f4"), photometric="rgb"), r"holds 3 bands of floating-point numbers of 32 bits"),
    "half.tif": (tiff(RGB.astype(np.float16), photometric="rgb"), r"holds 3 bands of floating-point numbers of 16"),
    "signed.tif": (tiff(GREY.astype(np.int16), photometric="minisblack"), r"holds 1 band of signed numbers of 16 bits"),
    "32 bits.tif": (tiff(GREY.astype(np.uint32), photometric="minisblack"), r"holds 1 band of 32 bits"),
    "LA16.tif": (
        tiff(DEEP[:, :, :2], photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"]),
        r"holds 1 band of 16 bits \(transparency\)",
    ),
    "RGB16 planes.tif": (
        tiff(DEEP.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate"),
        r"holds 3 bands of 16 bits, band by band; .*INTERLEAVE=PIXEL",
    ),
    "white is 0 of 16 bits.tif": (tiff(GREY.astype(np.uint16), photometric="miniswhite"), r"16 bits \(white is 0\)"),
    "12 bits.png": (png(TWELVE), r"stores 16 bits and never exceeds 4095 \(highest value 4095\), so it"),
    "12 bits.tif": (tiff(TWELVE, photometric="rgb"), r"never exceeds 4095 .* `bits` 12, or bits: 12 in dataset\.yaml"),
    "10 bits.tif": (tiff(TWELVE[:, :, 1] >> 2), r"never exceeds 1023 .*it seems to use 10 bits"),
}
