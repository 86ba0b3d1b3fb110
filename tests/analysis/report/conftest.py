"""A report about a small run that was resumed, and pages of Debian's Chromium to look at it."""

import json

import pytest

from tests.analysis.report import folders


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory):
    """The work folder of a training, with results and photographs; the training was killed and resumed."""
    work_dir = tmp_path_factory.mktemp("run") / "work"
    folders.write_start(work_dir, "20261122_170000", 0, range(25, 701, 25), lambda step: 3 - step / 500)
    folders.write_start(work_dir, "20261122_180000", 500, range(525, 1001, 25), lambda step: 9 - step / 500)
    folders.write_results(work_dir / "test/best-toycity", num_images=15, work_dir=work_dir)
    return work_dir


@pytest.fixture(scope="session")
def other_dir(tmp_path_factory):
    """Results of another run, which has the same classes and nothing else."""
    return folders.write_results(tmp_path_factory.mktemp("other") / "results", num_images=2, seed=50, extras=False)


@pytest.fixture(scope="session")
def report_path(run_dir, other_dir, tmp_path_factory):
    from semseg.analysis.report.page import write_report

    folder = tmp_path_factory.mktemp("report")
    explained = folder / "outputs/explain/photo"
    explained.mkdir(parents=True)
    (explained / "grad_cam.png").touch()
    photograph = run_dir / "test/photographs/kieselburg/kieselburg_000000.png"
    account = {"image": str(photograph), "files": ["grad_cam.png"]}
    (explained / "explain.json").write_text(json.dumps(account))
    return write_report(run_dir, other_dir, folder / "report.html", with_large=True, explained_dir=explained)


@pytest.fixture(scope="session")
def open_page(new_page):
    """A function that opens a file, and returns when its charts are drawn."""

    def open_file(path, width=1280, **settings):
        page = new_page(width, 800, **settings)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-drawn]", state="attached")
        return page

    return open_file
