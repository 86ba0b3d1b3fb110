"""The faster transforms draw as MMSegmentation's do, and give the same pixels."""

import copy
import random
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmcv.transforms import Resize as PlainResize
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmseg.datasets.transforms import PhotoMetricDistortion, RandomCrop
from mmseg.registry import TRANSFORMS

import semseg.plugins  # noqa: F401
from semseg.datasets.fast_transforms import FastRandomCrop, LazyResize, is_varied, use_fast_steps

SCALING = [
    dict(type="RandomResize", scale=(120, 80), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomChoiceResize", scales=[(60, 40), (120, 80), (200, 150)], keep_ratio=True),
    dict(type="Resize", scale=(150, 90), keep_ratio=True),
    dict(type="Resize", scale_factor=1.3, keep_ratio=True),
]
CROPS = [dict(crop_size=(32, 48)), dict(crop_size=(32, 48), cat_max_ratio=0.6), dict(crop_size=(300, 20))]


def pipelines(*steps):
    """Return the steps as MMSegmentation builds them, and the fast ones."""
    init_default_scope("mmseg")
    stock, fast = Compose(copy.deepcopy(list(steps))), Compose(copy.deepcopy(list(steps)))
    use_fast_steps(SimpleNamespace(pipeline=fast))
    return stock, fast


def sample(seed):
    numbers = np.random.default_rng(seed)
    train_ids = cv2.resize(numbers.integers(0, 4, (4, 6), dtype=np.uint8), (120, 80), interpolation=cv2.INTER_NEAREST)
    train_ids[:10] = 255
    image = numbers.integers(0, 256, (80, 120, 3), dtype=np.uint8)
    shape = dict(img_shape=(80, 120), ori_shape=(80, 120))
    return dict(img=image, gt_seg_map=train_ids, img_path="a.png", seg_fields=["gt_seg_map"], **shape)


def drawn(pipeline, seed):
    random.seed(seed)
    np.random.seed(seed)
    return pipeline(sample(seed))


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("scaling", SCALING)
def test_scaling_and_cropping_draw_the_same_and_give_the_same_pixels(scaling, crop):
    stock, fast = pipelines(scaling, dict(type="RandomCrop", **crop), dict(type="RandomFlip", prob=0.5))
    assert isinstance(getattr(fast.transforms[0], "resize", fast.transforms[0]), LazyResize)
    for seed in range(20):
        expected, results = drawn(stock, seed), drawn(fast, seed)
        assert np.array_equal(results["gt_seg_map"], expected["gt_seg_map"])
        assert np.abs(results["img"].astype(int) - expected["img"]).max() <= 1
        for key in expected.keys() - {"img", "gt_seg_map"}:
            assert results[key] == expected[key], key
        assert results.keys() == expected.keys()


def test_the_photometric_distortion_is_the_same():
    stock, fast = pipelines(dict(type="PhotoMetricDistortion"))
    for seed in range(40):
        assert np.array_equal(drawn(fast, seed)["img"], drawn(stock, seed)["img"])


def test_the_photometric_distortion_of_floats_is_the_same():
    stock, fast = pipelines(dict(type="PhotoMetricDistortion"))
    for seed in range(10):
        image = sample(seed)["img"].astype(np.float32)
        results = []
        for pipeline in (stock, fast):
            np.random.seed(seed)
            results.append(pipeline(dict(img=image.copy()))["img"])
        assert np.array_equal(*results)


def test_without_a_crop_behind_it_a_picture_is_scaled_at_once():
    stock, fast = pipelines(SCALING[0], dict(type="RandomFlip", prob=0.5), dict(type="RandomCrop", crop_size=(8, 8)))
    assert type(fast.transforms[0].resize) is type(stock.transforms[0].resize)
    assert np.array_equal(drawn(fast, 1)["img"], drawn(stock, 1)["img"])


@pytest.mark.parametrize(
    "unusual",
    [dict(keep_ratio=False), dict(keep_ratio=True, interpolation="bicubic"), dict(keep_ratio=True, backend="pillow")],
)
def test_unusual_scaling_stays(unusual):
    stock, fast = pipelines(dict(type="Resize", scale=(150, 90), **unusual), dict(type="RandomCrop", crop_size=(9, 9)))
    assert type(fast.transforms[0]) is type(stock.transforms[0])


def test_pictures_of_floats_and_boxes_are_scaled_as_before():
    stock, fast = pipelines(SCALING[2], dict(type="RandomCrop", crop_size=(32, 48), cat_max_ratio=0.6))
    for change in (
        lambda results: results.update(img=results["img"].astype(np.float32)),
        lambda results: results.update(gt_bboxes=np.array([[1.0, 2.0, 3.0, 4.0]])),
        lambda results: results.update(img=np.dstack([results["img"]] * 2)),
        lambda results: results.update(gt_seg_map=results["gt_seg_map"].astype(np.int64).astype(np.int16)),
    ):
        results = []
        for pipeline in (stock, fast):
            np.random.seed(0)
            given = sample(0)
            change(given)
            results.append(pipeline(given))
        assert np.array_equal(results[0]["img"], results[1]["img"])


def test_own_subclasses_stay():
    class OwnCrop(RandomCrop):
        pass

    class OwnColors(PhotoMetricDistortion):
        pass

    class OwnResize(PlainResize):
        pass

    steps = [OwnResize((9, 9), keep_ratio=True), OwnCrop((8, 8)), OwnColors()]
    pipeline = SimpleNamespace(transforms=list(steps))
    use_fast_steps(SimpleNamespace(pipeline=pipeline))
    assert pipeline.transforms == steps


def test_a_crop_around_a_rare_class_takes_scaled_pictures():
    _, fast = pipelines(SCALING[0], dict(type="RareClassCrop", crop_size=(32, 48)))
    for seed in range(10):
        np.random.seed(seed)
        results = fast({**sample(seed), "rare_class": 2})
        assert results["img"].shape[:2] == results["gt_seg_map"].shape
        assert (results["gt_seg_map"] == 2).any()


@pytest.mark.parametrize("most", [0.0, 0.3, 0.5, 0.75])
@pytest.mark.parametrize("ignored", [255, 1, -100])
def test_a_crop_is_varied_if_its_counts_say_so(most, ignored):
    numbers = np.random.default_rng(0)
    answers = set()
    for number in range(60):
        values = numbers.choice([0, 1, 1, 1, 255][: number % 5 + 1], (20, 30)).astype(np.uint8)
        values[: number % 7 * 3] = numbers.integers(0, 5)
        labels, counts = np.unique(values, return_counts=True)
        counts = counts[labels != ignored]
        answers.add(bool(len(counts) > 1 and counts.max() / counts.sum() < most))
        assert is_varied(values, most, ignored) == (len(counts) > 1 and counts.max() / counts.sum() < most)
    assert answers == ({True, False} if most > 0.5 else {False} if most == 0 else answers)


def test_a_share_of_exactly_the_limit_is_too_much():
    values = np.repeat(np.uint8([0, 1]), [150, 50]).reshape(10, 20)
    assert not is_varied(values, 0.75, 255)
    values[0, 0] = 1
    assert is_varied(values, 0.75, 255)


def test_an_ignored_value_outside_0_to_255_ignores_nothing():
    stock, fast = pipelines(dict(type="RandomCrop", crop_size=(32, 48), cat_max_ratio=0.6, ignore_index=-100))
    assert isinstance(fast.transforms[0], FastRandomCrop)
    for seed in range(10):
        assert np.array_equal(drawn(fast, seed)["gt_seg_map"], drawn(stock, seed)["gt_seg_map"])
    assert TRANSFORMS.get("RandomCrop") is RandomCrop  # the registry is that of MMSegmentation
