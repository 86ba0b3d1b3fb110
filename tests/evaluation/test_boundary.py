import cv2
import numpy as np
import pytest
from hypothesis import given, settings

from semseg.evaluation.boundary import TRIMAP_WIDTHS_PX, BoundaryIoU, Trimap
from tests.evaluation.label_maps import IGNORED, NUM_CLASSES, blobs, images


def boundary(mask, distance_px):
    """Return the boundary by the formula of the paper: the mask minus the mask that is eroded `distance_px` times."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance_px)
    return mask & (eroded[1:-1, 1:-1] == 0)


@pytest.mark.parametrize("ratio", [0.001, 0.02, 0.05, 0.7])
@pytest.mark.parametrize("shape", [(60, 90), (33, 7)])
def test_boundary_iou_counts_what_the_formula_counts_class_by_class(ratio, shape):
    extra = BoundaryIoU(NUM_CLASSES, dilation_ratio=ratio)
    expected = np.zeros((3, NUM_CLASSES), np.int64)
    for seed in range(4):
        predicted, target = blobs(seed, shape, ignored=False), blobs(seed + 10, shape)
        extra.update(predicted, target)
        predicted = np.where(target == IGNORED, IGNORED, predicted)
        distance_px = max(1, round(ratio * np.hypot(*shape)))
        for train_id in range(NUM_CLASSES):
            true, guessed = (boundary(ids == train_id, distance_px) for ids in (target, predicted))
            expected[:, train_id] += (true & guessed).sum(), true.sum(), guessed.sum()
    np.testing.assert_array_equal([extra.counts[name] for name in ("intersect", "truth", "predicted")], expected)
    iou = 100 * expected[0] / (expected[1] + expected[2] - expected[0])
    assert extra.summary()["per_class"] == pytest.approx(iou.tolist())
    assert extra.summary()["mIoU"] == pytest.approx(iou.mean())


def test_the_distance_is_two_percent_of_the_diagonal():
    extra = BoundaryIoU(1)
    assert extra.summary()["distance_px"] is None
    extra.update(np.zeros((1024, 2048), np.uint8), np.zeros((1024, 2048), np.uint8))
    assert extra.summary()["distance_px"] == 46


def test_a_class_that_is_only_predicted_has_boundary_iou_0_and_one_in_neither_has_none():
    extra = BoundaryIoU(3)
    extra.update(np.array([[0, 1]]), np.array([[0, 0]]))
    assert extra.summary() == {"distance_px": 1, "mIoU": 25.0, "per_class": [50.0, 0.0, None]}


def test_more_classes_than_a_byte_holds():
    extra = BoundaryIoU(400, ignore_index=1000)
    extra.update(np.array([[399, 5]]), np.array([[399, 1000]]))
    assert extra.counts["intersect"][399] == extra.counts["predicted"].sum() == 1


@settings(max_examples=30, deadline=None)
@given(pair=images())
def test_a_perfect_prediction_has_boundary_iou_100_and_no_error_at_any_width(pair):
    target = pair[1]
    predicted = np.where(target == IGNORED, pair[0], target)
    for cls in (BoundaryIoU, Trimap):
        extra = cls(NUM_CLASSES)
        extra.update(predicted, target)
        summary = extra.summary()
        values = [summary["mIoU"], *summary["per_class"]] if cls is BoundaryIoU else summary["mIoU"]
        assert set(values) <= {100.0, None}
        if cls is Trimap:
            assert {*summary["error"], summary["beyond"]["error"]} <= {0.0, None}


def test_the_bands_of_the_trimap_are_those_of_a_search_over_all_pairs_of_pixels():
    predicted, target = blobs(3, (40, 50), ignored=False), blobs(4, (40, 50))
    beside = []
    for row, column in np.ndindex(target.shape):
        for neighbour in ((row, column + 1), (row + 1, column)):
            if neighbour[0] < 40 and neighbour[1] < 50:
                values = target[row, column], target[neighbour]
                if values[0] != values[1] and IGNORED not in values:
                    beside += [(row, column), neighbour]
    rows, columns = np.array(beside).T
    grid = np.indices(target.shape)
    square = ((grid[0][..., None] - rows) ** 2 + (grid[1][..., None] - columns) ** 2).min(-1)
    extra = Trimap(NUM_CLASSES)
    extra.update(predicted, target)
    summary = extra.summary()
    labelled = target != IGNORED
    for width, error, share in zip(TRIMAP_WIDTHS_PX, summary["error"], summary["share"], strict=True):
        within = labelled & (square < width**2)
        assert share == pytest.approx(100 * within.sum() / labelled.sum())
        assert error == pytest.approx(100 * (predicted != target)[within].mean())


def test_an_error_at_a_border_counts_in_the_bands_at_the_border():
    target = np.zeros((40, 200), np.uint8)
    target[:, 100:] = 1
    predicted = np.zeros((40, 200), np.uint8)
    predicted[:, 102:] = 1  # two columns late
    extra = Trimap(2)
    extra.update(predicted, target)
    summary = extra.summary()
    assert summary["error"] == pytest.approx([50, 50, 25, 12.5, 6.25, 3.125])
    assert summary["share"] == pytest.approx([1, 2, 4, 8, 16, 32])
    assert summary["mIoU"][0] == pytest.approx(25)  # 0 taken for both, half right; 1 missed
    assert summary["beyond"] == {"error": 0.0, "share": 68.0}


def test_an_image_without_a_border_is_beyond_every_width():
    extra = Trimap(2)
    extra.update(np.ones((5, 6), np.uint8), np.where(np.arange(6) < 3, 0, IGNORED)[None].repeat(5, 0))
    summary = extra.summary()
    assert summary["error"] == [None] * 6
    assert summary["beyond"] == {"error": 100.0, "share": 100.0}
