"""The page about photographs without labels, in a browser."""

from pathlib import Path

import numpy as np
import pytest

from semseg.analysis.gap import Measured
from semseg.analysis.gap_scores import Measures
from semseg.analysis.gap_tables import make_sides, summarize
from semseg.analysis.report.gap_page import draw_views, write_page
from semseg.inference.sources import SourceImage

pytestmark = pytest.mark.slow

CLASSES, PALETTE = ["road", "sky <b>"], [[128, 64, 128], [70, 130, 180]]
NUM_NEXT = 3


def measured(name, score, sky):
    source = SourceImage(Path(name), Path(name))
    return Measured(source, (4, 8), Measures(1 - score, score / 2, 0.9, score, np.array([1 - sky, sky])))


@pytest.fixture(scope="module")
def page(open_page, tmp_path_factory):
    path = tmp_path_factory.mktemp("gap") / "gap.html"
    here = [measured(f"{i}&.jpg", i / 10, i / 20) for i in range(1, 6)]
    there = [measured(f"r{i}.jpg", i / 20, i / 40) for i in range(1, 6)]
    truth = {one.source.path.resolve(): 100 * one.measures.confidence for one in here}
    folder, reference = make_sides(here, there, truth)
    rates = [{"class": name, "threshold": 0.9, "pixels": 10, "kept": 2, "keep_rate": 0.2} for name in CLASSES]
    account = {
        "created": "2026-11-22T12:00:00+00:00",
        "run": {"checkpoint": "best.pth", "command": "tools/analyze.py gap"},
        "classes": CLASSES,
        "palette": PALETTE,
        "folder": {"path": "photos", "note": "", "num_found": 6, "num_measured": 5, "num_failed": 1},
        "reference": {"path": "val", "note": "images of val", "num_found": 5, "num_measured": 5, "num_failed": 0},
        **summarize(folder, reference, CLASSES),
        "pseudo_labels": {"share": 0.2, "per_class": rates},
    }
    random = np.random.default_rng(0)
    image, train_ids = random.integers(0, 256, (40, 80, 3), np.uint8), random.integers(0, 2, (40, 80), np.uint8)
    views = draw_views(image, train_ids, random.random((40, 80)).astype(np.float16), train_ids, PALETTE)
    shown = folder.measured
    pictures = {one.source.path: views for one in shown}
    write_page(path, account, folder, reference, shown, NUM_NEXT, pictures)
    return open_page(path)


def test_the_page_needs_no_network_and_complains_of_nothing(page):
    assert page.complaints == []
    assert {url.partition(":")[0] for url in page.requests} <= {"file", "data", "blob"}
    assert page.locator(".chart .main-svg").count() >= 5 + 3
    assert page.locator("h1, h2").all_text_contents() == [
        "photos",
        "Reference and folder",
        "Class shares",
        "Score and truth",
        "Label these next",
        "Pseudo-labels",
        "How it is measured",
    ]


def test_what_differs_is_said(page):
    lead = page.locator(".lead").inner_text()
    assert lead.startswith("5 photographs, against 5 of val.")
    assert "5 of 6 images; 1 could not be measured" in page.locator("#numbers").inner_text()


def test_the_hardest_come_first_and_the_easiest_can_be_chosen(page):
    cards = page.locator(".shot")
    assert cards.evaluate_all("all => all.map((one) => one.dataset.image)") == [f"{i}&.jpg" for i in (5, 4, 3, 2, 1)]
    first = cards.first.inner_text()
    assert "score 0.500" in first
    assert "mIoU 50.0 %" in first
    assert "1 of 5, harder than 100 % of the reference" in first
    page.select_option("#image-slice", label="easiest")
    assert cards.evaluate_all("all => all.map((one) => one.dataset.image)") == ["2&.jpg", "1&.jpg"]
    page.select_option("#image-slice", label="all of the page")
    page.click("[data-view=kept]")
    layers = cards.first.locator(".stack img")
    shown = layers.evaluate_all("all => all.filter((one) => Number(one.style.opacity)).map((one) => one.dataset.layer)")
    assert shown == ["photograph", "kept"]
