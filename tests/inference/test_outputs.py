from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.inference.outputs import Outputs, class_shares
from semseg.labels import CITYSCAPES
from tests.conftest import raises
from tests.inference.brightness import CLASSES, PALETTE, Prediction

IMAGE = np.full((20, 80, 3), 100, np.uint8)
TRAIN_IDS = np.zeros((20, 80), np.uint8)
TRAIN_IDS[:10] = 1
PREDICTION = Prediction(TRAIN_IDS, np.full((20, 80), 77.3 / 255, np.float32), np.full((2, 20, 80), 0.5, np.float16))


def written(out_dir, kind, classes=CLASSES, palette=PALETTE, **options):
    outputs = Outputs(out_dir, classes, palette, [kind], **options)
    assert not outputs.are_among(Path("north/a.b"), set())
    (path,) = outputs.write(Path("north/a.b"), IMAGE, PREDICTION)
    assert outputs.are_among(Path("north/a.b"), {path})
    assert [p for p in out_dir.rglob("*") if p.is_file()] == [path]
    assert path == out_dir / kind / f"north/a.b{path.suffix}"
    return np.load(path) if path.suffix == ".npz" else Image.open(path)


def test_masks_are_index_files_with_a_palette(tmp_path):
    mask = written(tmp_path, "pred")
    assert (mask.mode, mask.getpalette()[:6]) == ("P", np.ravel(PALETTE).tolist())
    assert (np.asarray(mask) == TRAIN_IDS).all()


def test_colours_confidence_and_probabilities(tmp_path):
    assert (np.asarray(written(tmp_path / "1", "color")) == np.array(PALETTE)[TRAIN_IDS]).all()
    confidence = written(tmp_path / "2", "conf")
    assert (confidence.mode, confidence.getextrema()) == ("L", (77, 77))
    stored = written(tmp_path / "3", "probs")
    assert (stored["probabilities"].dtype, stored["probabilities"].shape) == (np.float16, (2, 20, 80))
    assert stored["classes"].tolist() == list(CLASSES)


def test_label_ids_are_those_of_cityscapes(tmp_path):
    assert CITYSCAPES.by_name["sky"].label_id == 23
    assert np.unique(written(tmp_path, "labelids")).tolist() == [7, 23]
    with raises("E-input-output-kind", "`save` labelids: 'fish'"):
        Outputs(tmp_path, ("road", "fish"), PALETTE, ["labelids"])


def test_an_overlay_has_the_size_of_its_photograph_and_a_legend_on_request(tmp_path):
    overlay = written(tmp_path / "1", "vis", opacity=1.0)
    assert overlay.size == (80, 20)
    assert np.abs(np.asarray(overlay).astype(int)[2, 40] - PALETTE[1]).max() < 10
    legend = written(tmp_path / "2", "vis", opacity=0.0, legend=True)
    assert legend.size[0] == 80
    assert legend.size[1] > 30
    assert np.asarray(legend)[:18].std() < 3  # opacity 0: the photograph
    assert written(tmp_path / "3", "side-by-side").size == (160, 20)


def test_outlines_are_white_between_the_classes(tmp_path):
    found = np.asarray(written(tmp_path, "vis", opacity=0.0, outlines=True)).astype(int)
    assert found[9:11].min() > 200
    assert np.abs(found[:5] - 100).max() < 10


@pytest.mark.parametrize(
    ("options", "code", "values"),
    [
        (
            dict(kinds=["pred", "colour"]),
            "E-input-output-kind",
            "`save` colour: .* color, conf, probs, labelids, side-by-side",
        ),
        (dict(opacity=1.5), "E-input-range", "`opacity` 1.5: expected 0 to 1"),
    ],
)
def test_wrong_options_are_named(tmp_path, options, code, values):
    with raises(code, values):
        Outputs(tmp_path, CLASSES, PALETTE, **options)


def test_shares_are_of_the_pixels_with_data():
    train_ids = np.array([[0, 1, 1, 255]], np.uint8)
    assert class_shares(train_ids, 3).tolist() == pytest.approx([1 / 3, 2 / 3, 0])
