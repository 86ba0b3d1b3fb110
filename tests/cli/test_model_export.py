"""From a checkpoint to a file for ONNX Runtime, and on to masks, by the real programs."""

import csv

import numpy as np
import pytest
from PIL import Image

from tests.conftest import run, scores_in

pytestmark = pytest.mark.slow


def test_an_exported_model_segments_as_its_checkpoint_does(town, trained):
    done = run(town, "model.py", "export", trained / "best.pth", "--out", "model.onnx", "--images", "data/rosario")
    assert "compared on 3 images in data/rosario (first " in done.stdout
    assert "% of the pixels of 3 images" in done.stdout
    assert " times as fast as PyTorch in " in done.stdout
    assert "fp32, images of any size, 19 classes" in done.stdout
    done = run(town, "infer.py", "model.onnx", "data/rosario", "--out-dir", "by_onnx")
    assert "ONNX Runtime" in done.stderr
    run(town, "infer.py", trained / "best.pth", "data/rosario", "--precision", "fp32", "--out-dir", "by_torch")
    masks = sorted((town / "by_torch/pred").rglob("*.png"))
    assert len(masks) == 3
    for path in masks:
        other = town / "by_onnx/pred" / path.relative_to(town / "by_torch/pred")
        assert (np.asarray(Image.open(path)) == np.asarray(Image.open(other))).mean() > 0.999
    rows = [list(csv.DictReader((town / name / "manifest.csv").open())) for name in ("by_onnx", "by_torch")]
    for ours, theirs in zip(*rows, strict=True):
        assert float(ours["mean_confidence"]) == pytest.approx(float(theirs["mean_confidence"]), abs=0.005)


def test_an_exported_openvino_model_replaces_its_checkpoint(town, trained):
    export = ["model.py", "export", trained / "best.pth", "--format", "openvino"]
    done = run(town, *export, "--images", "data/rosario", "--out", trained / "best.xml")
    assert f"{trained / 'best.xml'} and {trained / 'best.bin'}  " in done.stdout
    done = run(town, "infer.py", trained / "best.xml", "data/rosario", "--out-dir", "by_file")
    assert "OpenVINO" in done.stderr
    run(town, "infer.py", trained / "best.pth", "data/rosario", "--precision", "fp32", "--out-dir", "by_pytorch")
    infer = ["infer.py", trained / "best.pth", "data/rosario", "--out-dir", "by_backend", "--precision", "fp32"]
    done = run(town, *infer, "--backend", "openvino")
    assert "backend: openvino, because best.xml (fp32) was " in done.stderr
    for path in (town / "by_pytorch/pred").rglob("*.png"):
        expected = np.asarray(Image.open(path))
        for name in ("by_file", "by_backend"):
            other = town / name / "pred" / path.relative_to(town / "by_pytorch/pred")
            assert (np.asarray(Image.open(other)) == expected).mean() > 0.999
    done = run(town, *infer, "--backend", "auto", "--save", "probs")
    assert "backend: torch, because of --save probs" in done.stderr
    done = run(town, *infer, "--backend", "auto", "--tta", "flip")
    assert "backend: torch, because of --tta" in done.stderr


def test_an_exported_model_is_tested_as_its_checkpoint(town, trained):
    run(town, "model.py", "export", trained / "best.pth", "--out", "tested.onnx")
    run(town, "test.py", trained / "best.pth", "--work-dir", "of_checkpoint")
    run(town, "test.py", trained / "best.pth", "tested.onnx", "--work-dir", "of_file", "--show-dir", "shown")
    expected, scores = scores_in(town / "of_checkpoint"), scores_in(town / "of_file")
    assert scores.keys() == expected.keys()
    assert scores["aAcc"] == pytest.approx(expected["aAcc"], abs=0.1)
    assert len(list((town / "shown").rglob("*.*"))) == 3
    for options, message in (
        (["tested.onnx"], "tested.onnx does not contain its config: name that, or the checkpoint"),
        ([trained / "best.pth", "tested.onnx", "--tta"], "--tta: tested.onnx gives classes, and no scores"),
        ([trained / "best.pth", "tested.onnx", "--extras", "all"], "--extras calibration needs the probability"),
        ([trained / "best.pth", "missing.onnx"], "no file missing.onnx"),
    ):
        assert message in run(town, "test.py", *options, code=2).stderr


def test_int8_is_kept_if_it_keeps_the_scores_on_the_labels(town, trained):
    export = ["model.py", "export", trained / "best.pth", "--format", "openvino", "--precision", "int8"]
    done = run(town, *export, "--images", "data/rosario", "--out", "int8.xml")
    assert "calibrated with 3 images in data/rosario" in done.stdout
    assert "compared on 3 images in " in done.stdout  # the test set of the town
    assert "with their labels" in done.stdout
    assert "on 3 labelled images" in done.stdout
    assert (town / "int8.bin").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.pt2"], "--out a.pt2: expected a name that ends with .onnx"),
        (["--format", "torch-export", "--precision", "int8"], "--precision int8 is for --format onnx or openvino only"),
        (["--size", "128"], "'128'; expected height,width, such as 512,1024"),
        (["--size", "64,128", "--dynamic"], "not allowed with argument"),
    ],
)
def test_wrong_options_are_one_sentence(town, trained, options, message):
    assert message in run(town, "model.py", "export", trained / "best.pth", *options, code=2).stderr
