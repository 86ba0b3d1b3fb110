import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from semseg.evaluation import scores
from semseg.evaluation.confusion import Areas, Confusions, count_pixels, entries_of
from tests.conftest import raises

NUM_CLASSES = 4
SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=8)
TARGETS = st.sampled_from([*range(NUM_CLASSES), 255])


def pairs():
    return SHAPES.flatmap(
        lambda shape: st.tuples(
            arrays.arrays(np.uint8, shape, elements=TARGETS),
            arrays.arrays(np.int64, shape, elements=TARGETS),
        )
    )


def matrix_of(target, predicted):
    return count_pixels(torch.from_numpy(predicted), torch.from_numpy(target), NUM_CLASSES).numpy()


def confusions_of(pairs):
    return Confusions.of(
        {f"{i}": (t.shape, *entries_of(matrix_of(t, p))) for i, (t, p) in enumerate(pairs)}, NUM_CLASSES
    )


@given(pairs())
def test_every_labelled_pixel_is_counted_once(pair):
    target, predicted = pair
    by_hand = np.zeros((NUM_CLASSES, NUM_CLASSES + 1), int)
    for truth, prediction in zip(target.flat, predicted.flat, strict=True):
        if truth != 255:
            by_hand[truth, min(prediction, NUM_CLASSES)] += 1
    matrix = matrix_of(target, predicted)
    assert matrix.dtype == np.int64
    assert (matrix == by_hand).all()


@pytest.mark.slow
@given(st.lists(pairs(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_parts_of_the_set_matter(samples, random):
    whole = confusions_of(samples)
    named = [(f"{i}", (t.shape, *entries_of(matrix_of(t, p)))) for i, (t, p) in enumerate(samples)]
    random.shuffle(named)
    shuffled = Confusions.of(dict(named), NUM_CLASSES)
    assert shuffled.images == whole.images
    for name in ("sizes", "image", "cell", "count"):
        assert (getattr(shuffled, name) == getattr(whole, name)).all()
    cut = random.randint(0, len(named))
    parts = [Confusions.of(dict(part), NUM_CLASSES) for part in (named[:cut], named[cut:])]
    assert (sum(part.total() for part in parts) == whole.total()).all()
    areas = Areas.of(whole.total())
    for sum_of_images, of_total in zip(whole.areas().sum(), areas, strict=True):
        assert (sum_of_images == of_total).all()


@pytest.mark.slow
@given(pairs())
def test_the_scores_of_a_perfect_prediction_are_100_and_of_a_wrong_one_0(pair):
    target, _ = pair
    perfect = np.where(target == 255, 0, target).astype(np.int64)
    areas = Areas.of(matrix_of(target, perfect))
    wrong = Areas.of(matrix_of(target, (perfect + 1) % NUM_CLASSES))
    for name, value in scores.means(areas).items():
        assert value == pytest.approx(100) if (target != 255).any() else np.isnan(value), name
    assert np.nan_to_num(scores.means(wrong)["mIoU"]) == 0
    assert np.nan_to_num(scores.means(wrong)["aAcc"]) == 0


def test_only_ignored_pixels_give_no_score():
    areas = Areas.of(matrix_of(np.full((2, 3), 255, np.uint8), np.zeros((2, 3), np.int64)))
    assert all(np.isnan(value) for value in scores.means(areas).values())


def test_pixels_without_a_predicted_class_count_as_wrong():
    areas = Areas.of(matrix_of(np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 255, 1, 255]])))
    assert scores.iou(areas)[:2].tolist() == [50, 100]
    assert scores.a_acc(areas) == pytest.approx(200 / 3)


def test_a_single_class_is_enough():
    matrix = count_pixels(torch.zeros(2, 2, dtype=torch.long), torch.zeros(2, 2, dtype=torch.uint8), 1)
    assert scores.means(Areas.of(matrix.numpy()))["mIoU"] == 100


def test_other_sizes_are_refused():
    with raises("E-input-size", r"prediction is 2x3 .*height x width.* truth 2x4"):
        count_pixels(torch.zeros(2, 3), torch.zeros(2, 4), 3)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.int16])
def test_labels_outside_the_classes_are_refused(dtype):
    target = torch.tensor([[0, 1, 7, 7, 255]], dtype=dtype)
    with raises("E-input-train-ids", r"the truth .* 0\.\.3 and 255 \{7: 2 px\}"):
        count_pixels(torch.zeros(1, 5, dtype=torch.long), target, NUM_CLASSES)


@pytest.mark.parametrize("value", [-1, 300, 70000])
def test_values_outside_0_to_255_are_refused(value):
    target = torch.tensor([[0, value]])
    with raises("E-input-train-ids", rf"the truth .* 0\.\.3 and 255 \{{{value}\}}"):
        count_pixels(torch.zeros(1, 2, dtype=torch.long), target, NUM_CLASSES)


def test_a_model_of_more_classes_is_refused():
    with raises("E-input-train-ids", r"the prediction .* 0\.\.3 and 255 \{5: 1 px\}; the model"):
        count_pixels(torch.tensor([[5, 1]]), torch.tensor([[0, 1]], dtype=torch.uint8), NUM_CLASSES)


@settings(max_examples=20)
@given(st.lists(pairs(), min_size=1, max_size=4))
def test_areas_of_groups_are_those_of_the_merged_classes(samples):
    groups = [0, 0, 1, 1]
    areas = confusions_of(samples).areas(groups)
    for i, (target, predicted) in enumerate(samples):
        merged = np.where(target == 255, 255, target // 2).astype(np.uint8)
        merged_prediction = np.where(predicted == 255, 255, predicted // 2)
        matrix = count_pixels(torch.from_numpy(merged_prediction), torch.from_numpy(merged), 2).numpy()
        for of_groups, of_merged in zip(areas, Areas.of(matrix), strict=True):
            assert (of_groups[i] == of_merged).all()


def test_classes_that_are_not_in_the_truth_count_or_do_not():
    # class 2 is predicted once and not in the truth, class 3 is in neither
    matrix = matrix_of(np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 2, 1, 1]]))
    areas = Areas.of(matrix)
    assert scores.means(areas)["mIoU"] == pytest.approx((50 + 100 + 0) / 3)
    assert scores.means(areas, "leave-out")["mIoU"] == pytest.approx((50 + 100) / 2)
    classes = ["road", "car", "train", "wall"]
    line = "mIoU over 3 of 4 classes (absent: wall; train is absent too, but predicted: IoU 0)"
    assert scores.describe_absent(areas, classes) == line
    three = Areas.of(matrix[:3, [0, 1, 2, 4]])
    line = "mIoU over 3 of 3 classes (train is absent, but predicted: IoU 0)"
    assert scores.describe_absent(three, classes[:3]) == line
    assert scores.describe_absent(areas, classes, "leave-out") == "mIoU over 2 of 4 classes (absent: train, wall)"
    assert scores.describe_absent(Areas.of(np.eye(4, 5, dtype=int)), classes) is None


def test_precision_recall_and_frequency_weights():
    areas = Areas.of(np.array([[6, 2, 0], [1, 3, 0]]))
    assert scores.recall(areas) == pytest.approx([75, 75])
    assert scores.precision(areas) == pytest.approx([600 / 7, 60])
    assert scores.f1(areas) == pytest.approx([80, 200 / 3])
    assert scores.iou(areas) == pytest.approx([600 / 9, 50])
    assert scores.fw_iou(areas) == pytest.approx((8 * 600 / 9 + 4 * 50) / 12)
    assert scores.a_acc(areas) == 75
