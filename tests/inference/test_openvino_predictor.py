"""OpenVINO models in the format of `tools/model.py export`, and others; train ids are the values of the red channel."""

import json
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from semseg.export.openvino_file import describe_openvino, write_openvino
from semseg.inference.backends import open_exported
from semseg.inference.openvino_predictor import OpenVinoPredictor, description_in, parse
from tests.conftest import REPO, raises, run_code
from tests.inference.test_onnx_predictor import FACTS
from tests.inference.test_onnx_predictor import write as write_onnx


def write(path, facts=FACTS):
    """Write both halves of a model; without `facts` it has no description."""
    write_openvino(write_onnx(path.with_suffix(".onnx")), path, None)
    if facts is not None:
        describe_openvino(path, facts)
    return path


def test_it_has_the_interface_of_a_predictor(tmp_path):
    predictor = open_exported(write(tmp_path / "red.xml"))
    assert isinstance(predictor, OpenVinoPredictor)
    assert predictor.classes == ("road", "sky")
    assert predictor.palette == ((128, 64, 128), (70, 130, 180))
    assert predictor.notes[0].startswith("OpenVINO 20")
    images = list(np.random.default_rng(0).integers(0, 2, (3, 5, 7, 3), np.uint8))
    found = predictor.predict(images, confidence=True)
    for image, prediction in zip(images, found, strict=True):
        np.testing.assert_array_equal(prediction.train_ids, image[:, :, 0])
        np.testing.assert_array_equal(prediction.confidence, np.float32(image[:, :, 0] / np.float32(255)))
    assert predictor.predict(images)[0].confidence is None
    np.testing.assert_array_equal(predictor(images[1][:3, :4]), images[1][:3, :4, 0])  # another size
    assert predictor.predict([]) == []


def test_images_of_another_size_are_refused(tmp_path):
    predictor = OpenVinoPredictor(write(tmp_path / "red.xml", {**FACTS, "size": [4, 6]}), "cpu")
    with raises("E-input-sizes", r"red\.xml .* 6 x 4 pixels, .* 8 x 4"):
        predictor(np.zeros((4, 8, 3), np.uint8))


def test_a_description_with_any_characters_is_kept(tmp_path):
    facts = {**FACTS, "classes": ['a "b" <c> & \n\t', "Straße"]}
    assert OpenVinoPredictor(write(tmp_path / "red.xml", facts)).classes == tuple(facts["classes"])


def test_files_without_a_valid_description_are_refused(tmp_path):
    with raises("E-input-exported-file", "says nothing of its classes and colours"):
        OpenVinoPredictor(write(tmp_path / "none.xml", None))
    with raises("E-input-exported-file", "describes itself by 'semseg.export/9'"):
        OpenVinoPredictor(write(tmp_path / "new.xml", {**FACTS, "schema": "semseg.export/9"}))
    with raises("E-input-exported-file", "cannot be used"):
        OpenVinoPredictor(write(tmp_path / "bad.xml", {**FACTS, "palette": []}))


def test_halves_that_do_not_belong_together_are_refused(tmp_path):
    path = write(tmp_path / "red.xml")
    weights = path.with_suffix(".bin").read_bytes()
    for other in (weights[:-1], weights + b"\0", b""):
        path.with_suffix(".bin").write_bytes(other)
        with raises("E-input-exported-file", r"red\.bin and red\.xml do not belong together"):
            OpenVinoPredictor(path)
    path.with_suffix(".bin").unlink()
    with raises("E-input-missing", r"no file .*red\.bin, which holds the weights of red\.xml: copy both"):
        OpenVinoPredictor(path)
    facts = json.loads(description_in(parse(path.read_bytes())))
    assert len(facts["weights_sha256"]) == 64


def test_only_openvinos_own_format_is_read(tmp_path):
    path = write(tmp_path / "red.xml")
    good = path.read_bytes()
    for bad, message in (
        (path.with_suffix(".onnx").read_bytes(), "is not an OpenVINO model"),
        (b"<html/>", "holds <html>, expected <net>"),
        (good.replace(b"<net", b'<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]><net', 1), "document type"),
        (good[:500], "is not an OpenVINO model"),
        (good.replace(b'type="Gather"', b'type="Evil"'), "is not a model that OpenVINO can run"),
        (good.replace(b'version="opset1"', b'version="extension"'), "is not a model that OpenVINO can run"),
    ):
        assert bad != good
        path.write_bytes(bad)
        with raises("E-input-exported-file", message):
            OpenVinoPredictor(path)


def test_a_path_to_other_weights_in_the_file_has_no_effect(tmp_path):
    path = write(tmp_path / "red.xml")
    root = parse(path.read_bytes())
    ElementTree.SubElement(root.find("rt_info"), "__weights_path").set("value", str(tmp_path / "other.bin"))
    path.write_bytes(ElementTree.tostring(root))
    image = np.full((3, 4, 3), 7, np.uint8)
    np.testing.assert_array_equal(OpenVinoPredictor(path)(image), image[:, :, 0])


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with raises("E-input-missing", r"none\.xml"):
        OpenVinoPredictor(tmp_path / "none.xml")
    with raises("E-input-device", "`device` cuda:0: an OpenVINO model runs on cpu"):
        OpenVinoPredictor(write(tmp_path / "red.xml"), "cuda:0")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with raises("E-input-package", r"openvino, .*: pip install -e '\.\[openvino\]'"):
        OpenVinoPredictor(tmp_path / "red.xml")


@pytest.mark.slow
def test_nothing_is_reported_to_anybody(tmp_path):
    write_onnx(tmp_path / "red.onnx")
    code = f"""
import sys
def refuse(event, arguments):
    assert not event.startswith(("socket.connect", "urllib", "subprocess.Popen")), (event, arguments)
sys.addaudithook(refuse)
sys.path.insert(0, {str(__file__.rpartition("/tests/")[0])!r})
from pathlib import Path
import numpy as np
from semseg.export.openvino_file import describe_openvino, write_openvino
from semseg.inference.openvino_predictor import OpenVinoPredictor
folder = Path({str(tmp_path)!r})
images = [np.zeros((32, 32, 3), np.uint8)] * 2
write_openvino(folder / "red.onnx", folder / "red.xml", images)
describe_openvino(folder / "red.xml", {FACTS!r})
OpenVinoPredictor(folder / "red.xml")(images[0])
assert "nncf" in sys.modules
assert not [name for name in sys.modules if name.startswith("openvino_telemetry")]
print([path.name for path in Path.home().iterdir()])
"""
    home = tmp_path / "home"
    home.mkdir()
    done = run_code(tmp_path, code, HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert "intel" not in done.stdout


def test_a_signal_is_handled_after_several_models(tmp_path):
    path = write(tmp_path / "red.xml")
    code = f"""
import ctypes, gc, os, signal
from semseg.compat import signal_stack
from semseg.inference.openvino_predictor import OpenVinoPredictor
handled = []
signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))
predictors = [OpenVinoPredictor({str(path)!r}) for _ in range(3)]
while predictors:  # in another order than they have to be for OpenVINO's own clean-up
    del predictors[0]
    gc.collect()
    stack = signal_stack._Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    assert stack.address is None, "OpenVINO has left its stack"
os.kill(os.getpid(), signal.SIGUSR1)
assert handled == [1]
"""
    done = run_code(tmp_path, code, PYTHONPATH=str(REPO), PYTHONFAULTHANDLER="")
    assert done.returncode == 0, done.stdout + done.stderr
