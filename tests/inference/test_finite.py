"""Scores that are NaN or infinite are an error, or are computed again in fp32; the first class never wins by them."""

import os

import numpy as np
import pytest
import torch
from mmseg.models.backbones import ResNetV1c
from mmseg.registry import MODELS
from PIL import Image

from semseg import Segmenter, compat
from semseg.config import for_inference
from semseg.evaluation.finite import NotFiniteError
from semseg.evaluation.metric import ConfusionMetric
from semseg.export.traceable import Traceable
from semseg.inference import Outputs, Predictor, find_images, infer
from semseg.inference.onnx_predictor import OnnxPredictor
from tests.checkpoints.described import checkpoint, save, small_config
from tests.inference.test_onnx_predictor import write
from tests.inference.test_predictor import lively_checkpoint, picture

LAST = "decode_head.conv_seg.weight"


def checkpoint_with(path, largest):
    """A model whose largest weight of the last layer is `largest`."""
    content = lively_checkpoint(small_config())
    weights = content["state_dict"][LAST]
    factor = largest / float(weights.abs().max())
    weights *= factor
    content["state_dict"][LAST.replace("weight", "bias")] *= min(factor, 1e30)
    return save(path, content)


def test_weights_that_are_not_finite_are_refused_with_the_name_of_the_tensor(tmp_path):
    content = lively_checkpoint(small_config())
    content["state_dict"][LAST][0, :3] = float("nan")
    content["state_dict"]["backbone.stem.1.running_var"][0] = float("nan")
    path = save(tmp_path / "a.pth", content)
    with pytest.raises(ValueError, match=r"a\.pth holds weights that are no numbers .*: 1 in backbone"):
        Segmenter(path, device="cpu")


@pytest.mark.slow
def test_an_overflow_in_fp16_is_computed_again_in_fp32_with_a_note(tmp_path):
    path = checkpoint_with(tmp_path / "a.pth", 6e4)
    notes = []
    half = Segmenter(path, device="cpu", precision="fp16", on_note=notes.append)
    whole = Segmenter(path, device="cpu", precision="fp32")
    image = picture(120, 200)
    assert (half(image).train_ids == whole(image).train_ids).all()
    assert half.predictor.precision == "fp32"
    (told,) = (note for note in notes if "NaN or infinite" in note)
    assert told.startswith("precision: fp32 (the model's scores are no numbers")
    assert len(np.unique(half(image).train_ids)) > 2


@MODELS.register_module()
class CarefulBackbone(ResNetV1c):
    """Records at each construction which checkpoints are trusted."""

    seen = []

    def __init__(self, *args, **kwargs):
        self.seen.append(compat.only_registered_names_are_used())
        super().__init__(*args, **kwargs)


@pytest.mark.slow
def test_opening_again_has_the_same_trust_as_the_first_time(tmp_path):
    cfg = small_config()
    content = {**checkpoint(cfg), "state_dict": torch.load(checkpoint_with(tmp_path / "w.pth", 6e4))["state_dict"]}
    content["meta"]["semseg"]["config"]["model"]["backbone"]["type"] = "CarefulBackbone"
    CarefulBackbone.seen.clear()
    half = Segmenter(save(tmp_path / "a.pth", content), device="cpu", precision="fp16")
    half(picture(120, 200))
    assert half.predictor.precision == "fp32"
    assert CarefulBackbone.seen == [True, True]
    assert not compat.only_registered_names_are_used()


class AsksForTheProcess:
    """Harmless code in a file, which may run several times."""

    def __reduce__(self):
        return (os.getpid, ())


@pytest.mark.slow
def test_a_trusted_file_is_trusted_when_it_is_opened_again(tmp_path):
    content = {**torch.load(checkpoint_with(tmp_path / "w.pth", 6e4)), "extra": AsksForTheProcess()}
    path = save(tmp_path / "a.pth", content)
    with pytest.raises(ValueError, match="could run code"):
        Segmenter(path, device="cpu", precision="fp16")
    half = Segmenter(path, device="cpu", precision="fp16", trust_checkpoint=True)
    half(picture(120, 200))
    assert half.predictor.precision == "fp32"
    assert not compat.checkpoints_are_trusted()


@pytest.mark.slow
def test_by_tiles_the_next_call_computes_in_fp32(tmp_path):
    path = checkpoint_with(tmp_path / "a.pth", 6e4)
    cfg = for_inference(small_config(), path)
    half = Predictor(cfg, path, "cpu", precision="fp16", tile=96)
    image = picture(120, 200)
    with pytest.raises(NotFiniteError, match="computes in fp32 from now on: try it again"):
        list(half.predict_rows(image))
    rows = np.concatenate([part.train_ids for part in half.predict_rows(image)])
    assert (rows == Predictor(cfg, path, "cpu", tile=96).predict([image])[0].train_ids).all()


def test_an_overflow_in_fp32_is_a_failed_image(tmp_path):
    path = checkpoint_with(tmp_path / "a.pth", 3e38)
    (tmp_path / "photos").mkdir()
    Image.fromarray(picture(120, 200)).save(tmp_path / "photos/a.png")
    predictor = Segmenter(path, device="cpu", precision="fp32").predictor
    outputs = Outputs(tmp_path / "out", predictor.classes, predictor.palette)
    summary = infer(predictor, find_images(tmp_path / "photos"), outputs)
    assert [str(path) for path in summary.failed] == [str(tmp_path / "photos/a.png")]
    text = (tmp_path / "out/manifest.csv").read_text()
    assert "failed: the model's scores are no numbers (NaN or infinite) at" in text
    assert not list((tmp_path / "out").rglob("*.png"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_metric_refuses_a_prediction_from_scores_that_are_no_numbers(value):
    metric = ConfusionMetric()
    metric.dataset_meta = {"classes": ("a", "b"), "palette": [[0, 0, 0]] * 2}
    ids = torch.zeros(1, 2, 2, dtype=torch.int64)
    scores = torch.zeros(2, 2, 2)
    scores[1, 0, 0] = value
    fields = {"gt_sem_seg": {"data": ids}, "pred_sem_seg": {"data": ids}, "seg_logits": {"data": scores}}
    with pytest.raises(NotFiniteError, match=r"^x\.png: the model's scores are no numbers .* at 25 % of the pixels"):
        metric.process({}, [{**fields, "img_path": "x.png"}])


def test_scores_of_an_exported_model_that_are_not_finite_are_refused(tmp_path):
    path = checkpoint_with(tmp_path / "a.pth", 3e38)
    cfg = for_inference(small_config(), path)
    network = Traceable(Predictor(cfg, path, "cpu").model, cfg)
    train_ids, _ = network(torch.from_numpy(picture(64, 128).transpose(2, 0, 1)[None].copy()))
    assert (train_ids == 255).any()
    image = np.zeros((4, 5, 3), np.uint8)
    image[0, 0] = 255  # this model returns the red channel as train ids
    with pytest.raises(NotFiniteError, match=r"at 5 % of the pixels; export the checkpoint in fp32 \(.*is fp32\)"):
        OnnxPredictor(write(tmp_path / "red.onnx"), "cpu").predict([image])
