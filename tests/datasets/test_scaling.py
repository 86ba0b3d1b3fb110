"""The size that a resizing step gives, against what MMCV's own step does to a picture."""

import cv2
import numpy as np
import pytest
from mmseg.registry import TRANSFORMS

from semseg.datasets.scaling import find_resizes, smallest_size

SIZES = [(3000, 1), (1, 3000), (1500, 3), (97, 64), (640, 480), (2, 2)]  # width, height
STEPS = [
    {"type": "Resize", "scale": (256, 128), "keep_ratio": True},
    {"type": "Resize", "scale": (2048, 1024), "keep_ratio": True},
    {"type": "Resize", "scale": 100, "keep_ratio": True},
    {"type": "Resize", "scale_factor": 0.25, "keep_ratio": True},
    {"type": "Resize", "scale_factor": (0.5, 0.2)},
    {"type": "RandomResize", "scale": (256, 128), "ratio_range": (0.5, 0.5), "keep_ratio": True},
    {"type": "RandomResize", "scale": [(128, 64), (128, 64)], "keep_ratio": True},
    {"type": "RandomChoiceResize", "scales": [(128, 64)], "keep_ratio": True},
    {"type": "RandomChoiceResize", "scales": [2], "keep_ratio": True},
]


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_size_is_that_of_mmcv_and_where_it_has_no_pixel_mmcv_fails(size, step):
    expected = smallest_size(size, step)
    scale = TRANSFORMS.build({**step, "type": f"mmcv.{step['type']}"})
    data = {"img": np.zeros((size[1], size[0], 3), np.uint8), "img_shape": (size[1], size[0])}
    if 0 in expected:
        with pytest.raises(cv2.error):
            scale(data)
    else:
        assert scale(data)["img"].shape[1::-1] == expected


def test_of_several_scales_the_smallest_counts():
    step = {"type": "RandomChoiceResize", "scales": [(2048, 1024), (256, 128)], "keep_ratio": True}
    assert smallest_size((3000, 1), step) == (256, 0)
    step = {"type": "RandomResize", "scale": (512, 256), "ratio_range": (0.5, 2.0), "keep_ratio": True}
    assert smallest_size((3000, 1), step) == (256, 0)


def test_steps_are_found_in_branches_and_those_of_a_fixed_size_are_not():
    branches = {"type": "TestTimeAug", "transforms": [[STEPS[3]], [{"type": "RandomFlip", "prob": 0.0}]]}
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "Resize", "scale": (64, 64)}, STEPS[0], branches]
    assert list(find_resizes(pipeline)) == [STEPS[0], STEPS[3]]
