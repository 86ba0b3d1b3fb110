"""Files in the format of `tools/model.py export`, and others; train ids are the values of the red channel."""

import json
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from semseg.datasets.scaling import TooNarrowError
from semseg.inference.backends import open_exported
from semseg.inference.exported_predictor import METADATA_KEY, SCHEMA
from semseg.inference.onnx_predictor import OnnxPredictor
from tests.conftest import raises

FACTS = {
    "schema": SCHEMA,
    "classes": ["road", "sky"],
    "palette": [[128, 64, 128], [70, 130, 180]],
    "exif": "apply",
    "precision": "fp32",
    "size": None,
}


def write(path, facts=FACTS, text=None):
    """Write a model; without `facts` it has no description."""
    sizes = ["N", "height", "width"]
    nodes = [
        helper.make_node("Constant", [], ["first"], value=helper.make_tensor("", TensorProto.INT64, [], [0])),
        helper.make_node("Gather", ["images", "first"], ["train_ids"], axis=1),
        helper.make_node("Identity", ["train_ids"], ["confidence"]),
    ]
    graph = helper.make_graph(
        nodes,
        "red",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 3, *sizes[1:]])],
        [helper.make_tensor_value_info(name, TensorProto.UINT8, sizes) for name in ("train_ids", "confidence")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if facts is not None or text is not None:
        helper.set_model_props(model, {METADATA_KEY: text or json.dumps(facts)})
    onnx.save(model, path)
    return path


def test_it_has_the_interface_of_a_predictor(tmp_path):
    predictor = OnnxPredictor(write(tmp_path / "red.onnx"), "cpu")
    assert predictor.classes == ("road", "sky")
    assert predictor.palette == ((128, 64, 128), (70, 130, 180))
    assert predictor.exif == "apply"
    assert len(predictor.notes) == 1
    images = list(np.random.default_rng(0).integers(0, 2, (3, 5, 7, 3), np.uint8))
    found = predictor.predict(images, confidence=True)
    for image, prediction in zip(images, found, strict=True):
        np.testing.assert_array_equal(prediction.train_ids, image[:, :, 0])
        np.testing.assert_array_equal(prediction.confidence, np.float32(image[:, :, 0] / np.float32(255)))
    assert predictor.predict(images)[0].confidence is None
    np.testing.assert_array_equal(predictor(images[1]), images[1][:, :, 0])
    assert predictor.predict([]) == []


def test_confidences_of_the_first_version_are_bytes_and_become_shares(tmp_path):
    image = np.full((2, 3, 3), 51, np.uint8)
    old = OnnxPredictor(write(tmp_path / "old.onnx", {**FACTS, "schema": "semseg.export/1"}), "cpu")
    (found,) = old.predict([image], confidence=True)
    assert found.confidence.dtype == np.float32
    np.testing.assert_allclose(found.confidence, 0.2, rtol=1e-6)


def test_unsuitable_images_are_refused(tmp_path):
    predictor = OnnxPredictor(write(tmp_path / "red.onnx", {**FACTS, "size": [4, 6]}))
    with raises("E-input-sizes", r"red\.onnx .* 6 x 4 pixels, .* 8 x 4"):
        predictor(np.zeros((4, 8, 3), np.uint8))
    with raises("E-input-image", r"float64 \(4, 6, 3\); expected uint8"):
        predictor(np.zeros((4, 6, 3)))
    with raises("E-input-image", r"uint8 \(0, 6, 3\)"):
        predictor(np.zeros((0, 6, 3), np.uint8))
    with raises("E-input-sizes", r"\(4, 6\) and \(5, 6\)"):
        predictor.predict([np.zeros((4, 6, 3), np.uint8), np.zeros((5, 6, 3), np.uint8)])
    with raises("E-input-no-probabilities", r"red\.onnx"):
        predictor.predict([np.zeros((4, 6, 3), np.uint8)], probabilities=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"facts": None}, "says nothing of its classes and colours: it is not from tools/model.py export"),
        ({"text": "{"}, "describes itself by None, expected 'semseg.export/2'"),
        ({"facts": {"schema": "semseg.export/9"}}, "describes itself by 'semseg.export/9'"),
        ({"facts": {**FACTS, "palette": [[1, 2, 3]]}}, "what it says of its classes, colours and size cannot be used"),
        ({"facts": {**FACTS, "palette": [[1, 2, 3], [0, 0, 256]]}}, "cannot be used"),
        ({"facts": {**FACTS, "classes": [1, 2]}}, "cannot be used"),
        ({"facts": {**FACTS, "size": ["a", 2]}}, "cannot be used"),
    ],
)
def test_a_file_without_a_valid_description_is_refused(tmp_path, change, message):
    with raises("E-input-exported-file", message):
        OnnxPredictor(write(tmp_path / "red.onnx", **change))


def test_a_file_that_is_no_model_is_refused(tmp_path, monkeypatch):
    (tmp_path / "text.onnx").write_text("no model")
    with raises("E-input-exported-file", r"text\.onnx"):
        OnnxPredictor(tmp_path / "text.onnx")
    with raises("E-input-missing", r"none\.onnx"):
        OnnxPredictor(tmp_path / "none.onnx")
    (tmp_path / "archive.pt2").write_bytes(b"")
    with raises("E-input-exported-file", r"archive\.pt2 is not loaded"):
        open_exported(tmp_path / "archive.pt2")
    with raises("E-input-device", "`device` tpu: .* cpu or cuda:N"):
        OnnxPredictor(write(tmp_path / "red.onnx"), "tpu")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with raises("E-input-package", r"onnxruntime, .*: pip install -e '\.\[export\]'"):
        OnnxPredictor(tmp_path / "red.onnx")


def test_an_image_that_the_model_scales_to_nothing_is_refused(tmp_path):
    """This model halves every side and rounds down, as a test pipeline may scale a narrow image to nothing."""
    factors = helper.make_tensor("", TensorProto.FLOAT, [4], [1, 1, 0.5, 0.5])
    weights = helper.make_tensor("", TensorProto.FLOAT, [1, 3, 1, 1], [1, 0, 0])
    nodes = [
        helper.make_node("Constant", [], ["factors"], value=factors),
        helper.make_node("Constant", [], ["weights"], value=weights),
        helper.make_node("Cast", ["images"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Resize", ["numbers", "", "factors"], ["small"]),
        helper.make_node("Conv", ["small", "weights"], ["scores"]),
        helper.make_node("Cast", ["scores"], ["train_ids"], to=TensorProto.UINT8),
        helper.make_node("Identity", ["train_ids"], ["confidence"]),
    ]
    sizes = ["N", 1, "rows", "columns"]
    graph = helper.make_graph(
        nodes,
        "half",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 3, "height", "width"])],
        [helper.make_tensor_value_info(name, TensorProto.UINT8, sizes) for name in ("train_ids", "confidence")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(FACTS)})
    onnx.save(model, tmp_path / "half.onnx")
    predictor = OnnxPredictor(tmp_path / "half.onnx", "cpu")
    assert predictor.predict([np.zeros((4, 6, 3), np.uint8)])[0].train_ids.shape == (1, 2, 3)
    with pytest.raises(TooNarrowError, match="an image of 3000x1 is too narrow: the model would scale it to less than"):
        predictor.predict([np.zeros((1, 3000, 3), np.uint8)])
