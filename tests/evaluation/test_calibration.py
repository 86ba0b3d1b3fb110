import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semseg.evaluation.calibration import Calibration
from tests.conftest import raises
from tests.evaluation.label_maps import IGNORED, NUM_CLASSES, blobs, scores_of


def ece_of_the_paper(confidence, right):
    """Guo et al. 2017, equation 3, in double precision."""
    gaps = []
    for i in range(15):
        inside = (confidence > i / 15) & (confidence <= (i + 1) / 15)
        if inside.any():
            gaps.append(inside.mean() * abs(right[inside].mean() - confidence[inside].mean()))
    return 100 * sum(gaps)


def test_the_error_is_that_of_the_paper_overall_and_per_class():
    target, predicted = blobs(1), blobs(2, ignored=False)
    scores = scores_of(predicted)
    extra = Calibration(NUM_CLASSES)
    extra.update(predicted, target, scores)
    summary = extra.summary()
    confidence = scores.double().softmax(0).amax(0).numpy()
    labelled = target != IGNORED
    right = predicted == target
    assert summary["num_bins"] == len(summary["bins"]) == 15
    assert summary["ece"] == pytest.approx(ece_of_the_paper(confidence[labelled], right[labelled]), abs=1e-3)
    for train_id, of_class in enumerate(summary["per_class"]):
        chosen = labelled & (predicted == train_id)
        expected = {
            "ece": ece_of_the_paper(confidence[chosen], right[chosen]),
            "confidence": 100 * confidence[chosen].mean(),
            "precision": 100 * right[chosen].mean(),
            "share": 100 * chosen.sum() / labelled.sum(),
        }
        assert of_class == pytest.approx(expected, abs=1e-3)
    filled = [row for row in summary["bins"] if row["share"]]
    assert all(100 * row["low"] <= row["confidence"] <= 100 * row["high"] for row in filled)
    total = sum(row["share"] * abs(row["confidence"] - row["accuracy"]) for row in filled)
    assert total / 100 == pytest.approx(summary["ece"])


def test_a_model_that_is_sure_and_right_has_no_error_and_one_that_is_sure_and_wrong_has_100():
    target = blobs(1, ignored=False)
    scores = torch.nn.functional.one_hot(torch.from_numpy(target).long(), 3).permute(2, 0, 1) * 100.0
    for predicted, ece in ((target, 0), ((target + 1) % 3, 100)):
        extra = Calibration(3)
        extra.update(predicted, target, scores)
        assert extra.summary()["ece"] == pytest.approx(ece, abs=1e-4)
        assert extra.summary()["bins"][-1]["share"] == 100


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-80, 80), seed=st.integers(0, 100))
def test_a_constant_added_to_the_logits_hardly_changes_the_error(shift, seed):
    target, predicted = blobs(1, (20, 30)), blobs(2, (20, 30), ignored=False)
    eces = []
    for scores in (scores_of(predicted, seed), scores_of(predicted, seed) + shift):
        extra = Calibration(NUM_CLASSES)
        extra.update(predicted, target, scores)
        eces.append(extra.summary()["ece"])
    assert eces[0] == pytest.approx(eces[1], abs=0.5)  # a pixel at the end of a bin may move to the next


def test_half_precision_and_one_plane_of_probabilities():
    target = np.array([[0, 1, 1, 0]])
    for scores in (torch.tensor([[[0.25, 0.75, 0.75, 0.75]]]), torch.zeros(2, 1, 4, dtype=torch.bfloat16)):
        extra = Calibration(2)
        extra.update(np.array([[0, 1, 1, 1]]), target, scores)
        confidence = 75 if len(scores) == 1 else 50
        assert extra.summary()["ece"] == pytest.approx(75 - confidence)


def test_scores_of_another_size_or_nan_are_an_error():
    target = np.zeros((2, 3), np.uint8)
    with raises("E-input-size", r"scores are 4x6 .*height x width.* truth 2x3$"):
        Calibration(2).update(target, target, torch.zeros(2, 4, 6))
    scores = torch.zeros(2, 2, 3)
    scores[0, 1, 2] = torch.nan
    with raises("E-input-not-finite", "^1 pixels .*calibration"):
        Calibration(2).update(target, target, scores)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_scores_on_a_gpu_count_as_on_the_cpu():
    target, predicted = blobs(1, (300, 400)), blobs(2, (300, 400), ignored=False)
    summaries = []
    for device in ("cpu", "cuda"):
        extra = Calibration(NUM_CLASSES)
        extra.update(predicted, target, scores_of(predicted).to(device))
        summaries.append(extra.summary())
    assert summaries[0]["ece"] == pytest.approx(summaries[1]["ece"], abs=1e-3)
