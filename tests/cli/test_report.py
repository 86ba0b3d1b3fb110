"""`tools/analyze.py report`, as a user runs it."""

import pytest

from tests.analysis.report import folders
from tests.conftest import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cwd(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("report")
    folders.write_start(cwd / "work", "20261122_170000", 0, range(25, 101, 25), lambda step: 3 - step / 500)
    folders.write_results(cwd / "work/test/best-toycity", num_images=2, work_dir="work")
    return cwd


def test_a_work_folder_becomes_one_page_beside_its_results(cwd):
    done = run(cwd, "analyze.py", "report", "work", "--max-images", 1)
    path = cwd / "work/test/best-toycity/report.html"
    assert done.stdout == f"work/test/best-toycity/report.html: {path.stat().st_size / 1e6:.1f} MB\n"
    page = path.read_text()
    assert "The 1 with the lowest mIoU of 2." in page
    assert 'id="chart-curve-loss"' in page
    assert not list(path.parent.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing"], "no folder missing; expected a folder of results, or the work folder of a training"),
        (["work", "work", "work"], "a report is about one run, or two to compare; got 3"),
        (["work", "--max-images", -1], "--max-images is 0 or more, got -1"),
        (["work", "--out", "page.pdf"], "--out is an HTML file such as report.html, got page.pdf"),
    ],
)
def test_wrong_input_is_one_sentence(cwd, arguments, sentence):
    assert f"error: {sentence}" in run(cwd, "analyze.py", "report", *arguments, code=2).stderr
