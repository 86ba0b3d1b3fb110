from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric
from PIL import Image

from semseg.evaluation.metric import ConfusionMetric
from tests.conftest import raises

CLASSES = ("road", "car", "train")


def process(metric, *pairs, first=0):
    metric.dataset_meta = {"classes": CLASSES, "palette": [[0, 0, 0]] * 3}
    for number, (target, predicted) in enumerate(pairs, first):
        fields = {"gt_sem_seg": target, "pred_sem_seg": predicted}
        sample = {name: {"data": torch.tensor(array)[None]} for name, array in fields.items()}
        metric.process({}, [sample | {"img_path": f"{number:03d}.png"}])
    return metric


def evaluate(metric, *pairs):
    return process(metric, *pairs).evaluate(size=len(pairs))


def test_per_class_scores_are_returned_with_the_means():
    scores = evaluate(ConfusionMetric(), (np.array([[0, 0, 1, 1, 255]]), np.array([[0, 1, 1, 1, 2]])))
    assert scores["IoU/road"] == 50
    assert scores["IoU/car"] == pytest.approx(66.67)
    assert scores["Acc/road"] == 50
    assert np.isnan(scores["IoU/train"])  # neither in the truth nor in the prediction
    assert scores["mIoU"] == pytest.approx((50 + 66.67) / 2, abs=0.01)


@pytest.mark.parametrize(
    "options", [{}, dict(iou_metrics=["mIoU", "mDice", "mFscore"]), dict(nan_to_num=0, beta=2, iou_metrics="mFscore")]
)
@pytest.mark.parametrize("num_predicted", [2, 3])
def test_the_means_are_those_of_mmsegmentation(options, num_predicted):
    random = np.random.default_rng(0)
    pairs = [(random.integers(0, 2, (40, 50)), random.integers(0, num_predicted, (40, 50))) for _ in range(3)]
    stock = evaluate(IoUMetric(**options), *pairs)
    ours = evaluate(ConfusionMetric(**options), *pairs)
    for name, value in stock.items():
        assert f"{ours[name]:.2f}" == f"{value:.2f}", name


def test_sums_stay_exact_beyond_what_a_float_holds():
    right, wrong = np.zeros((1, 1 << 12), int), np.ones((1, 1), int)
    metric = process(ConfusionMetric(), (right, right))
    (name,) = metric.results
    shape, cells, _, _ = metric.results[name]
    metric.results[name] = shape, cells, np.array([(1 << 24) + 1]), None  # as of many images
    metric.dataset_meta = {"classes": CLASSES}
    process(metric, (wrong * 0, wrong), first=1)
    metric.evaluate(2)
    assert metric.evaluation.confusions.total()[0].tolist() == [(1 << 24) + 1, 1, 0, 0]


def test_absent_classes_count_or_do_not():
    pair = np.array([[0, 0, 1]]), np.array([[0, 2, 1]])
    assert evaluate(ConfusionMetric(), pair)["mIoU"] == 50
    assert evaluate(ConfusionMetric(absent="leave-out"), pair)["mIoU"] == 75


def test_an_image_that_comes_twice_counts_once():
    pair = np.array([[0, 1]]), np.array([[0, 0]])
    metric = process(process(ConfusionMetric(), pair), pair)
    assert metric.evaluate(1)["aAcc"] == 50
    assert metric.evaluation.confusions.total().sum() == 2


def test_missing_images_are_an_error():
    pair = np.array([[0, 1]]), np.array([[0, 0]])
    with raises("E-input-incomplete", "^1 of 2 images"):
        process(ConfusionMetric(), pair).evaluate(2)
    with raises("E-input-incomplete", "^0 of 0 images"):
        ConfusionMetric().evaluate(0)


def test_an_image_that_the_set_lists_twice_is_named():
    pair = np.array([[0, 1]]), np.array([[0, 0]])
    metric = process(process(process(ConfusionMetric(), pair), pair), pair, first=1)
    with raises("E-input-repeated", r" 3 images, .* 2 different .*: 000\.png;"):
        metric.evaluate(3)


def test_a_set_that_repeats_every_image_has_the_same_scores():
    pair = np.array([[0, 1]]), np.array([[0, 0]])
    metric = process(process(ConfusionMetric(), pair), pair)
    assert metric.evaluate(2)["aAcc"] == 50


def test_predictions_of_equal_names_are_written_apart_or_refused(tmp_path):
    def write(metric, path):
        predicted = torch.zeros(1, 2, 2, dtype=torch.uint8)
        metric.process({}, [{"pred_sem_seg": {"data": predicted}, "img_path": path}])

    metric = ConfusionMetric(output_dir=str(tmp_path), format_only=True)
    metric.dataset_meta = {"classes": CLASSES, "palette": [[9, 9, 9]] * 3}
    metric.output_names = {"x/a/1.png": Path("a/1"), "x/b/1.png": Path("b/1")}
    for path in metric.output_names:
        write(metric, path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == ["a/1.png", "b/1.png"]
    metric.output_names = {}
    write(metric, "x/a/1.png")
    with raises("E-input-names", r"x/a/1\.png and x/b/1\.png .* 1\.png"):
        write(metric, "x/b/1.png")


def test_predictions_are_written_without_a_palette_too(tmp_path):
    metric = ConfusionMetric(output_dir=str(tmp_path), format_only=True)
    metric.dataset_meta = {"classes": CLASSES}
    metric.process({}, [{"pred_sem_seg": {"data": torch.ones(1, 2, 3, dtype=torch.uint8)}, "img_path": "x/1.png"}])
    assert np.asarray(Image.open(tmp_path / "1.png")).tolist() == [[1, 1, 1]] * 2


def test_a_bad_truth_is_named():
    with raises("E-input-train-ids", r"000\.png: the truth .* 0\.\.2 and 255 \{9: 1 px\}"):
        evaluate(ConfusionMetric(), (np.array([[0, 9]]), np.array([[0, 0]])))


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (dict(absent="skip"), "absent .*'skip'; expected 'zero' or 'leave-out'"),
        (dict(extras=["edges"]), "'edges'; there are boundary, trimap, sizes, rows, calibration"),
    ],
)
def test_wrong_arguments_are_refused_with_the_choices(options, values):
    with raises("E-input-choice", values):
        ConfusionMetric(**options)


def test_wrong_metrics_are_refused_with_the_choices():
    with raises("E-input-choice", "iou_metrics .*'mDcie'; expected mIoU, mDice, mFscore"):
        evaluate(ConfusionMetric(iou_metrics=["mDcie"]), (np.array([[0]]), np.array([[0]])))
