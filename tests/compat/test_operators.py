"""Each `test_defect…` fails when the stack has fixed the defect: then remove the repair in compat/operators.py."""

import importlib
import importlib.util

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


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mmdet") is None, reason="MMDetection is not installed: .[mmdet]")
def test_defect_mmdetection_is_still_not_imported_without_compiled_operators(tmp_path):
    code = (
        "try:\n"
        "    import mmdet.models\n"
        "except ImportError as error:\n"
        "    assert '_ext' in str(error), error\n"
        "else:\n"
        "    raise SystemExit('import_all_operators can be removed')\n"
    )
    assert run_code(tmp_path, code).returncode == 0


@pytest.mark.slow
def test_operators_that_need_a_compiler_are_imported_and_name_themselves_when_called(tmp_path):
    code = (
        "from semseg.compat import operators\n"
        "operators._are_needed = lambda: True\n"  # as if MMDetection were installed
        "operators.import_all_operators()\n"
        "import sys, torch\n"
        "from mmcv.ops import MultiScaleDeformableAttention, nms\n"
        "assert 'mmcv._ext' not in sys.modules and not operators.is_compiled()\n"
        "try:\n"
        "    nms(torch.zeros(1, 4), torch.zeros(1), 0.5)\n"
        "except RuntimeError as error:\n"
        "    assert str(error) == 'install onedl-mmcv for nms ops', error\n"
        "else:\n"
        "    raise SystemExit('it does nothing')\n"
        "attention = MultiScaleDeformableAttention(8, num_heads=2, num_levels=1, num_points=2, batch_first=True)\n"
        "shapes, starts = torch.tensor([[2, 3]]), torch.tensor([0])\n"
        "points = torch.rand(1, 6, 1, 2)\n"
        "queries = torch.rand(1, 6, 8)\n"
        "out = attention(queries, reference_points=points, spatial_shapes=shapes, level_start_index=starts)\n"
        "assert out.shape == (1, 6, 8) and bool(out.isfinite().all())\n"
    )
    done = run_code(tmp_path, code)
    assert done.returncode == 0, done.stderr


def test_points_between_pixels_are_interpolated():
    compat.repair()
    from mmseg.models.decode_heads.point_head import point_sample

    picture = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]]]])
    points = torch.tensor([[[0.5, 0.5], [0.25, 0.25]]])  # of width and height
    assert point_sample(picture, points).flatten().tolist() == [3.0, 0.0]
