"""What every breakdown has in common."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semseg.evaluation.extras import EXTRAS
from tests.evaluation.label_maps import IGNORED, NUM_CLASSES, blobs, images, scores_of

every_breakdown = pytest.mark.parametrize("name", EXTRAS)


def counted(name, pairs, num_classes=NUM_CLASSES):
    extra = EXTRAS[name](num_classes, IGNORED)
    for predicted, target in pairs:
        scores = scores_of(predicted, num_classes=num_classes) if extra.needs_scores else None
        extra.update(predicted, target, scores)
    return extra


def numbers_in(summary):
    if isinstance(summary, dict):
        return [n for key, value in summary.items() for n in numbers_in(value)]
    return [n for value in summary for n in numbers_in(value)] if isinstance(summary, list) else [summary]


@every_breakdown
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_counts_of_parts_in_any_order_add_up_to_those_of_the_whole(name, data):
    pairs = data.draw(st.lists(images(), min_size=1, max_size=4))
    shuffled = data.draw(st.permutations(pairs))
    middle = data.draw(st.integers(0, len(pairs)))
    parts, whole = [counted(name, part) for part in (shuffled[:middle], shuffled[middle:])], counted(name, pairs)
    for key, counts in whole.counts.items():
        assert counts.dtype == np.int64
        np.testing.assert_array_equal(parts[0].counts[key] + parts[1].counts[key], counts)


@every_breakdown
def test_any_integer_type_gives_the_same(name):
    pair = blobs(0, ignored=False), blobs(1)
    ours, wide = counted(name, [pair]), counted(name, [[ids.astype(np.int64) for ids in pair]])
    assert ours.summary() == wide.summary()


@every_breakdown
@pytest.mark.parametrize("num_images", [0, 2])
def test_nothing_labelled_gives_none_without_a_warning(name, num_images):
    pair = np.zeros((20, 30), np.uint8), np.full((20, 30), IGNORED, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = counted(name, [pair] * num_images).summary()
    constants = ("widths_px", "bounds_px", "names", "edges", "num_bins", "low", "high", "distance_px", "objects")
    scores = {key: value for key, value in summary.items() if key not in constants}
    for row in scores.get("bins", []):
        row.pop("low"), row.pop("high")
    assert set(numbers_in(scores)) == {None}


@every_breakdown
def test_one_class_works(name):
    pair = np.zeros((20, 30), np.uint8), blobs(0, (20, 30), num_classes=1)
    summary = counted(name, [pair], num_classes=1).summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


@every_breakdown
def test_a_pixel_that_was_taken_for_no_class_is_wrong_and_of_no_class(name):
    target = blobs(1, ignored=False)
    predicted = target.copy()
    predicted[10:20] = IGNORED  # where a class of the model has none in the data set
    extra = EXTRAS[name](NUM_CLASSES, IGNORED)
    extra.update(predicted, target, scores_of(target))
    summary = extra.summary()
    share = np.isin(np.arange(60), np.arange(10, 20)).mean() * 100
    if name == "boundary":
        assert summary["mIoU"] < 100
    elif name == "trimap":
        shares = np.diff([0, *summary["share"], 100])
        errors = np.diff([0, *np.multiply(summary["error"], summary["share"])])
        wrong = errors.sum() + (summary["beyond"]["error"] or 0) * shares[-1]
        assert wrong / 100 == pytest.approx(share)
    elif name == "sizes":
        assert 0 < min(value for row in summary["recall"] for value in row if value is not None) < 100
    elif name == "rows":
        assert np.dot(summary["aAcc"], summary["share"]) / 100 == pytest.approx(100 - share)
    else:
        assert sum(row["share"] for row in summary["per_class"]) == pytest.approx(100 - share)
        assert sum(row["share"] for row in summary["bins"] if row["share"]) == pytest.approx(100)


@every_breakdown
def test_memory_does_not_grow_with_the_number_of_images(name):
    pair = blobs(0, ignored=False), blobs(1)
    one, many = counted(name, [pair]), counted(name, [pair] * 5)
    assert {key: value.nbytes for key, value in one.counts.items()} == {
        key: value.nbytes for key, value in many.counts.items()
    }
