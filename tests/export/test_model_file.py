"""A small model with random weights is exported: the file must predict what PyTorch predicts."""

import json
import sys
import zipfile

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmengine.config import ConfigDict
from torch import nn

from semseg.checkpoints.reading import read_checkpoint
from semseg.config import for_inference, load_config
from semseg.export.model_file import Disagreement, export, facts_of, trace
from semseg.export.onnx_file import describe_onnx, quantize_onnx
from semseg.export.traceable import ExplicitPooling, Traceable, resize_like_opencv
from semseg.inference import Predictor
from semseg.inference.backends import open_exported
from semseg.inference.onnx_predictor import OnnxPredictor
from tests.checkpoints.described import checkpoint, save, small_config
from tests.conftest import raises

pytestmark = pytest.mark.slow
UNET_HEADS = ["model.decode_head.in_channels=4", "model.auxiliary_head.in_channels=8"]


def model_of(folder, change=lambda cfg: None, seed=1):
    """Return a Predictor, its config and its facts."""
    cfg = small_config()
    change(cfg)
    content = checkpoint(cfg)
    generator = torch.Generator().manual_seed(seed)
    for name, weights in content["state_dict"].items():
        if name.startswith("decode_head.") and weights.ndim == 4:  # as different as those of a trained model
            weights.normal_(generator=generator)
    save(folder / "model.pth", content)
    cfg = for_inference(cfg, folder / "model.pth")
    predictor = Predictor(cfg, folder / "model.pth", "cpu")
    scores, _ = predictor.scores(noise(96, 192))  # so that every class wins somewhere
    middle = scores.flatten(1).median(dim=1).values
    predictor.model.decode_head.conv_seg.bias -= middle.logit() - np.log(0.4 / 0.6) if len(middle) == 1 else middle
    return predictor, cfg, facts_of(predictor, cfg, read_checkpoint(folder / "model.pth"), folder / "model.pth")


def noise(height, width, seed=0):
    """An image of blurred noise."""
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(picture, (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model, and a file of it for any size."""
    folder = tmp_path_factory.mktemp("exported")
    predictor, cfg, facts = model_of(folder)
    images = [noise(96, 192), noise(71, 133, 1)]
    done = export(predictor, facts, folder / "model.onnx", "onnx", images, network=Traceable(predictor.model, cfg))
    assert min(done.verdict.agreement) > 0.999
    return predictor, folder / "model.onnx"


@pytest.mark.parametrize("bins", [1, 2, 3, 6, (2, None)])
@pytest.mark.parametrize("size", [(6, 12), (7, 11), (5, 4), (64, 129)])
def test_explicit_pooling_equals_adaptive_pooling_at_any_size(bins, size):
    features = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(ExplicitPooling(bins)(features), nn.AdaptiveAvgPool2d(bins)(features))


@pytest.mark.parametrize("size", [(256, 512), (131, 333), (640, 480), (40, 30)])
@pytest.mark.parametrize("new_size", [(160, 320), (126, 77)])
def test_bytes_are_resized_exactly_as_by_opencv(size, new_size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    ours = resize_like_opencv(torch.from_numpy(picture).permute(2, 0, 1)[None], *new_size)[0].permute(1, 2, 0)
    np.testing.assert_array_equal(ours.numpy(), cv2.resize(picture, new_size[::-1]))


def as_it_is(cfg):
    pass


def in_windows(cfg):
    cfg.model.test_cfg = dict(mode="slide", crop_size=(64, 64), stride=(48, 40))


def stretched(cfg):
    cfg.test_dataloader.dataset.pipeline[1].update(scale=(200, 90), keep_ratio=False)


def in_bgr(cfg):
    cfg.model.data_preprocessor.update(bgr_to_rgb=False, mean=[10.0, 20.0, 30.0])


def of_two_classes(cfg):
    for head in (cfg.model.decode_head, cfg.model.auxiliary_head):
        head.update(num_classes=2, out_channels=1, loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=True))
    cfg.model.decode_head.threshold = 0.4


def of_sigmoids(cfg):
    cfg.model.decode_head.loss_decode.use_sigmoid = True


def padded(cfg):
    cfg.model.data_preprocessor.test_cfg = dict(size_divisor=32)


def padded_to_a_size(cfg):
    cfg.model.data_preprocessor.test_cfg = dict(size=(40, 256))  # lower and wider than the scaled photograph


CHANGES = [as_it_is, in_windows, stretched, in_bgr, of_two_classes, of_sigmoids, padded, padded_to_a_size]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_the_graph_predicts_the_same_as_the_predictor(tmp_path, change):
    predictor, cfg, _ = model_of(tmp_path, change)
    image = noise(131, 211)
    expected = predictor.predict([image], confidence=True)[0]
    with torch.no_grad():
        train_ids, confidence = Traceable(predictor.model, cfg)(torch.from_numpy(image).permute(2, 0, 1)[None])
    assert len(np.unique(expected.train_ids)) > 1
    assert (train_ids[0].numpy() == expected.train_ids).mean() > 0.999
    assert np.quantile(np.abs(confidence[0].numpy() - expected.confidence), 0.999) <= 1e-3


@pytest.mark.parametrize("size", [(96, 192), (101, 67), (33, 200)])
def test_one_file_is_for_any_size_and_number_of_images(exported, size):
    predictor, path = exported
    images = [noise(*size, seed) for seed in range(3)]
    found = OnnxPredictor(path, "cpu").predict(images, confidence=True)
    for image, ours in zip(images, found, strict=True):
        expected = predictor.predict([image], confidence=True)[0]
        assert (ours.train_ids.dtype, ours.confidence.dtype) == (np.uint8, np.float32)
        assert (ours.train_ids == expected.train_ids).mean() > 0.999
        assert np.quantile(np.abs(ours.confidence - expected.confidence), 0.999) <= 1e-3


def test_one_file_pads_photographs_of_any_size(tmp_path):
    predictor, cfg, facts = model_of(tmp_path, padded)
    images = [noise(96, 192), noise(71, 133, 1)]
    export(predictor, facts, tmp_path / "a.onnx", "onnx", images, network=Traceable(predictor.model, cfg))
    image = noise(50, 77, 2)
    assert (OnnxPredictor(tmp_path / "a.onnx", "cpu")(image) == predictor(image)).mean() > 0.999


def test_a_file_describes_its_model_and_not_the_machine(exported):
    predictor, path = exported
    model = onnx.load(path)
    onnx.checker.check_model(model)
    (said,) = model.metadata_props
    facts = json.loads(said.value)
    assert facts["classes"] == list(predictor.classes)
    assert facts["palette"][0] == [128, 64, 128]
    assert facts["mean"] == [123.675, 116.28, 103.53]
    assert (facts["iteration"], facts["data_sha256"]) == (4, "ab" * 32)
    assert [axis.dim_param for axis in model.graph.input[0].type.tensor_type.shape.dim] == ["N", "", "height", "width"]
    assert b"site-packages" not in path.read_bytes()


def test_int8_and_an_archive_of_torch_export(tmp_path):
    predictor, cfg, facts = model_of(tmp_path)
    size, images = (64, 128), [noise(64, 128, seed) for seed in range(3)]
    options = dict(network=Traceable(predictor.model, cfg), size=size)
    done = export(predictor, facts, tmp_path / "a.pt2", "torch-export", images, **options)
    assert min(done.verdict.agreement) > 0.999
    with zipfile.ZipFile(tmp_path / "a.pt2") as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("semseg.json"))
        assert json.loads(archive.read(name))["size"] == [64, 128]
    assert b"site-packages" not in (tmp_path / "a.pt2").read_bytes()

    done = export(predictor, facts, tmp_path / "b.onnx", "onnx", images, **options)
    quantize_onnx(tmp_path / "b.onnx", images)
    describe_onnx(tmp_path / "b.onnx", done.facts)
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(tmp_path / "b.onnx").graph.node}
    ours = OnnxPredictor(tmp_path / "b.onnx")
    assert np.mean([(ours(image) == predictor(image)).mean() for image in images]) > 0.8  # the weights are random


def test_a_file_that_disagrees_is_not_kept(tmp_path):
    other, *_ = model_of(tmp_path, seed=2)
    predictor, cfg, facts = model_of(tmp_path)
    (tmp_path / "a.pt2").write_text("of yesterday")
    options = dict(network=Traceable(predictor.model, cfg), size=(64, 128))
    with pytest.raises(Disagreement, match=r"a\.pt2 is not kept: it agrees with PyTorch in \d+\.\d\d % of the pixels"):
        export(other, facts, tmp_path / "a.pt2", "torch-export", [noise(64, 128)], **options)
    assert (tmp_path / "a.pt2").read_text() == "of yesterday"
    assert not list(tmp_path.glob(".*"))


def test_models_that_cannot_be_exported_are_refused(tmp_path, monkeypatch):
    predictor, cfg, facts = model_of(tmp_path, in_windows)
    network = Traceable(predictor.model, cfg)
    arguments = (predictor, facts, tmp_path / "a.onnx", "onnx", [])
    with raises("E-input-export", "sliding windows.*: give `size`"):
        export(*arguments, network=network)
    with raises("E-input-export", "int8 needs photographs .* `images`"):
        export(*arguments, network=network, size=(64, 128), precision="int8")
    with raises("E-input-no-effect", "`precision` bf16 is for `format` openvino only"):
        export(*arguments, network=network, size=(64, 128), precision="bf16")
    network.model.decode_head.forward = lambda features: features[2].nonzero()
    with raises("E-input-export", r"\(64, 128\)"):
        trace(network, (64, 128))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with raises("E-input-package", r"onnxscript, .*: pip install -e '\.\[export\]'"):
        export(*arguments, network=network, size=(64, 128))


def test_a_network_for_fixed_sizes_only_is_refused_in_one_sentence(tmp_path, capfd):
    cfg = load_config("unet-s5-d16_fcn_1xb4-1000_toycity-128x256", ["model.backbone.base_channels=4", *UNET_HEADS])
    save(tmp_path / "unet.pth", checkpoint(cfg))
    predictor = Predictor(for_inference(cfg, tmp_path / "unet.pth"), tmp_path / "unet.pth", "cpu")
    capfd.readouterr()
    with raises("E-input-export", "for any size; try a fixed one, `size` H,W"):
        trace(Traceable(predictor.model, cfg), None)
    assert capfd.readouterr() == ("", "")


def test_steps_of_the_pipeline_that_are_not_exported_are_refused(tmp_path):
    predictor, cfg, _ = model_of(tmp_path)
    cfg.test_dataloader.dataset.pipeline.insert(2, ConfigDict(type="Pad", size_divisor=32))
    with raises("E-input-export", "step Pad"):
        Traceable(predictor.model, cfg)
    cfg.test_dataloader.dataset.pipeline[1].interpolation = "nearest"
    with raises("E-input-export", "bilinearly by OpenCV"):
        Traceable(predictor.model, cfg)


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_narrow_photograph_is_refused_by_every_runtime(tmp_path, kind):
    predictor, cfg, facts = model_of(tmp_path)
    path = tmp_path / ("model.onnx" if kind == "onnx" else "model.xml")
    export(predictor, facts, path, kind, [noise(96, 192)], network=Traceable(predictor.model, cfg))
    for size, name in (((1, 3000), "3000x1"), ((3000, 1), "1x3000")):
        with raises("E-data-too-narrow", f"an image of {name} is too narrow"):
            open_exported(path, "cpu")(np.zeros((*size, 3), np.uint8))
