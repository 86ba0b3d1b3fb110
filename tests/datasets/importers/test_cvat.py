""" "CVAT for images 1.1": its shapes, its run lengths, and wrong files."""

import numpy as np
import pytest

from semseg.datasets.importers import cvat
from semseg.datasets.importers.shapes import paint
from semseg.labels import IGNORED
from tests.conftest import raises

codec = pytest.importorskip("pycocotools.mask")
SIZE = (12, 9)
IDS = {"a": 1, "b": 2}


def write(path, *shapes, before="", name="street/1.jpg"):
    image = f'<image id="0" name="{name}" width="{SIZE[0]}" height="{SIZE[1]}">{"".join(shapes)}</image>'
    version = "<version>1.1</version><meta><task><name>x</name></task></meta>"
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>{before}<annotations>{version}{image}</annotations>')
    return path


def box(left, top, right, bottom, label="a", more=""):
    return f'<box label="{label}" xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}" {more}/>'


def draw(tmp_path, *shapes, line_width_px=None):
    (image,) = cvat.parse(write(tmp_path / "x.xml", *shapes), line_width_px=line_width_px).images
    assert [shape.problem(SIZE) for shape in image.shapes] == [None] * len(image.shapes)
    return paint(image.shapes, SIZE, IDS.__getitem__)[0]


def test_polygons_and_boxes_have_the_pixels_of_cvats_own_masks(tmp_path):
    """CVAT exports masks through datumaro, which draws with pycocotools."""
    points = [1.5, 1.0, 10.0, 2.5, 6.0, 8.0]
    text = ";".join(f"{x:.2f},{y:.2f}" for x, y in zip(points[::2], points[1::2], strict=True))
    expected = codec.decode(codec.frPyObjects([points], SIZE[1], SIZE[0]))[..., 0]
    assert np.array_equal(draw(tmp_path, f'<polygon label="a" points="{text}"/>') == 1, expected == 1)
    assert np.argwhere(draw(tmp_path, box(2, 3, 5, 7)) == 1).tolist() == [
        [y, x] for y in range(3, 7) for x in range(2, 5)
    ]


def test_run_lengths_go_along_the_rows_of_their_box_and_start_with_background(tmp_path):
    mask = '<mask label="a" rle="1, 2, 3" left="4" top="5" width="3" height="2" z_order="0"></mask>'
    assert np.argwhere(draw(tmp_path, mask) == 1).tolist() == [[5, 5], [5, 6]]
    generator = np.random.default_rng(0)
    for _ in range(20):
        pixels = generator.random((4, 6)) > 0.5
        edges = np.flatnonzero(np.diff(pixels.ravel().astype(int))) + 1
        counts = np.diff([0, *edges, pixels.size]).tolist()
        counts = [0, *counts] if pixels[0, 0] else counts
        text = ", ".join(map(str, counts))
        mask = f'<mask label="a" rle="{text}" left="2" top="1" width="6" height="4"/>'
        assert np.array_equal(draw(tmp_path, mask)[1:5, 2:8] == 1, pixels)


@pytest.mark.parametrize(("left", "top"), [(-2, -1), (9, 7), (20, 20), (-9, 0)])
def test_run_lengths_beyond_the_image_are_clipped(tmp_path, left, top):
    mask = f'<mask label="a" rle="0, 30" left="{left}" top="{top}" width="6" height="5"/>'
    ys, xs = np.mgrid[: SIZE[1], : SIZE[0]]
    expected = (xs >= left) & (xs < left + 6) & (ys >= top) & (ys < top + 5)
    assert np.array_equal(draw(tmp_path, mask) == 1, expected)
    assert cvat.parse(tmp_path / "x.xml").images[0].shapes[0].sticks_out(SIZE)


def test_a_turned_box_and_an_ellipse(tmp_path):
    turned = draw(tmp_path, box(2, 3, 8, 5, more='rotation="90.00"')) == 1
    assert np.array_equal(turned, draw(tmp_path, box(4, 1, 6, 7)) == 1)
    ellipse = draw(tmp_path, '<ellipse label="a" cx="6" cy="4" rx="4" ry="2"/>') == 1
    assert np.flatnonzero(ellipse.any(0)).tolist() == list(range(2, 10))
    assert np.flatnonzero(ellipse.any(1)).tolist() == list(range(2, 6))
    assert 20 <= ellipse.sum() <= 28  # pi * 4 * 2 = 25.1
    upright = draw(tmp_path, '<ellipse label="a" cx="6" cy="4" rx="2" ry="4" rotation="90"/>') == 1
    assert np.array_equal(upright, ellipse)


def test_z_order_decides_and_then_the_file(tmp_path):
    front, back = box(0, 0, 9, 9, "b", 'z_order="3"'), box(0, 0, 9, 9, "a", 'z_order="-1"')
    assert draw(tmp_path, front, back)[4, 4] == 2
    assert draw(tmp_path, box(0, 0, 9, 9, "b"), box(0, 0, 9, 9, "a"))[4, 4] == 1


def test_shapes_without_area_are_counted_and_parts_of_skeletons_are_not(tmp_path):
    shapes = [
        '<points label="a" points="1,1"/>',
        '<polyline label="a" points="0,4;12,4"/>',
        '<skeleton label="a"><points label="knee" points="1,1"/></skeleton>',
        '<cuboid label="a"/>',
        '<tag label="rain"/>',
        box(0, 0, 4, 4),
    ]
    parsed = cvat.parse(write(tmp_path / "x.xml", *shapes))
    assert len(parsed.images[0].shapes) == 1
    assert parsed.left_out == (("cuboid", 1), ("points", 1), ("polyline", 1), ("skeleton", 1))


def test_polylines_are_drawn_when_they_have_a_width(tmp_path):
    train_ids = draw(tmp_path, '<polyline label="a" points="0,4;11,4"/>', line_width_px=3)
    assert (train_ids[3:6] == 1).all()
    assert (np.delete(train_ids, [3, 4, 5], axis=0) == IGNORED).all()


def test_the_folder_of_an_export_and_its_images(tmp_path):
    write(tmp_path / "annotations.xml")
    (image,) = cvat.parse(tmp_path).images
    assert (image.name, image.size, image.image_paths[0]) == (
        "street/1",
        SIZE,
        tmp_path / "images/street/1.jpg",
    )


def test_a_doctype_is_refused_because_entities_could_unfold(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    with raises("E-data-annotation", r"x\.xml: .*DOCTYPE"):
        cvat.parse(write(tmp_path / "x.xml", before=bomb))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("not", r"\(syntax error"),
        ("<html/>", "<html>; expected <annotations>"),
        ("<annotations/>", r"no image .*'CVAT for images 1\.1'"),
        ("<annotations><track/></annotations>", "tracks of a video; .*'CVAT for images"),
        ('<annotations><image name="a"/></annotations>', "without 'width'; .*'CVAT"),
        (
            '<annotations><image name="a"><polygon label="a"/></image></annotations>',
            r"polygon of image 'a' .*\(no 'points'\)",
        ),
    ],
)
def test_files_that_cvat_did_not_write_are_named(tmp_path, text, values):
    (tmp_path / "x.xml").write_text(text)
    with raises("E-data-annotation", rf"x\.xml: .*{values}"):
        cvat.parse(tmp_path / "x.xml")


def test_no_file_and_a_packed_file_are_named(tmp_path):
    with raises("E-data-missing", r"annotations\.xml"):
        cvat.parse(tmp_path)
    (tmp_path / "x.zip").write_bytes(b"PK")
    with raises("E-data-annotation", r"x\.zip: "):
        cvat.parse(tmp_path / "x.zip")
