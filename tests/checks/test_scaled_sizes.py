"""Pictures that a pipeline would scale to nothing."""

import numpy as np
from PIL import Image

from semseg.checks.config import check_config
from tests.checks.sets import image_of, mask_of, photograph, plain_config, write_set


def test_a_picture_that_is_resized_to_nothing_is_named_with_both_sizes(here):
    path = write_set(here)
    photograph(9, (3000, 1)).save(image_of(path))
    Image.fromarray(np.arange(3000, dtype=np.uint16)[None].astype(np.uint8) % 3).save(mask_of(path))
    steps = [
        {"type": "LoadImageFromFile"},
        {"type": "RandomResize", "scale": (512, 256), "ratio_range": (0.5, 2.0), "keep_ratio": True},
    ]
    lines = [
        f"{finding.kind} {finding.line()}" for finding in check_config(plain_config(here, pipeline=steps)).findings
    ]
    assert lines == [
        "error train: 1 of 4 images are too narrow for the pipeline, first x/images/train/00.png (3000x1 becomes 256x0"
        " by RandomResize); cut them into shorter pieces, or remove them"
    ]
    steps[1] = {"type": "Resize", "scale": (2048, 1024), "keep_ratio": True}
    assert check_config(plain_config(here, pipeline=steps)).findings == ()


def test_a_picture_of_a_kind_that_is_not_read_has_no_size_to_scale(here):
    path = write_set(here)
    Image.fromarray(np.zeros((32, 48), np.float32)).save(image_of(path), "TIFF")
    steps = [{"type": "LoadImageFromFile"}, {"type": "Resize", "scale": (2048, 1024), "keep_ratio": True}]
    findings = check_config(plain_config(here, pipeline=steps), ("train",)).findings
    assert [finding.kind for finding in findings] == ["error"]
    assert "cannot be read as RGB" in findings[0].message
