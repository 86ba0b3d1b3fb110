"""A checkpoint with exported files beside it: which one predicts."""

import numpy as np
import pytest
import torch

from semseg import Segmenter
from semseg.checkpoints.reading import read_checkpoint
from semseg.config import for_inference, load_config
from semseg.export.model_file import export, facts_of
from semseg.export.openvino_file import describe_openvino
from semseg.export.traceable import Traceable
from semseg.inference.exported_predictor import ExportedPredictor
from semseg.inference.openvino_predictor import OpenVinoPredictor
from semseg.inference.predictor import Predictor
from tests.conftest import raises
from tests.export.test_model_file import model_of, noise

pytestmark = pytest.mark.slow
AUTO = dict(device="cpu", backend="auto")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with `model.pth` and `model.xml`, and the facts of the second."""
    folder = tmp_path_factory.mktemp("backends")
    predictor, *_ = model_of(folder)
    content = read_checkpoint(folder / "model.pth")
    content["state_dict"] = predictor_weights(content, predictor)
    torch.save(content, folder / "model.pth")
    cfg = for_inference(load_config(folder / "model.pth"), folder / "model.pth")  # as the programs do
    predictor = Predictor(cfg, folder / "model.pth", "cpu")
    facts = facts_of(predictor, cfg, content, folder / "model.pth")
    network = Traceable(predictor.model, cfg)
    done = export(predictor, facts, folder / "model.xml", "openvino", [noise(96, 192)], network=network)
    assert done.facts["gate"]["passed"]
    assert done.facts["speed"]["times_as_fast"] > 0
    return folder, done.facts


def predictor_weights(content, predictor):
    """Return the weights with the bias that `model_of` has set, so that every class wins somewhere."""
    weights = dict(content["state_dict"])
    weights["decode_head.conv_seg.bias"] = predictor.model.decode_head.conv_seg.bias.detach().clone()
    return weights


@pytest.fixture
def folder(exported):
    """The folder, with a description that says that the file is fast."""
    folder, facts = exported
    redescribe(folder, facts)
    return folder


def redescribe(folder, facts, times=2.5, **changes):
    speed = {**facts["speed"], "times_as_fast": times}
    describe_openvino(folder / "model.xml", {**facts, "speed": speed, **changes})


def notes_of(path, **options):
    heard = []
    segmenter = Segmenter(path, on_note=heard.append, **{**AUTO, **options})
    return segmenter, heard[0]


def test_the_exported_file_predicts_what_the_checkpoint_predicts(folder):
    segmenter, note = notes_of(folder / "model.pth")
    assert isinstance(segmenter.predictor, OpenVinoPredictor)
    assert note == (
        "backend: openvino, because model.xml (fp32) was 2.5 times as fast as PyTorch when it was exported; "
        "100.0 % of the pixels agreed on 1 images"
    )
    torch_segmenter = Segmenter(folder / "model.pth", device="cpu", precision="fp32")
    assert isinstance(torch_segmenter.predictor, Predictor)  # the default
    for image in (noise(96, 192, 3), noise(71, 133, 4)):
        ours, theirs = segmenter(image), torch_segmenter(image)
        assert len(np.unique(theirs.train_ids)) > 1
        assert (ours.train_ids == theirs.train_ids).mean() > 0.999
        assert np.quantile(np.abs(ours.confidence - theirs.confidence), 0.999) <= 1e-3


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (dict(tta="flip"), "`tta`"),
        (dict(tile=64), "`tile`"),
        (dict(performance="stock"), "`performance`"),
        (dict(precision="bf16"), "model.xml is fp32"),
        (dict(cfg_options=["model.decode_head.align_corners=True"]), "model.xml was exported from another checkpoint"),
    ],
)
def test_auto_is_pytorch_where_the_file_cannot_do_it(folder, options, reason):
    segmenter, note = notes_of(folder / "model.pth", **options)
    assert not isinstance(segmenter.predictor, ExportedPredictor)
    assert note.startswith("backend: torch, because ")
    assert reason in note


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (dict(times=0.8), r"model.xml (fp32) was 0.8 times as fast as PyTorch"),
        (dict(gate={"passed": False}), "does not say that it agrees with PyTorch"),
        (dict(gate=None), "does not say that it agrees with PyTorch"),
        (dict(checkpoint_sha256="0" * 64), "was exported from another checkpoint or config"),
        (dict(size=[96, 192]), "is for images of 192 x 96 pixels only"),
        (dict(classes=[1]), "cannot be used"),
    ],
)
def test_auto_is_pytorch_if_the_file_is_not_known_to_be_equal_and_faster(exported, changes, reason):
    folder, facts = exported
    redescribe(folder, facts, **changes)
    segmenter, note = notes_of(folder / "model.pth")
    assert isinstance(segmenter.predictor, Predictor)
    assert reason in note


def test_a_backend_that_cannot_be_used_is_an_error(folder, tmp_path):
    path = folder / "model.pth"
    with raises("E-input-missing", r"`backend` onnx: no file in .* was exported from model\.pth"):
        Segmenter(path, device="cpu", backend="onnx")
    with raises("E-input-no-effect", "`backend` openvino has no use for `tta`: leave it out"):
        Segmenter(path, device="cpu", backend="openvino", tta="flip")
    with raises("E-input-choice", "`backend` 'tensorrt': expected one of torch, auto, onnx, openvino"):
        Segmenter(path, device="cpu", backend="tensorrt")
    with raises("E-input-no-effect", r"model\.xml is an exported model, which has no use for `backend`"):
        Segmenter(folder / "model.xml", device="cpu", backend="openvino")
    (tmp_path / "model.pth").write_bytes(path.read_bytes())
    _, note = notes_of(tmp_path / "model.pth")
    assert "no exported file of this checkpoint lies beside it" in note
