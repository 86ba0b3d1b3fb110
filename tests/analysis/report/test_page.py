import json
import re

import numpy as np
import pytest

from semseg.analysis.report import page as report
from semseg.analysis.report.page import write_report
from tests.analysis.report import folders

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(open_page, report_path):
    """One page for all tests that don't need another: each brings it into the state it wants."""
    return open_page(report_path)


def tick_labels(page, chart="classes"):
    ticks = page.locator(f"#chart-{chart} .ytick text").all()
    ticks.sort(key=lambda tick: tick.bounding_box()["y"])
    return [tick.text_content().removesuffix(" ■") for tick in ticks]


def shown_images(page):
    return page.eval_on_selector_all(".shot", "cards => cards.map((card) => card.dataset.image)")


def opacities(card):
    return card.locator(".stack img").evaluate_all("all => all.map((one) => Number(one.style.opacity))")


def test_the_page_opens_without_complaints_and_without_the_network(page, report_path):
    assert page.complaints == []
    assert {url for url in page.requests if not url.startswith(("data:", "blob:"))} == {report_path.as_uri()}
    num_charts = page.locator(".chart").count()
    assert num_charts == 3 + 2 + 6  # curves, classes and confusion, extras
    assert page.locator(".chart .main-svg").count() >= num_charts
    assert not re.search(r"https?://(?!www\.w3\.org)", report_path.read_text().split("plotly.js (cartesian")[0])


def test_the_charts_that_the_reader_sees_are_drawn_first(new_page, report_path):
    page = new_page(1280, 800, reduced_motion="reduce")
    page.add_init_script(
        "window.drawn = new Set(); new MutationObserver(() => document.querySelectorAll('.chart:has(.main-svg)')"
        ".forEach((chart) => drawn.add(chart.dataset.figure))).observe(document, { childList: true, subtree: true });"
    )
    for anchor, first in (("", "curve-loss"), ("#card-confusion", "confusion"), ("#extras", "calibration")):
        page.goto("about:blank")
        page.goto(report_path.as_uri() + anchor)
        page.wait_for_selector("html[data-drawn]", state="attached")
        drawn = page.evaluate("[...drawn]")
        assert drawn[0] == first and len(drawn) == 11


def test_the_sections_stand_in_order_and_say_what_was_run(page):
    headings = page.locator("h1, h2").all_text_contents()
    assert headings == [
        "pspnet_r18-d8_1xb4-1000_toycity-128x256",
        "Curves",
        "IoU per class",
        "Confusions",
        "Worst images first",
        "Predictions over time",
        "Details",
        "Data",
    ]
    text = page.locator("#numbers").inner_text()
    for fact in (
        "best_mIoU_iter_1000.pth",
        "torch 2.14.1",
        "Seed\n\n0",
        "95 % intervals",
        "absent from the truth: train",
    ):
        assert fact.replace("\n\n", "\n") in re.sub(r"\n+", "\n", text)
    assert "counts as IoU 0" in page.locator("#absent").inner_text()
    assert "d617d098f1cc95ff" in page.locator("#data pre").inner_text()


def test_classes_are_sorted_as_asked_in_the_chart_and_in_the_table(page):
    def table():
        return page.locator("#card-classes tbody th").all_text_contents()

    page.select_option("#class-order", "lowest")
    assert tick_labels(page)[0] == "train" == table()[0]
    for order, expected in (("name", sorted(folders.CLASSES)), ("table", folders.CLASSES)):
        page.select_option("#class-order", order)
        assert tick_labels(page) == expected == table()
    page.select_option("#class-order", "highest")
    assert tick_labels(page)[-1] == "train"
    page.select_option("#class-order", "difference")
    differences = page.locator("#card-classes tbody td:last-child").all_text_contents()
    known = [float(text) for text in differences if text != "–"]
    assert len(known) >= 6 and known == sorted(known)
    assert page.complaints == []


def test_the_confusion_matrix_shows_shares_or_pixels_and_says_the_largest_in_words(page, run_dir):
    matrix = np.array(json.loads((run_dir / "test/best-toycity/results.json").read_text())["confusion"])
    values = "document.getElementById('chart-confusion').data[0].z"
    np.testing.assert_allclose(page.evaluate(values)[2][2], (100 * matrix[2, 2] / matrix[2].sum()) ** 0.5, atol=1e-3)
    words = page.locator("[data-words=share] li")
    assert words.count() == 10
    assert re.match(r"\d+\.\d % of the pixels of \w+ were predicted as \w+ \d+.px", words.first.text_content())
    cell = page.locator("#chart-confusion .heatmaplayer image")
    cell.scroll_into_view_if_needed()
    box = cell.bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.wait_for_selector("#chart-confusion .hovertext")
    assert f"{matrix[0, 0]} pixels" in page.locator("#chart-confusion .hovertext").text_content()
    page.click("[data-confusion=pixels]")
    np.testing.assert_allclose(page.evaluate(values)[2][2], np.log10(matrix[2, 2] + 1))
    assert page.locator("[data-words=share]").is_hidden() and page.locator("[data-words=pixels]").is_visible()
    assert page.locator("[data-confusion=pixels]").get_attribute("aria-pressed") == "true"


def test_the_slider_goes_from_photograph_to_errors_with_the_keyboard(page):
    card = page.locator(".shot").first
    slider = card.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    seen = []
    for _ in range(4):
        seen.append((slider.get_attribute("aria-valuetext"), opacities(card)))
        page.keyboard.press("ArrowRight")
    assert seen == [
        ("photograph", [1, 0, 0, 0]),
        ("truth", [1, 1, 0, 0]),
        ("prediction", [1, 0, 1, 0]),
        ("errors", [1, 0, 0, 1]),
    ]
    slider.evaluate("one => { one.value = 1.5; one.dispatchEvent(new Event('input')); }")
    assert opacities(card) == [1, 1, 0.5, 0]
    assert slider.get_attribute("aria-valuetext") == "between truth and prediction"
    page.click("[data-view=truth]")
    assert {card.locator("input").input_value() for card in page.locator(".shot").all()} == {"1"}


def test_images_are_filtered_by_class_and_slice_and_the_worst_come_first(page):
    for chosen in ("#image-class", "#image-slice"):
        page.select_option(chosen, "")
    facts = json.loads(page.locator("#facts").text_content())
    scores = {image["name"]: image for image in facts["images"]}
    assert (
        shown_images(page)
        == sorted(scores, key=lambda name: float(scores[name]["marks"][0][1].removesuffix(" %")))[:12]
    )
    assert page.locator("#image-count").text_content() == "12 of 15 images shown"
    page.click("#more")
    assert len(shown_images(page)) == 15 and page.locator("#more").is_hidden()
    page.select_option("#image-slice", label="lindmark")
    assert {name.split("/")[0] for name in shown_images(page)} == {"lindmark"} and len(shown_images(page)) == 7
    page.select_option("#image-class", label="car")
    car = folders.CLASSES.index("car")
    iou = [scores[name]["iou"][car] for name in shown_images(page)]
    assert iou == sorted(iou)
    assert page.locator(".shot .marks").first.text_content().startswith(f"car {iou[0]:.2f} %")
    page.select_option("#image-slice", "")
    page.select_option("#image-class", label="train")  # in no truth, predicted here and there
    assert 0 < len(shown_images(page)) < 15


def test_the_flip_book_turns_over_both_starts_of_the_training(page):
    flip = page.locator("#flip")
    assert page.locator("#flip-iteration").text_content() == "iteration 1000"
    last = page.locator("[data-panel]").first.get_attribute("src")
    flip.focus()
    page.keyboard.press("Home")
    assert page.locator("#flip-iteration").text_content() == "iteration 100"
    assert page.locator("[data-panel]").first.get_attribute("src") != last
    assert flip.get_attribute("max") == "9"
    page.click("#flip-play")
    page.wait_for_function("document.getElementById('flip-iteration').textContent !== 'iteration 100'")
    page.click("#flip-play")


def test_dark_and_light_colour_page_and_charts(page):
    text = "getComputedStyle(document.querySelector('#chart-classes .ytick text')).fill"
    background = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(background), page.evaluate(text)
    page.focus("#theme")
    page.keyboard.press("Enter")
    page.wait_for_function(f"{text} !== '{dark[1]}'")
    light = page.evaluate(background), page.evaluate(text)
    brightness = [[sum(map(int, re.findall(r"\d+", color)[:3])) for color in colors] for colors in (dark, light)]
    assert brightness[0][0] < 150 < 600 < brightness[0][1] and brightness[1][0] > 600 > 150 > brightness[1][1]


def test_a_phone_shows_it_without_scrolling_sideways(open_page, report_path):
    page = open_page(report_path, width=375, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    charts = page.locator(".chart .main-svg").evaluate_all("all => all.map((one) => one.getBoundingClientRect().right)")
    assert max(charts) <= 375


def test_everything_has_a_name_for_a_screen_reader_and_every_chart_a_table(page):
    named = "(one) => one.textContent.trim() || one.ariaLabel || one.labels?.length"
    controls = page.locator("button, input, select, [role=img]")
    assert controls.evaluate_all(f"all => all.filter((one) => !({named})(one)).map((one) => one.outerHTML)") == []
    for chart in page.locator(".chart-card").all():
        assert chart.locator("table").count() == 1
        assert chart.locator("tbody tr").count() >= 2


def test_on_paper_it_is_light_and_shows_no_controls(page):
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator(".controls").first.is_hidden() and page.locator(".bar").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")


def test_large_pictures_lie_beside_the_page_and_are_linked(page, report_path):
    card = page.locator(".shot:not([data-image='kieselburg/kieselburg_000000.png'])").first
    links = card.locator("a").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    assert len(links) == 4
    assert all((report_path.parent / link).is_file() for link in links)


def test_what_was_explained_is_linked(page):
    for chosen in ("#image-class", "#image-slice"):
        page.select_option(chosen, "")
    page.locator("#more").click()
    card = page.locator("[data-image='kieselburg/kieselburg_000000.png']")
    assert "Why: grad cam" in card.inner_text()
    assert card.locator("a").last.get_attribute("href") == "outputs/explain/photo/grad_cam.png"


def test_names_are_text_whatever_they_hold(tmp_path, open_page):
    classes = ["</script><b>road", "a & 'b' \"c\"", "<!--", "<img src=x onerror=alert(1)>", *folders.CLASSES[4:]]
    folder = folders.write_results(tmp_path / "results", num_images=2, classes=classes)
    page = open_page(write_report(folder))
    assert page.complaints == []
    page.select_option("#class-order", "table")
    assert page.locator("#card-classes tbody th").all_text_contents() == classes
    assert tick_labels(page) == classes
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("#image-class option").all_text_contents()[1:] == classes


def test_parts_without_data_are_left_out_and_say_why(tmp_path, open_page):
    folder = folders.write_results(tmp_path / "results", num_images=1, extras=False)
    for path in [*tmp_path.rglob("*.png")]:
        path.unlink()
    page = open_page(write_report(folder))
    assert page.complaints == []
    reasons = page.locator(".missing").all_text_contents()
    assert [reason.split(":")[0] for reason in reasons] == [
        "No curves",
        "No pictures",
        "No pictures of validations",
        "No calibration, borders, sizes or rows",
    ]
    assert page.locator(".shot").count() == 1
    assert "95 % intervals" not in page.locator("#numbers").inner_text()  # of one image there are none


def test_500_images_stay_below_25_megabytes(run_dir, monkeypatch):
    from semseg.analysis.report import collect, pictures
    from semseg.evaluation.results import read_results

    results = read_results(collect.find_results(run_dir))
    images = (collect.read_images(results) * 40)[:500]
    uri = "data:image/webp;base64," + "A" * (pictures.IMAGE_BYTES * 4 // 3)
    panel = dict.fromkeys(range(16), "A" * 60000)
    training = collect.read_training(run_dir)
    page = report.render(results, None, training, images, [({"truth": uri}, {})] * 500, dict.fromkeys("abcd", panel))
    assert len(page.encode()) < 25e6
