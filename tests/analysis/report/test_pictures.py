import base64
import io

import numpy as np
import pytest
from PIL import Image

from semseg.analysis.report import collect, pictures
from semseg.visualization.panels import WRONG
from tests.analysis.report import folders


@pytest.fixture
def image(tmp_path):
    """Four pixels: right, wrong, ignored, right."""
    arrays = {
        "photograph": np.full((1, 4, 3), 99, np.uint8),
        "truth": np.array([[0, 1, 255, 6]], np.uint8),
        "prediction": np.array([[0, 2, 3, 6]], np.uint8),
    }
    paths = []
    for name, array in arrays.items():
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(array).save(paths[-1])
    return collect.Image("city/a b.png", {}, [], {}, None, *paths)


def test_views_are_the_classes_in_their_colours_and_what_is_wrong(image):
    views = pictures.draw_views(image, folders.PALETTE, 255, None)
    assert list(views) == list(pictures.VIEWS)
    assert views["photograph"].tolist() == [[[99] * 3] * 4]
    assert [color[:3] for color in views["prediction"][0].tolist()] == [folders.PALETTE[i] for i in (0, 2, 3, 6)]
    assert views["truth"][0, :, 3].tolist() == [255, 255, 200, 255]  # ignored: dark glass
    assert tuple(views["errors"][0, 1]) == (*WRONG, 255)
    assert len({tuple(color) for color in views["errors"][0]}) == 3
    assert (views["errors"][0, 0] == views["errors"][0, 3]).all()


def test_views_are_those_that_the_files_allow(image):
    gone = image._replace(photograph_path=None)
    assert list(pictures.draw_views(gone, folders.PALETTE, 255, 2)) == ["truth", "prediction", "errors"]
    gone = gone._replace(target_path=None)
    assert list(pictures.draw_views(gone, folders.PALETTE, 255, 2)) == ["prediction"]
    assert pictures.thumbnails(gone._replace(predicted_path=None), folders.PALETTE, 255) == {}


@pytest.mark.parametrize(("exif", "shape"), [("apply", (2, 1)), ("ignore", (1, 2))])
def test_a_photograph_is_turned_as_its_masks_are(image, tmp_path, exif, shape):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (2, 1)).save(tmp_path / "turned.jpg", exif=turned)
    only = image._replace(photograph_path=tmp_path / "turned.jpg", target_path=None, predicted_path=None, exif=exif)
    assert pictures.draw_views(only, folders.PALETTE, 255, None)["photograph"].shape[:2] == shape


def test_a_damaged_photograph_counts_as_gone(image):
    image.photograph_path.write_bytes(b"no picture")
    assert "photograph" not in pictures.draw_views(image, folders.PALETTE, 255, None)


def test_thumbnails_of_noise_keep_to_their_room(image, rng=np.random.default_rng(0)):  # noqa: B008
    Image.fromarray(rng.integers(0, 256, (400, 800, 3), np.uint8)).save(image.photograph_path)
    for path in (image.target_path, image.predicted_path):
        Image.fromarray(rng.integers(0, 8, (400, 800), np.uint8)).save(path)
    uris = pictures.thumbnails(image, folders.PALETTE, 255)
    stored = [base64.b64decode(uri.removeprefix("data:image/webp;base64,")) for uri in uris.values()]
    assert len(stored) == 4 and sum(map(len, stored)) <= pictures.IMAGE_BYTES
    sizes = {Image.open(io.BytesIO(one)).size for one in stored}
    assert len(sizes) == 1 and sizes.pop()[0] >= 96


def test_large_pictures_are_written_and_named_as_urls(image, tmp_path):
    urls = pictures.write_large(image, folders.PALETTE, 255, tmp_path / "report_pictures")
    assert urls["photograph"] == "report_pictures/city/a%20b.png_photograph.jpg"
    truth = Image.open(tmp_path / "report_pictures/city/a b.png_truth.png")
    assert truth.size == (4, 1)
