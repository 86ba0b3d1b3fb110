"""`tools/analyze.py leak`, as a user runs it, and its page in a browser."""

import shutil

import pytest

from tests.analysis.report.folders import write_results
from tests.conftest import run

pytestmark = pytest.mark.slow
RULE = "regex:kieselburg|lindmark|other"


def test_two_tests_become_a_table_and_a_page(tmp_path, trained, open_page):
    write_results(tmp_path / "first", num_images=8)
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    trained("set1", ["kieselburg", "lindmark"])
    trained("set2", ["other", "other"])
    files = ["set1/dataset.yaml", "set2/dataset.yaml"]
    done = run(tmp_path, "analyze.py", "leak", "first", "second", "--data", *files, "--group-by", RULE)
    assert "groups in both: kieselburg (1 trained, 4 tested), lindmark (1 trained, 4 tested)" in done.stdout
    assert "B  trained on 2 images, 0 of tested groups: set2/dataset.yaml" in done.stdout
    assert done.stdout.endswith("wrote first/leak.html\n")
    page = open_page(tmp_path / "first/leak.html")
    assert page.complaints == []
    assert page.locator(".lead").inner_text().startswith("The related training images change mIoU by +0.00 points")
    assert page.locator("#chart-leak .scatterlayer .point").count() == 2
    assert page.locator("#differences tbody tr").count() == 7 + 8


def test_one_test_is_enough_for_a_page(tmp_path, trained, open_page):
    write_results(tmp_path / "first", num_images=8)
    trained("set1", ["lindmark"])
    done = run(tmp_path, "analyze.py", "leak", "first", "--data", "set1/dataset.yaml", "--group-by", RULE,
               "--out", "page.html")  # fmt: skip
    assert "seen - other, shared classes" in done.stdout
    page = open_page(tmp_path / "page.html")
    assert page.complaints == []
    assert page.locator("#chart-leak .scatterlayer .point").count() == 3
    assert page.locator("#differences").count() == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a", "b", "--data", "x.yaml"], "--data needs a dataset.yaml for each of one or two results; got 2 results"),
        (["a", "--data", "x.yaml", "--out", "page.pdf"], "--out is an HTML file such as leak.html, got page.pdf"),
        (["a", "--data", "x.yaml"], "no results in a"),
    ],
)
def test_wrong_input_is_one_sentence(tmp_path, arguments, sentence):
    assert f"error: {sentence}" in run(tmp_path, "analyze.py", "leak", *arguments, code=2).stderr
