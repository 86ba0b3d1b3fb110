"""`tools/dataset.py suspects`, as a user runs it, and its page in a browser."""

import csv
import json

import pytest

from tests.analysis.suspects.small_set import write_labelled_set
from tests.conftest import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def labelled_set(tmp_path_factory):
    return write_labelled_set(tmp_path_factory.mktemp("set"))


def test_a_run_writes_tables_and_a_page_with_crops(labelled_set, open_page):
    options = ["--checkpoint", "best.pth", "--out-dir", "found", "--top", 3, "--device", "cpu"]
    done = run(labelled_set, "dataset.py", "suspects", "dataset.yaml", *options)
    assert done.stdout.startswith("2 images, 4 regions: ")
    assert done.stdout.endswith("wrote found: suspects.html, suspects.csv, suspects.json\n")
    account = json.loads((labelled_set / "found/suspects.json").read_text())
    assert account["schema"] == "semseg.suspects/1"
    assert account["data"]["num_images"] == 2
    assert sum(row["regions"] for row in account["per_class"]) == 4
    scores = [row["score"] for row in account["suspects"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 3
    with (labelled_set / "found/suspects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["score"]) for row in rows] == scores
    assert {row["given"] for row in rows} <= {"road", "sky"}

    page = open_page(labelled_set / "found/suspects.html")
    assert page.complaints == []
    assert {url.partition(":")[0] for url in page.requests} <= {"file", "data", "blob"}
    assert page.locator(".suspect").count() == 3
    loaded = "all => all.every((one) => one.complete && one.naturalWidth >= 100)"
    assert page.locator(".suspect img").count() == 9
    assert page.locator(".suspect img").evaluate_all(loaded)
    first = page.locator(".suspect").first.inner_text()
    assert f"{rows[0]['given']}, rather" in first
    assert page.locator("#chart-contradicted .main-svg").count() >= 1


def test_a_model_judges_the_images_of_its_list_in_all_splits(labelled_set):
    (labelled_set / "list.txt").write_text("photos/train/0.png\nphotos/val/2.png\nphotos/val/3.png\n")
    options = ["--checkpoint", "best.pth=list.txt", "--out-dir", "of_list"]
    done = run(labelled_set, "dataset.py", "suspects", "dataset.yaml", *options)
    assert done.stdout.startswith("3 images, 6 regions: ")
    assert "1 of 4 images are in no list, and are not judged" in done.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--checkpoint", "x.pth"], "no checkpoint x.pth"),
        (["--checkpoint", "best.pth", "--top", "0"], "--top is 1 or more, got 0"),
        (["--checkpoint", "best.pth", "--split", "test"], "dataset.yaml has no split 'test'"),
        (["--checkpoint", "best.pth", "--out-dir", "best.pth"], "--out-dir best.pth: best.pth is a file"),
    ],
)
def test_wrong_input_is_one_sentence(labelled_set, options, sentence):
    assert f"error: {sentence}" in run(labelled_set, "dataset.py", "suspects", "dataset.yaml", *options, code=2).stderr


def test_a_set_of_other_classes_is_refused(labelled_set):
    text = (labelled_set / "dataset.yaml").read_text().replace("classes: cityscapes", "classes: [road, sky]")
    (labelled_set / "other.yaml").write_text(text + "label_map: {10: sky}\n")
    done = run(labelled_set, "dataset.py", "suspects", "other.yaml", "--checkpoint", "best.pth", code=2)
    assert "error: best.pth and other.yaml have other classes: only the first has sidewalk" in done.stderr
