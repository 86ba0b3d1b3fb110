"""What all imports share: classes, images, what is refused, what is written, and when."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.importers import Request, plan
from semseg.datasets.masks import decode_mask
from semseg.datasets.pairs import find_pairs
from semseg.labels import IGNORED
from tests.conftest import raises

SQUARE = [[1, 1], [4, 1], [4, 4], [1, 4]]


def annotate(path, *labels, points=SQUARE, size=(12, 8), **more):
    """Write a photograph of a size, and a file of labelme beside it with one square per label."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "gray").save(path.with_suffix(".jpg"), **more)
    shapes = [{"label": label, "points": points, "shape_type": "polygon"} for label in labels]
    content = {
        "imagePath": f"{path.name}.jpg",
        "imageWidth": size[0],
        "imageHeight": size[1],
        "shapes": shapes,
    }
    path.with_suffix(".json").write_text(json.dumps(content))


@pytest.fixture
def source(tmp_path):
    annotate(tmp_path / "drawn/street/1", "road", "car")
    annotate(tmp_path / "drawn/street/2", "car")
    annotate(tmp_path / "drawn/3", "sky")
    return tmp_path / "drawn"


def request(source, **more):
    return Request(**{"format": "labelme", "source": source, "out_dir": source.parent / "out"} | more)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_written_is_what_the_reader_reads(source):
    share = plan(request(source)).write().unpainted_share
    file = read_dataset_file(source.parent / "out/dataset.yaml")
    assert file.classes == ("car", "road", "sky")
    pairs = find_pairs(file, "train").pairs
    assert [pair.image_path.resolve() for pair in pairs] == [
        source / name for name in ("3.jpg", "street/1.jpg", "street/2.jpg")
    ]
    train_ids = decode_mask(pairs[0].mask_path, file)
    assert (train_ids[1:5, 1:5] == 2).all()
    assert (train_ids == IGNORED).sum() == 12 * 8 - 16
    assert share == pytest.approx(1 - 16 / 96)


def test_importing_twice_gives_the_same_files(source):
    out = source.parent / "out"
    plan(request(source)).write()
    first = contents(out)
    plan(request(source, num_processes=2)).write()
    assert contents(out) == first
    assert sorted(first) == [
        "dataset.yaml",
        "train_ids/train/3.png",
        "train_ids/train/street/1.png",
        "train_ids/train/street/2.png",
        "train_pairs.csv",
    ]


def test_nothing_is_written_by_a_plan(source):
    plan(request(source))
    assert not (source.parent / "out").exists()


def test_a_set_with_copies_needs_no_other_files(source):
    plan(request(source, copy=True)).write()
    out = source.parent / "out"
    assert (out / "images/train/street/1.jpg").read_bytes() == (source / "street/1.jpg").read_bytes()
    out.rename(source.parent / "moved")
    for path in source.rglob("*"):
        if path.is_file():
            path.unlink()
    assert len(find_pairs(read_dataset_file(source.parent / "moved/dataset.yaml"), "train").pairs) == 3


def test_unpainted_pixels_take_the_background(source):
    work = plan(request(source, background="sky"))
    written = work.write()
    mask = np.asarray(Image.open(source.parent / "out/train_ids/train/street/2.png"))
    assert sorted(np.unique(mask).tolist()) == [0, 2]
    assert work.describe(written)[3] == "unpainted pixels: 83.3%, they are sky"
    with raises("E-input-value", r"`background` void .*car, road, sky"):
        plan(request(source, background="void"))


def test_labels_that_are_ignored_cover_what_is_below(source):
    plan(request(source, label_map=("car=ignore",))).write()
    mask = np.asarray(Image.open(source.parent / "out/train_ids/train/street/1.png"))
    assert (mask == IGNORED).all()


def test_further_splits_share_the_classes(source):
    annotate(source.parent / "more/9", "car")
    out = source.parent / "out"
    plan(request(source)).write()
    plan(request(source.parent / "more", split="val")).write()
    file = read_dataset_file(out / "dataset.yaml")
    assert (list(file.splits), file.classes) == (["train", "val"], ("car", "road", "sky"))
    assert "# val: labelme ../more" in (out / "dataset.yaml").read_text()
    before = contents(out)
    plan(request(source)).write()
    assert contents(out) == before

    annotate(source.parent / "more/9", "moon")
    with raises("E-data-labels", r"1 label .*dataset\.yaml: 'moon' \(1 shape\)"):
        plan(request(source.parent / "more", split="val"))
    (source.parent / "c.txt").write_text("moon\n")
    with raises("E-data-classes", r"c\.txt and .*dataset\.yaml .*`classes`, .*`out_dir`"):
        plan(request(source.parent / "more", split="val", classes=str(source.parent / "c.txt")))


def test_another_source_for_a_split_needs_overwrite(source):
    annotate(source.parent / "more/9", "moon")
    plan(request(source)).write()
    with raises("E-input-used", r"split train from labelme \.\./drawn; .*`split` or `out_dir`, or `overwrite`"):
        plan(request(source.parent / "more"))
    plan(request(source.parent / "more", overwrite=True)).write()
    out = source.parent / "out"
    assert read_dataset_file(out / "dataset.yaml").classes == ("moon",)
    assert "road" in (out / "dataset.yaml.bak").read_text()


@pytest.mark.parametrize("text", ["root: .\n", "", "# another program\n"])
def test_a_dataset_file_from_elsewhere_stays(source, text):
    path = source.parent / "out/dataset.yaml"
    path.parent.mkdir()
    path.write_text(text)
    with raises("E-input-used", r"dataset\.yaml .*`out_dir`, or `overwrite`"):
        plan(request(source))
    plan(request(source, overwrite=True)).write()
    assert path.with_name("dataset.yaml.bak").read_text() == text


def test_missing_images_are_counted_and_may_be_left_out(source):
    (source / "3.jpg").unlink()
    (source / "street/2.jpg").unlink()
    message = r"2 of 3 images .*3\.jpg; .*`images_dir`, or `skip_broken`"
    with raises("E-data-missing", message):
        plan(request(source))
    work = plan(request(source, skip_broken=True))
    assert [picture.target_path.name for picture in work.pictures] == ["1.png"]
    assert work.notes[0].startswith("left out: 2 images that are not there, first ")


def test_images_of_another_size_are_counted_and_may_be_left_out(source):
    Image.new("RGB", (24, 16)).save(source / "3.jpg")
    (source / "street/2.jpg").write_text("no image")
    message = r"2 of 3 images .*3\.jpg: 24x16, annotated at 12x8"
    with raises("E-data-images", message):
        plan(request(source))
    assert len(plan(request(source, skip_broken=True)).pictures) == 1


def test_shapes_that_cannot_be_drawn_are_counted_and_may_be_left_out(source):
    annotate(source / "3", "sky", points=[[1, 1], [2, 2]])
    message = r"1 of 4 shapes .* 3 a 'sky': polygon of 2 points; expected 3 or more; .*`skip_broken`"
    with raises("E-data-annotation", message):
        plan(request(source))
    work = plan(request(source, skip_broken=True))
    assert work.notes == (
        "left out: 1 of 4 shapes that cannot be drawn, first in 3 a 'sky': polygon of 2 points; expected 3 or more",
        "left out: 1 images without shapes; `background` CLASS keeps them",
    )


def test_points_outside_are_clipped_and_counted(source):
    annotate(source / "3", "sky", points=[[-5, -5], [4, -5], [4, 4], [-5, 4]])
    work = plan(request(source))
    assert work.notes == ("clipped: 1 shapes that extend beyond their image",)
    work.write()
    mask = np.asarray(Image.open(source.parent / "out/train_ids/train/3.png"))
    assert np.argwhere(mask == 2).max(axis=0).tolist() == [4, 4]
    assert (mask[:5, :5] == 2).all()


def test_points_in_another_unit_are_refused(source):
    annotate(source / "3", "sky", points=[[0, 0], [9e6, 0], [0, 5]])
    with raises("E-data-annotation", r"point \(9e\+06, 0\), .*12x8"):
        plan(request(source))


def test_images_without_shapes_stay_with_a_background(source):
    annotate(source / "3")
    assert len(plan(request(source)).pictures) == 2
    assert len(plan(request(source, background="road")).pictures) == 3
    for name in ("3", "street/1", "street/2"):
        annotate(source / name)
    with raises("E-data-empty", r"left out: 3 images without shapes; `background`"):
        plan(request(source))


def test_one_image_is_annotated_once(source):
    text = (source / "3.json").read_text()
    (source / "3 copy.json").write_text(text)
    with raises("E-data-duplicate", r"3\.jpg is annotated twice"):
        plan(request(source))


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_annotations_follow_the_exif_orientation_or_not(source):
    annotate(source / "3", "sky", size=(12, 8), exif=turned(6))
    assert plan(request(source)).exif == "ignore"  # 12x8 is the stored size, and annotated
    content = json.loads((source / "3.json").read_text())
    (source / "3.json").write_text(json.dumps(content | {"imageWidth": 8, "imageHeight": 12}))
    work = plan(request(source))
    assert (work.exif, work.pictures[0].size) == ("apply", (8, 12))
    annotate(source / "4", "sky", size=(12, 8), exif=turned(6))
    with raises("E-data-exif", r"3\.jpg .*EXIF orientation, .*4\.jpg"):
        plan(request(source))


def test_a_size_that_is_not_annotated_is_that_of_the_image(source):
    content = json.loads((source / "3.json").read_text())
    (source / "3.json").write_text(json.dumps(content | {"imageWidth": None}))
    assert plan(request(source)).pictures[0].size == (12, 8)


def test_unused_classes_and_maps_are_noted(source):
    (source.parent / "c.txt").write_text("road\ncar\nsky\nmoon\n")
    work = plan(request(source, classes=str(source.parent / "c.txt"), label_map=("lamp=road",)))
    assert work.notes == ("`label_map`: no shape has the label 'lamp'", "no shape in this split: moon")


def test_a_run_that_fails_leaves_no_dataset_file(source):
    work = plan(request(source))
    (source.parent / "out/train_ids/train").mkdir(parents=True)
    (source.parent / "out/train_ids/train/street").write_text("a file in the way")
    with pytest.raises(OSError):
        work.write()
    assert not (source.parent / "out/dataset.yaml").exists()
    assert not list((source.parent / "out").rglob(".*"))


def test_names_that_look_like_comments_survive(source):
    annotate(source / "#1", "car")
    plan(request(source, copy=True, out_dir=source)).write()
    assert len(find_pairs(read_dataset_file(source / "dataset.yaml"), "train").pairs) == 4


@pytest.mark.parametrize(
    ("change", "code", "values"),
    [
        ({"split": "dev"}, "E-input-value", "`split`: expected train, val, test, got 'dev'"),
        ({"num_processes": 0}, "E-input-range", "0 processes"),
        ({"out_dir": Path(__file__)}, "E-input-value", f"`out_dir` {__file__}"),
    ],
)
def test_wrong_requests_are_named(source, change, code, values):
    with raises(code, values):
        plan(request(source, **change))
    with raises("E-data-missing", "nowhere .*`images_dir`"):
        plan(request(source, images_dir=Path("nowhere")))


def test_without_pycocotools_the_install_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    polygon = '<polygon label="a" points="0,0;4,0;4,4"/>'
    text = f'<annotations><image name="a.jpg" width="8" height="8">{polygon}</image></annotations>'
    (tmp_path / "x.xml").write_text(text)
    message = r"pycocotools, .*pip install -e \.\[import\]"
    with raises("E-data-package", message):
        plan(request(tmp_path / "x.xml", format="cvat"))


def test_progress_is_reported(source):
    seen = []
    plan(request(source)).write(lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
