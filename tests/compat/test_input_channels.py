"""MMEngine's data preprocessor normalises 1 or 3 channels; repaired, any number."""

import torch

from semseg import compat
from tests.conftest import run_code


def test_the_stock_one_accepts_1_or_3_channels_only(tmp_path):
    code = "from mmengine.model import ImgDataPreprocessor\nImgDataPreprocessor(mean=[1.0] * 4, std=[2.0] * 4)\n"
    assert "should have 1 or 3 values" in run_code(tmp_path, code).stderr


def test_each_channel_gets_its_own_mean_and_deviation():
    compat.repair()
    from mmseg.models.data_preprocessor import SegDataPreProcessor

    values = [1.0, 2.0, 3.0, 4.0]
    prepare = SegDataPreProcessor(mean=values, std=[2.0] * 4)
    picture = torch.arange(4.0).view(4, 1, 1).expand(4, 5, 6)
    (prepared,) = prepare(dict(inputs=[picture], data_samples=None))["inputs"]
    torch.testing.assert_close(prepared[:, 0, 0], torch.full((4,), -0.5))
    assert SegDataPreProcessor(mean=values[:3], std=values[:3]).mean.flatten().tolist() == values[:3]
