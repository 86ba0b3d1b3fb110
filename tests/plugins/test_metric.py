import numpy as np
import pytest
import torch
from mmseg.evaluation import IoUMetric

from semseg.plugins.metric import PerClassIoUMetric

CLASSES = ("road", "car", "train")


def evaluate(metric, target, predicted):
    metric.dataset_meta = {"classes": CLASSES}
    fields = {"gt_sem_seg": target, "pred_sem_seg": predicted}
    sample = {name: {"data": torch.tensor(array)[None]} for name, array in fields.items()}
    metric.process({}, [sample])
    return metric.evaluate(size=1)


def test_per_class_scores_stand_beside_the_means():
    target, predicted = np.array([[0, 0, 1, 1, 255]]), np.array([[0, 1, 1, 1, 2]])
    scores = evaluate(PerClassIoUMetric(), target, predicted)
    assert scores["IoU/road"] == 50
    assert scores["IoU/car"] == pytest.approx(66.67)
    assert scores["Acc/road"] == 50
    assert np.isnan(scores["IoU/train"])  # neither in the truth nor in the prediction
    assert scores["mIoU"] == pytest.approx((50 + 66.67) / 2, abs=0.01)


def test_the_means_are_those_of_mmsegmentation():
    rng = np.random.default_rng(0)
    target, predicted = rng.integers(0, 3, (2, 40, 50))
    stock = evaluate(IoUMetric(), target, predicted)
    ours = evaluate(PerClassIoUMetric(), target, predicted)
    assert {name: ours[name] for name in stock} == {name: float(value) for name, value in stock.items()}
