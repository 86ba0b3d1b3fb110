"""The page in Debian's Chromium."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from semseg import Segmenter, labels
from tests.serve.conftest import MAX_MB, encoded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def upload():
    """A photograph that its camera took lying on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(240, 400, exif=exif, quality=95)


@pytest.fixture(scope="module")
def expected(checkpoint_path, upload):
    return Segmenter(checkpoint_path, device="cpu", precision="fp32")(Image.open(io.BytesIO(upload)))


@pytest.fixture(scope="module")
def open_page(new_page, server):
    def open_it(width=1280, **settings):
        page = new_page(width, **settings)
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.wait_for_selector("#limits:not(:empty)", state="attached")
        return page

    return open_it


def choose(page, name, content):
    page.set_input_files("#file", {"name": name, "mimeType": "image/jpeg", "buffer": content})
    page.wait_for_selector("#status:has-text(' pixels in ')")


@pytest.fixture(scope="module")
def page(open_page, upload):
    page = open_page()
    choose(page, "street.jpg", upload)
    return page


def downloaded(page, button):
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, Image.open(download.value.path())


def test_a_photograph_is_shown_with_its_classes_the_same_way_round(page, expected):
    assert page.locator("#model").inner_text() == "best.pth, 19 classes"
    assert page.locator("#status").inner_text().startswith("street.jpg: 240 × 400 pixels in ")
    sizes = page.eval_on_selector_all(".stack img", "all => all.map((one) => [one.naturalWidth, one.naturalHeight])")
    assert sizes == [[240, 400]] * 3
    shown = page.evaluate("""() => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [240, 400];
        canvas.getContext("2d").drawImage(document.getElementById("photograph"), 0, 0);
        return canvas.toDataURL().split(",")[1];
    }""")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))).convert("RGB"))
    difference = shown.astype(int) - expected.image
    assert np.abs(difference).mean() < 4  # JPEG
    assert page.complaints == []
    assert {url.split("/")[2] for url in page.requests if not url.startswith(("blob:", "data:"))} == {
        page.url.split("/")[2]
    }


def test_the_legend_has_the_shares_largest_first(page, expected):
    shares = {name: share for name, share in expected.shares().items() if share}
    rows = page.locator("#legend li").all()
    names = [row.get_attribute("data-label") for row in rows]
    assert sorted(names) == sorted(shares)
    assert [shares[name] for name in names] == sorted(shares.values(), reverse=True)
    palette = dict(zip(expected.classes, labels.CITYSCAPES.palette, strict=True))
    for row, name in zip(rows, names, strict=True):
        digits = 1 if shares[name] < 0.0995 else 0
        percent = "< 0.1 %" if shares[name] < 0.0005 else f"{100 * shares[name]:.{digits}f} %"
        assert row.inner_text().split("\n")[:2] == [name, percent]
        colour = row.locator("i").evaluate("chip => getComputedStyle(chip).backgroundColor")
        assert colour == f"rgb({', '.join(map(str, palette[name]))})"
        assert row.locator("u").evaluate("bar => parseFloat(bar.style.width)") == pytest.approx(
            100 * shares[name], abs=0.01
        )
    absent = page.locator("#absent").inner_text().removeprefix("Not found: ").split(", ")
    assert set(absent) == set(expected.classes) - set(shares)


def test_the_class_of_a_pixel_is_shown_by_mouse_and_by_keyboard(page, expected):
    page.locator("#photograph").scroll_into_view_if_needed()
    box = page.locator("#photograph").bounding_box()
    for x, y in ((0.2, 0.3), (0.7, 0.6), (0.5, 0.9)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        found = page.locator("#here").inner_text()
        rows, columns = int(y * 400), int(x * 240)
        around = expected.train_ids[rows - 1 : rows + 2, columns - 1 : columns + 2]
        assert found in {expected.classes[index] for index in np.unique(around)}
        assert page.locator("#legend li.here").get_attribute("data-label") == found
    page.focus("#stack")
    for _ in range(60):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
    assert page.locator("#here").inner_text() == expected.classes[expected.train_ids[0, 0]]
    assert page.locator("#pointer").is_visible()


def test_the_slider_goes_from_photograph_to_segmentation(page):
    slider, mask = page.locator("#opacity"), page.locator("#mask")
    slider.focus()
    page.keyboard.press("Home")
    assert (slider.get_attribute("aria-valuetext"), mask.evaluate("one => one.style.opacity")) == (
        "0 % segmentation",
        "0",
    )
    page.keyboard.press("ArrowRight")
    assert mask.evaluate("one => one.style.opacity") == "0.01"
    page.keyboard.press("End")
    assert mask.evaluate("one => one.style.opacity") == "1"
    page.check("#lines")
    assert page.locator("#outlines").is_visible()
    page.uncheck("#lines")


def test_the_mask_that_is_downloaded_is_that_of_the_segmenter(page, expected):
    name, mask = downloaded(page, "#save-mask")
    assert (name, mask.format, mask.mode) == ("street_mask.png", "PNG", "P")
    np.testing.assert_array_equal(np.asarray(mask), expected.train_ids)
    assert mask.getpalette()[: 3 * 19] == np.ravel(labels.CITYSCAPES.palette).tolist()


def test_the_overlay_that_is_downloaded_is_what_is_shown(page, expected):
    page.locator("#opacity").fill("60")
    name, overlay = downloaded(page, "#save-overlay")
    assert (name, overlay.format, overlay.size) == ("street_overlay.jpg", "JPEG", (240, 400))
    assert np.abs(np.asarray(overlay).astype(int) - expected.overlay(0.6)).mean() < 4  # JPEG


def test_a_photograph_can_be_dropped_or_pasted(open_page, upload):
    page = open_page()
    give = """(kind) => {
        const held = new DataTransfer();
        held.items.add(new File([Uint8Array.from(window.upload)], `${kind}.jpg`, { type: "image/jpeg" }));
        const about = { bubbles: true, cancelable: true };
        document.dispatchEvent(kind === "drop"
            ? new DragEvent("drop", { ...about, dataTransfer: held })
            : new ClipboardEvent("paste", { ...about, clipboardData: held }));
    }"""
    page.evaluate("bytes => { window.upload = bytes; }", list(upload))
    for kind in ("drop", "paste"):
        page.evaluate(give, kind)
        page.wait_for_selector(f"#status:has-text('{kind}.jpg: 240')")
    page.evaluate(
        "document.dispatchEvent(new DragEvent('drop', { dataTransfer: new DataTransfer(), cancelable: true }))"
    )
    assert page.locator("#error").inner_text().startswith("That is not a file; save the picture first")
    assert page.complaints == []


def test_an_error_is_shown_on_the_page_until_the_next_photograph(open_page, upload):
    page = open_page()
    page.set_input_files("#file", {"name": "<b>.jpg", "mimeType": "image/jpeg", "buffer": b"%!PS-Adobe-3.0"})
    page.wait_for_selector("#error:not(:empty)")
    assert page.locator("#error").inner_text().startswith("The upload is not a readable photograph; expected JPEG")
    assert page.locator("#result").is_hidden()
    large = {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": bytes(MAX_MB * 1_000_000 + 99_999)}
    page.set_input_files("#file", large)
    page.wait_for_selector("#error:has-text('Large.jpg has 3.1 MB; the limit here is 3 MB')")
    choose(page, "<img src=x>.jpg", upload)
    assert page.locator("#error").is_hidden() and page.locator("#result").is_visible()
    assert page.locator("#status").inner_text().startswith("<img src=x>.jpg: 240 × 400")
    assert page.locator("img[src=x]").count() == 0


def test_a_phone_shows_it_without_scrolling_sideways(open_page, upload):
    page = open_page(width=375, has_touch=True, color_scheme="dark")
    choose(page, "street.jpg", upload)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.tap("#stack")
    assert page.locator("#here").inner_text() in labels.CITYSCAPES.classes
    assert sum(map(int, page.evaluate("getComputedStyle(document.body).backgroundColor")[4:-1].split(","))) < 150


def test_every_control_has_a_name_for_screen_readers_and_can_be_reached_by_tab(page):
    named = "(one) => one.ariaLabel || one.labels?.length || one.textContent.trim()"
    controls = page.locator("button, input, [tabindex]")
    assert controls.count() == 6
    assert controls.evaluate_all(f"all => all.filter((one) => !({named})(one)).map((one) => one.outerHTML)") == []
    page.focus("#file")
    order = ["file"]
    for _ in range(5):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id"))
    assert order == ["file", "stack", "opacity", "lines", "save-mask", "save-overlay"]
    assert page.locator("[role=status]").count() == page.locator("[role=alert]").count() == 1
