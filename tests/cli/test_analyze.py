"""`curves` and `explain` of tools/analyze.py."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tests.conftest import run

pytestmark = pytest.mark.slow


def test_curves_says_draws_and_writes_the_scalars_of_a_run(town, trained):
    lines = [line.split() for line in run(town, "analyze.py", "curves", trained).stdout.splitlines()]
    assert [line[0] for line in lines] == ["last", "loss", "lr", "mIoU", "aAcc", "more"]
    assert lines[1][2] == "4"
    assert "IoU/*" in lines[-1]

    done = run(town, "analyze.py", "curves", trained, "--keys", "loss", "IoU/road", "--out", "seen/curves.csv")
    assert done.stdout == "wrote seen/curves.csv: loss, IoU/road\n"
    with (town / "seen/curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["iteration"]) for row in rows] == [(trained.name, str(i)) for i in (1, 2, 3, 4)]
    assert [bool(row["IoU/road"]) for row in rows] == [False, True, False, True]

    run(town, "analyze.py", "curves", trained, "--out", "seen/curves.png", "--smooth", 3)
    assert Image.open(town / "seen/curves.png").width > 1000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--keys", "mIuO"], "no scalar 'mIuO' in these runs; did you mean 'mIoU'"),
        (["--out", "x.jpg"], "--out x.jpg: expected a name that ends in .png or .csv"),
        (["--smooth", "0"], "--smooth is 1 or more, got 0"),
        (["--smooth", "3"], "--smooth works for a chart only; add --out FILE.png"),
    ],
)
def test_curves_answers_wrong_input_in_a_sentence(town, trained, options, said):
    assert run(town, "analyze.py", "curves", trained, *options, code=2).stderr.startswith(f"error: {said}")


def test_explain_writes_pictures_and_numbers(town, trained):
    photo = next((town / "data/rosario").rglob("*.jpg"))
    done = run(town, "analyze.py", "explain", trained / "best.pth", photo, "--class", "sky", "--region", "0,0,200,100")
    out_dir = town / "outputs/explain" / photo.stem
    account = json.loads((out_dir / "explain.json").read_text())
    width, height = Image.open(photo).size
    assert (account["width"], account["height"]) == (width, height)
    assert account["grad_cam"]["class"] == "sky"
    assert account["probabilities"] == "softmax"
    assert all((out_dir / name).is_file() for name in account["files"])
    maps = [np.asarray(Image.open(path)) for path in (out_dir / "probability").glob("*.png")]
    assert {map_.shape for map_ in maps} == {(height, width)}
    assert done.stdout.splitlines()[0].startswith("region: box, ")
    assert [line[:25] for line in done.stderr.splitlines()] == ["precision: fp32 (as asked"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x.pth"], "expected [CONFIG] CHECKPOINT IMAGE, got x.pth"),
        (["x.py", "y.jpg"], "expected [CONFIG] CHECKPOINT IMAGE, got x.py y.jpg"),
        (["x.pth", "y.jpg", "--region", "1,2,3"], "--region 1,2,3: expected X,Y,W,H in pixels, such as 0,0,320,200"),
        (["x.pth", "data"], "data is a folder; expected one image"),
    ],
)
def test_explain_answers_wrong_input_in_a_sentence(town, words, said):
    assert run(town, "analyze.py", "explain", *words, code=2).stderr.startswith(f"error: {said}")
