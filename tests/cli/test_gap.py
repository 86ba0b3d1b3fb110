"""`tools/analyze.py gap`, as a user runs it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.analysis.report import folders
from tests.conftest import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(trained):
    return trained / "best.pth"


def test_a_folder_is_measured_ranked_labelled_and_compared_with_its_truth(town, model):
    results = folders.write_results(town / "labelled/results", num_images=4, size=(64, 128))
    photographs = town / "labelled/photographs"
    (photographs / "broken.jpg").write_text("no picture")
    out_dir = town / "gap"
    options = ["--out-dir", "gap", "--pseudo-labels", 0.3, "--top", 3, "--results", results]
    done = run(town, "analyze.py", "gap", model, photographs, "--reference", "data/toycity", *options, code=1)
    said = done.stdout
    assert "reference: data/toycity/leftImg8bit/val, 3 images (images of val, not of test or train)" in said
    assert f"folder: {photographs}, 5 images" in said
    assert f"skipped {photographs}/broken.jpg: not a readable image" in done.stderr
    assert "1 image could not be measured" in said
    assert "\nscore               both " in said
    assert "wrote gap: gap.html, gap.json, images.csv, reference.csv, label_next.txt, keep_rates.csv" in said

    with (out_dir / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["score"]) for row in rows[:4]]
    assert scores == sorted(scores, reverse=True)
    assert rows[4]["status"] == "failed: not a readable image"
    account = json.loads((out_dir / "gap.json").read_text())
    assert account["schema"] == "semseg.gap/1"
    assert (account["folder"]["num_measured"], account["folder"]["num_failed"]) == (4, 1)
    assert account["means"]["score"]["folder"] == pytest.approx(np.mean(scores), abs=1e-5)
    assert account["correlation"]["score"]["folder"]["num_images"] == 4
    assert Image.open(out_dir / "correlation.png").width > 500

    labels = [np.asarray(Image.open(path)) for path in sorted((out_dir / "pseudo_labels").rglob("*.png"))]
    assert [one.shape for one in labels] == [(64, 128)] * 4
    kept = {row["class"]: row["kept"] for row in account["pseudo_labels"]["per_class"]}
    assert sum(kept.values()) == sum((one != 255).sum() for one in labels)

    page = (out_dir / "gap.html").read_text()
    assert page.count('id="pictures-') == 4  # three to label, and the easiest
    assert not list(out_dir.glob(".*"))
    listed = (out_dir / "label_next.txt").read_text().splitlines()
    assert len(listed) == 3
    run(town, "infer.py", model, out_dir / "label_next.txt", "--out-dir", "next", "--no-vis")
    assert len(list((town / "next/pred").rglob("*.png"))) == 3


def test_a_package_for_a_labelling_tool_comes_back_as_the_predictions(town, model):
    options = ["--reference", "data/toycity", "--num-images", 2, "--top", 2, "--out-dir", "gap_package"]
    done = run(town, "analyze.py", "gap", model, "data/rosario", *options, "--package", "label-studio")
    package = town / "gap_package/label_next"
    images = "gap_package/label_next/images"
    assert f"corrections: tools/dataset.py import label-studio EXPORT.json --images {images}" in done.stdout
    listed = (town / "gap_package/label_next.txt").read_text().splitlines()
    tasks = json.loads((package / "tasks.json").read_text())
    assert [Path(task["data"]["image"]).name for task in tasks] == [Path(line).name for line in listed]
    run(town, "dataset.py", "import", "label-studio", package / "tasks.json", "--classes", package / "classes.yaml",
        "--out", "gap_back")  # fmt: skip
    predicted = sorted((package / "predicted").rglob("*.png"))
    assert len(predicted) == 2
    for path in predicted:
        back = town / "gap_back/train_ids/train" / path.relative_to(package / "predicted")
        assert np.array_equal(np.asarray(Image.open(back)), np.asarray(Image.open(path)))


def test_one_photograph_and_a_folder_of_photographs_as_reference_are_enough(town, model):
    photograph = next((town / "data/rosario").rglob("*.jpg"))
    options = ["--reference", "data/rosario", "--num-images", 2, "--out-dir", "gap_one"]
    done = run(town, "analyze.py", "gap", model, photograph, *options)
    assert "reference: data/rosario, 2 of 3 images\n" in done.stdout
    account = json.loads((town / "gap_one/gap.json").read_text())
    assert account["correlation"] is account["pseudo_labels"] is None
    assert not (town / "gap_one/pseudo_labels").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x.pth"], "expected [CONFIG] CHECKPOINT FOLDER, got x.pth"),
        (["x.py", "data/rosario"], "expected [CONFIG] CHECKPOINT FOLDER, got x.py data/rosario"),
        (
            ["x.onnx", "data/rosario"],
            "x.onnx is an exported model, which returns the class of each pixel only; use its",
        ),
        (["x.pth", "nowhere"], "no image or folder nowhere"),
        (["x.pth", "data/rosario"], "no checkpoint x.pth"),
        (["x.pth", "data/rosario", "--top", "0"], "--top 0: expected 1 or more"),
        (["x.pth", "data/rosario", "--num-images", "0"], "--num-images 0: expected 1 or more"),
        (
            ["x.pth", "data/rosario", "--pseudo-labels", "20"],
            "--pseudo-labels 20.0: expected a share of the pixels of each class, above 0 and at most 1",
        ),
    ],
)
def test_wrong_input_is_one_sentence(town, words, said):
    done = run(town, "analyze.py", "gap", *words, "--reference", "data/toycity", code=2)
    assert done.stderr.startswith(f"error: {said}")


def test_results_of_other_photographs_and_folders_without_any_are_refused(town, model):
    results = folders.write_results(town / "other/results", num_images=2, size=(64, 128))
    options = ["--reference", "data/toycity", "--out-dir", "gap_none"]
    done = run(town, "analyze.py", "gap", model, "data/rosario", *options, "--results", results, code=2)
    assert f"--results {results} has other photographs, such as " in done.stderr
    (town / "none").mkdir()
    (town / "none/a.jpg").write_text("no picture")
    done = run(town, "analyze.py", "gap", model, "none", *options, code=2)
    assert "none of the 1 images of none could be measured, see above" in done.stderr
