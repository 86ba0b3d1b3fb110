"""Each `test_defect…` fails when the stack has fixed the defect: then remove the repair in compat/operators.py."""

import importlib

import pytest
import torch

from semseg import compat
from tests.conftest import run_code


@pytest.mark.slow
def test_defect_operators_in_python_are_still_not_imported(tmp_path):
    code = (
        "import mmseg.models\n"
        "from mmseg.models.decode_heads import cc_head, point_head, san_head\n"
        "assert cc_head.CrissCrossAttention is None and point_head.point_sample is None\n"
    )
    done = run_code(tmp_path, code)
    assert done.returncode == 0, f"use_operators_in_python can be removed: {done.stderr}"


@pytest.mark.parametrize(
    ("module", "name"),
    [("cc_head", "CrissCrossAttention"), ("point_head", "point_sample"), ("san_head", "point_sample")],
)
def test_heads_find_their_operators(module, name):
    compat.repair()
    assert getattr(importlib.import_module(f"mmseg.models.decode_heads.{module}"), name) is not None


def test_points_between_pixels_are_interpolated():
    compat.repair()
    from mmseg.models.decode_heads.point_head import point_sample

    picture = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])
    points = torch.tensor([[[0.5, 0.5], [0.25, 0.25]]])  # of width and height
    assert point_sample(picture, points).flatten().tolist() == [3.0, 0.0]
