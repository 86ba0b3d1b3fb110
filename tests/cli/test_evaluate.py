"""Two folders of masks, scored by the real program."""

import json

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.index_png import write_index_png
from tests.conftest import run

PALETTE = [(0, 0, 0), (255, 255, 255), (255, 0, 0)]


@pytest.fixture
def folders(tmp_path):
    for number in (1, 2):
        target = np.zeros((4, 5), np.uint8)
        target[:2] = 1
        predicted = target.copy()
        predicted[0, 0] = 0  # one pixel of 20 is wrong
        write_index_png(tmp_path / f"pred/{number}.png", predicted, PALETTE, 1)
        write_index_png(tmp_path / f"true/{number}.png", target, PALETTE, 1)
    (tmp_path / "classes.txt").write_text("ground\nobject\nnever\n")
    return tmp_path


def test_two_folders_of_masks_are_scored_and_reported(folders):
    done = run(folders, "evaluate.py", "pred", "true", "--classes", "classes.txt", "--out", "scored")
    assert "accuracy (aAcc)              95.00" in done.stdout
    assert json.loads((folders / "scored/results.json").read_text())["scores"]["aAcc"]["value"] == 95
    run(folders, "analyze.py", "report", "scored")
    assert (folders / "scored/report.html").is_file()


def test_masks_of_0_and_255_are_two_classes(folders):
    for kind in ("pred", "true"):
        for path in (folders / kind).glob("*.png"):
            Image.fromarray(np.asarray(Image.open(path)) * np.uint8(255)).save(path)
    done = run(folders, "evaluate.py", "pred", "true")
    assert "two classes, background (0) and object" in done.stdout
    assert "accuracy (aAcc)              95.00" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "true"], "no folder nowhere of predictions"),
        (["pred", "true", "--roi", "nowhere"], "no folder nowhere of roi"),
        (["pred", "true", "--roi-suffix", ".png"], "--roi-suffix has no effect without --roi"),
        (["pred", "few"], "2.png"),
    ],
)
def test_bad_input_is_one_sentence(folders, arguments, message):
    (folders / "few").mkdir()
    (folders / "few/1.png").write_bytes((folders / "true/1.png").read_bytes())
    assert message in run(folders, "evaluate.py", *arguments, code=2).stderr
