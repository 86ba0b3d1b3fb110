from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from semseg.evaluation.metric import ConfusionMetric

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


def test_per_class_scores_stand_beside_the_means():
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
    with pytest.raises(ValueError, match="1 of 2 images were evaluated; a process may have ended before"):
        process(ConfusionMetric(), pair).evaluate(2)
    with pytest.raises(ValueError, match="0 of 0 images were evaluated: none is left"):
        ConfusionMetric().evaluate(0)


def test_an_image_that_the_set_lists_twice_is_named():
    pair = np.array([[0, 1]]), np.array([[0, 0]])
    metric = process(process(process(ConfusionMetric(), pair), pair), pair, first=1)
    message = "the set lists 3 images, but only 2 different ones; listed more than once: 000.png; keep one row for each"
    with pytest.raises(ValueError, match=message):
        metric.evaluate(3)


def test_a_set_that_repeats_every_image_has_the_same_scores():
    pair = np.array([[0, 1]]), np.array([[0, 0]])
    metric = process(process(ConfusionMetric(), pair), pair)
    assert metric.evaluate(2)["aAcc"] == 50


def test_predictions_of_equal_names_are_written_apart_or_refused(tmp_path):
    def write(metric, path):
        metric._write(path, np.zeros((2, 2), np.uint8), False)

    metric = ConfusionMetric(output_dir=str(tmp_path))
    metric.dataset_meta = {"classes": CLASSES, "palette": [[9, 9, 9]] * 3}
    metric.output_names = {"x/a/1.png": Path("a/1"), "x/b/1.png": Path("b/1")}
    for path in metric.output_names:
        write(metric, Path(path))
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == ["a/1.png", "b/1.png"]
    metric.output_names = {}
    write(metric, Path("x/a/1.png"))
    with pytest.raises(ValueError, match=r"x/a/1\.png and x/b/1\.png would both be written as 1\.png"):
        write(metric, Path("x/b/1.png"))


def test_a_bad_truth_is_named():
    with pytest.raises(ValueError, match=r"000.png: the truth holds values outside 0..2 and 255 \{9: 1 px\}"):
        evaluate(ConfusionMetric(), (np.array([[0, 9]]), np.array([[0, 0]])))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(absent="skip"), "absent is 'skip'; expected 'zero' or 'leave-out'"),
        (dict(extras=["edges"]), "no breakdown 'edges'; there are boundary, trimap, sizes, rows, calibration"),
    ],
)
def test_wrong_arguments_are_one_sentence(options, message):
    with pytest.raises(ValueError, match=message):
        ConfusionMetric(**options)


def test_wrong_metrics_are_one_sentence():
    with pytest.raises(ValueError, match="iou_metrics holds 'mDcie'; expected mIoU, mDice, mFscore"):
        evaluate(ConfusionMetric(iou_metrics=["mDcie"]), (np.array([[0]]), np.array([[0]])))
