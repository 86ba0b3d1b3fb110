"""A model that returns the red channel as train ids is compared with functions that change some pixels."""

import numpy as np
import pytest

from semseg.export.gate import judge
from semseg.inference.onnx_predictor import OnnxPredictor
from semseg.visualization.drawing import Sample
from tests.inference.test_onnx_predictor import write


@pytest.fixture
def predictor(tmp_path):
    return OnnxPredictor(write(tmp_path / "red.onnx"), "cpu")


def pictures(labelled, num=4):
    """Return pictures of 1000 pixels, half of them of the second class."""
    image = np.zeros((10, 100, 3), np.uint8)
    image[:, 50:, 0] = 1
    target = image[:, :, 0].copy() if labelled else np.full((10, 100), 255, np.uint8)
    return [Sample(image, target, str(i)) for i in range(num)]


def changed(num_pixels):
    """Return a function that predicts the second class for some pixels of the first one."""

    def run(image):
        train_ids = image[:, :, 0].copy()
        train_ids.reshape(-1)[:num_pixels] = 1
        return train_ids

    return run


@pytest.mark.parametrize(
    ("precision", "num_changed", "passes"),
    [("fp32", 1, True), ("fp32", 2, False), ("bf16", 10, True), ("bf16", 11, False), ("int8", 10, True)],
)
def test_without_labels_enough_pixels_have_to_be_equal(predictor, precision, num_changed, passes):
    verdict = judge(predictor, changed(num_changed), pictures(labelled=False), precision)
    assert verdict.passed == verdict.facts["passed"] == passes
    assert f"{100 - num_changed / 10:.2f} % of the pixels of 4 images" in verdict.sentence
    assert verdict.agreement == [1 - num_changed / 1000] * 4


@pytest.mark.parametrize(("num_changed", "passes"), [(2, True), (4, False)])
def test_with_labels_int8_may_lose_some_of_the_score(predictor, num_changed, passes):
    verdict = judge(predictor, changed(num_changed), pictures(labelled=True), "int8")
    assert verdict.passed == passes
    lost = 100 - verdict.facts["mIoU"]
    assert lost == pytest.approx(50 * (num_changed / 500 + num_changed / (500 + num_changed)), abs=0.01)
    assert f"(difference {-lost:+.2f} points, 95 % interval {-lost:+.2f} to {-lost:+.2f})" in verdict.sentence
    assert "mIoU" in verdict.sentence
    assert "on 4 labelled images" in verdict.sentence
    assert verdict.facts["mIoU_torch"] == 100


def test_pixels_that_only_pytorch_gets_wrong_do_not_count_against_int8(predictor):
    right = [Sample(image, np.zeros_like(target), name) for image, target, name in pictures(labelled=True)]
    verdict = judge(predictor, lambda image: np.zeros(image.shape[:2], np.uint8), right, "int8")
    assert verdict.passed
    assert verdict.agreement == [0.5] * 4


def test_one_picture_has_no_interval(predictor):
    verdict = judge(predictor, changed(2), pictures(labelled=True, num=1), "int8")
    assert verdict.facts["interval"] is None
    assert "interval" not in verdict.sentence
