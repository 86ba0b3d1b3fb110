"""`performance='stock'`; tests/cli/test_fidelity.py compares its masks with those of MMSegmentation."""

import numpy as np
import pytest
import torch

from semseg import Segmenter
from semseg.config import for_inference
from semseg.inference.predictor import Predictor
from semseg.inference.stock_predictor import StockPredictor
from tests.checkpoints.described import save, small_config
from tests.conftest import raises
from tests.inference.lively import picture
from tests.inference.test_predictor import lively_checkpoint, one_channel_checkpoint


@pytest.fixture(params=["softmax", "one channel"])
def predictors(request, tmp_path):
    """The same checkpoint in a StockPredictor and in a Predictor."""
    cfg = small_config()
    content = lively_checkpoint(cfg) if request.param == "softmax" else one_channel_checkpoint(cfg)
    path = save(tmp_path / "model.pth", content)
    return [kind(for_inference(cfg, path), path, "cpu") for kind in (StockPredictor, Predictor)]


def test_the_model_is_left_as_it_is_and_every_image_goes_through_its_test_step(predictors):
    stock = predictors[0]
    assert stock.notes == ["precision: fp32 (as asked), as in MMSegmentation"]
    assert any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in stock.model.modules())
    images = [picture(75, 131, seed) for seed in range(2)] + [picture(64, 96)]
    for image, found in zip(images, stock.predict(images), strict=True):
        sample = stock.model.test_step(stock.batch(image))[0]
        assert np.array_equal(found.train_ids, sample.pred_sem_seg.data[0].numpy())
        assert found.train_ids.dtype == np.uint8
        assert found.confidence is None
    assert stock.predict([]) == []


def test_confidence_and_probabilities_are_those_of_the_default_up_to_rounding(predictors):
    stock, fast = (
        predictor.predict([picture(75, 131)], confidence=True, probabilities=True, uncertainty=True)[0]
        for predictor in predictors
    )
    assert len(np.unique(stock.train_ids)) > 1
    assert np.abs(stock.confidence - fast.confidence).max() < 1e-4
    assert np.abs(stock.probabilities.astype(float) - fast.probabilities).max() < 2e-3
    assert np.allclose(stock.mass, fast.mass, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "value"), [("tta", "flip"), ("tile", 64), ("compile", True), ("precision", "bf16"), ("precision", "fp16")]
)
def test_options_that_would_change_the_masks_are_refused(name, value):
    with raises("E-input-conflict", f"^`performance` stock .* `{name}` {value} would change that"):
        Segmenter("none.pth", performance="stock", **{name: value})


def test_an_overlap_that_has_no_effect_is_refused():
    with raises("E-input-no-effect", "^`overlap` 0.5 has no effect with `performance` stock"):
        Segmenter("none.pth", performance="stock", overlap=0.5)


def test_another_word_is_refused():
    with raises("E-input-choice", "^`performance` 'slow': expected 'fast' or 'stock'"):
        Segmenter("none.pth", performance="slow")
