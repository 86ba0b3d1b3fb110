"""Label Studio's run lengths, against streams that its own packages have written."""

import numpy as np
import pytest

from semseg.datasets.brush_rle import decode_brush, encode_brush
from tests.conftest import raises


def dots():
    return np.array([[0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 0, 0]], bool)


def frame():
    mask = np.zeros((9, 300), bool)
    mask[2:7, 20:290] = True
    mask[4, 30:35] = False
    return mask


# fmt: off
BY_SDK = [  # mask2rle of label_studio_sdk.converter.brush, version 2.1.2
    (dots(), [0, 0, 0, 48, 57, 27, 252, 96, 19, 255, 198, 1, 31, 252, 224, 17, 255, 223, 0, 0]),
    (frame(), [0, 0, 42, 48, 57, 27, 255, 9, 175, 0, 224, 134, 255, 249, 220, 3, 130, 27, 255, 231, 112, 12, 79, 255,
               132, 192, 56, 31, 223, 254, 119, 0, 224, 134, 255, 249, 220, 3, 130, 27, 255, 240, 152, 112, 0]),
    (np.ones((160, 130), bool), [0, 1, 69, 0, 57, 27, 255, 255, 255, 255, 232, 159, 255, 224]),
]
BY_WEB_PAGE = [  # encode of @thi.ng/rle-pack, version 3.2.12
    0, 0, 0, 60, 57, 27, 252, 224, 3, 250, 16, 131, 132, 250, 16, 131, 255, 198, 0, 31, 161, 8, 63, 252, 96, 6,
    253, 8, 65, 224, 61, 8, 65, 255, 253, 8, 65, 255, 239, 128, 7, 232, 66, 14, 2,
]
# fmt: on
OPACITY = np.array([[0, 0, 9, 255, 0], [255, 0, 128, 255, 255], [0, 0, 0, 0, 1]])  # of pixels of the colour 244, 33, 7


@pytest.mark.parametrize(("mask", "stream"), BY_SDK)
def test_streams_are_those_of_the_sdk_byte_by_byte(mask, stream):
    assert list(encode_brush(mask)) == stream
    assert np.array_equal(decode_brush(bytes(stream), mask.shape), mask)


def test_a_stream_of_the_web_page_has_single_values_and_soft_edges():
    assert np.array_equal(decode_brush(bytes(BY_WEB_PAGE), OPACITY.shape), OPACITY > 0)


def test_masks_are_the_same_after_out_and_in():
    generator = np.random.default_rng(0)
    for share in (0, 0.01, 0.5, 0.99, 1):
        for shape in ((1, 1), (1, 70), (70, 1), (33, 41), (130, 200)):
            mask = generator.random(shape) < share
            assert np.array_equal(decode_brush(encode_brush(mask), shape), mask)


def test_damaged_streams_are_one_sentence():
    stream = encode_brush(dots())
    with raises("E-data-annotation", "brush of 48 values; expected 5x3x4=60"):
        decode_brush(stream, (3, 5))
    for length in range(len(stream) - 2):
        with raises("E-data-annotation", "truncated"):
            decode_brush(stream[:length], (3, 4))
    with raises("E-data-annotation", "more than its 48 values"):
        decode_brush(stream[:7] + b"\xff" * 20, (3, 4))
