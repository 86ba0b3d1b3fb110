import numpy as np
import pytest
from PIL import Image

from semseg.datasets.index_png import index_image, write_index_png
from semseg.labels import distinct_colors
from tests.conftest import raises


@pytest.mark.parametrize("num_classes", [1, 2, 3, 4, 5, 16, 17, 254, 256])
def test_every_train_id_and_255_survive_writing_and_reading(tmp_path, num_classes):
    palette = np.random.default_rng(0).integers(0, 256, (num_classes, 3), np.uint8)
    train_ids = np.array([[*range(num_classes), 255]], np.uint8)
    write_index_png(tmp_path / "a.png", train_ids, palette)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), train_ids)
        colors = np.asarray(picture.convert("RGB"))[0]
    assert np.array_equal(colors[:num_classes], palette)
    assert np.array_equal(colors[-1], palette[255] if num_classes == 256 else (255, 255, 255))


def test_one_pixel_of_255_survives(tmp_path):
    write_index_png(tmp_path / "a.png", np.full((1, 1), 255, np.uint8), distinct_colors(2))
    assert np.asarray(Image.open(tmp_path / "a.png")).tolist() == [[255]]


def test_other_arrays_are_refused():
    with raises("E-input-value", r"int64 of shape \(1, 1\)"):
        index_image(np.zeros((1, 1), np.int64), [(0, 0, 0)])
    with raises("E-input-value", r"palette has shape \(3,\)"):
        index_image(np.zeros((1, 1), np.uint8), [0, 0, 0])
