"""From a checkpoint to a file for ONNX Runtime, and on to masks, by the real programs."""

import csv

import numpy as np
import pytest
from PIL import Image

from tests.conftest import run

pytestmark = pytest.mark.slow


def test_an_exported_model_segments_as_its_checkpoint_does(town, trained):
    done = run(town, "model.py", "export", trained / "best.pth", "--out", "model.onnx", "--images", "data/rosario")
    assert "% of the pixels agree with PyTorch, on 3 images: data/rosario" in done.stdout
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.pt2"], "--out a.pt2: expected a name that ends with .onnx"),
        (["--format", "torch-export", "--precision", "int8"], "--precision int8 is for --format onnx only"),
        (["--size", "128"], "'128'; expected height,width, such as 512,1024"),
        (["--size", "64,128", "--dynamic"], "not allowed with argument"),
    ],
)
def test_wrong_options_are_one_sentence(town, trained, options, message):
    assert message in run(town, "model.py", "export", trained / "best.pth", *options, code=2).stderr
