"""The endpoint gives the same results as the Python API."""

import base64
import io
import json
import subprocess
import threading
import time

import numpy as np
import pytest
from PIL import Image

from semseg import Segmenter, labels
from tests.serve.conftest import MAX_MB, MAX_PIXELS, encoded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seg(checkpoint_path):
    return Segmenter(checkpoint_path, device="cpu", precision="fp32")


def mask_in(content):
    mask = Image.open(io.BytesIO(content))
    assert (mask.format, mask.mode) == ("PNG", "P")
    assert mask.getpalette()[: 3 * 19] == np.ravel(labels.CITYSCAPES.palette).tolist()
    return np.asarray(mask)


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_answer_is_that_of_the_segmenter(server, seg, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    upload = encoded(120, 200, exif=exif)
    expected = seg(Image.open(io.BytesIO(upload)))
    found = server.post(upload).json
    mask = mask_in(base64.b64decode(found["mask"]))
    np.testing.assert_array_equal(mask, expected.train_ids)
    assert (found["height"], found["width"]) == mask.shape == ((120, 200) if orientation == 1 else (200, 120))
    assert found["shares"] == pytest.approx(expected.shares())
    assert found["mean_confidence"] == pytest.approx(expected.confidence.mean())
    assert found["classes"] == list(labels.CITYSCAPES.classes)
    assert found["palette"] == labels.CITYSCAPES.palette
    assert set(found) == {"width", "height", "mean_confidence", "shares", "classes", "palette", "mask"}


def test_a_form_a_body_and_the_command_of_the_documentation_get_the_same(server, seg, tmp_path):
    upload = encoded(64, 96, "PNG")
    (tmp_path / "street.png").write_bytes(upload)
    address = f"http://127.0.0.1:{server.port}/api/segment"
    command = ["curl", "--silent", "--show-error", "--form", "image=@street.png"]
    by_form = subprocess.run([*command, address], cwd=tmp_path, capture_output=True, check=True).stdout
    assert json.loads(by_form) == server.post(upload, kind="application/octet-stream").json
    subprocess.run([*command, f"{address}?mask=png", "--output", "mask.png"], cwd=tmp_path, check=True)
    expected = seg(tmp_path / "street.png").train_ids
    np.testing.assert_array_equal(mask_in((tmp_path / "mask.png").read_bytes()), expected)
    assert "mask" not in server.post(upload, "/api/segment?mask=none").json
    answer = server.post(upload, "/api/segment?mask=jpeg")
    assert (answer.status, answer.sentence) == (400, "mask='jpeg' is unknown; expected base64, png, none")


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("WEBP", {}), ("TIFF", {}), ("BMP", {}), ("GIF", {}), ("JPEG", {"progressive": True})],
)
def test_every_kind_of_photograph_is_read(server, kind, options):
    answer = server.post(encoded(40, 60, kind, **options), "/api/segment?mask=none")
    assert (answer.status, answer.json["width"], answer.json["height"]) == (200, 60, 40)


def test_the_model_is_described(server):
    found = server.ask("GET", "/api/model").json
    assert found["name"] == "best.pth"
    assert found["classes"] == list(labels.CITYSCAPES.classes)
    assert found["limits"] == {"bytes": MAX_MB * 1e6, "pixels": MAX_PIXELS, "per_minute": 30}


def test_it_answers_while_the_model_works(server):
    answers = []
    upload = encoded(1900, 2000)
    work = threading.Thread(target=lambda: answers.append(server.post(upload).status))
    work.start()
    seen = []
    while work.is_alive():
        seen.append(server.ask("GET", "/healthz").json["uploads"])
        time.sleep(0.02)
    assert answers == [200]
    assert seen.count(1) > 1
    assert server.ask("GET", "/healthz").json == {"status": "ok", "uploads": 0}


def test_pixels_without_data_have_no_class(server):
    rgba = np.full((48, 64, 4), 255, np.uint8)
    rgba[..., :3] = np.random.default_rng(0).integers(0, 256, (48, 64, 3))
    rgba[:, :40, 3] = 0
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, "PNG")
    found = server.post(file.getvalue()).json
    mask = mask_in(base64.b64decode(found["mask"]))
    np.testing.assert_array_equal(mask == 255, rgba[..., 3] == 0)
    assert sum(found["shares"].values()) == pytest.approx(1)


def test_16_bits_of_which_12_are_in_use_are_refused_by_name(server):
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16), 4000, np.uint16)).save(file, "PNG")
    answer = server.post(file.getvalue())
    assert answer.status == 400
    assert "stores 16 bits and never exceeds 4095" in answer.json["error"]
