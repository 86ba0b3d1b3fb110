"""Masks of one class each: where they lie, what a pixel of the class is, and what overlaps."""

import numpy as np
import pytest
from PIL import Image

from semseg.checks.dataset import check_dataset_file
from semseg.datasets.importers import Request, plan
from semseg.labels import IGNORED
from tests.conftest import raises

LEFT, RIGHT, TOP = np.s_[:, :3], np.s_[:, 3:], np.s_[:2]
SHAPE = (4, 6)  # height, width


def mask(part=None, value=255):
    pixels = np.zeros(SHAPE, np.uint8)
    if part is not None:
        pixels[part] = value
    return pixels


def save(path, pixels, mode=None, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels))
    (image.convert(mode) if mode else image).save(path, **how)


@pytest.fixture
def root(tmp_path):
    """Photographs `photos/city/1.jpg` and `2.jpg`; the masks are the tests' own."""
    for number in (1, 2):
        save(tmp_path / f"photos/city/{number}.jpg", np.full((*SHAPE, 3), 40 * number, np.uint8))
    return tmp_path


def request(root, **more):
    given = {
        "format": "class-masks",
        "source": root / "masks",
        "out_dir": root / "out",
        "images_dir": root / "photos",
    }
    return Request(**given | more)


def written(root, number):
    return np.asarray(Image.open(root / f"out/train_ids/train/city/{number}.png"))


@pytest.mark.parametrize(
    "names",
    [
        ("car/city/1.png", "road/city/1.png", "road/city/2.png"),
        ("city/1_car.png", "city/1_road.png", "city/2-road.png"),
        ("city/1/car.png", "city/1/road.png", "city/2/road.png"),
    ],
    ids=["folder of the class", "name of the class at the end", "folder of the image"],
)
def test_the_place_of_a_mask_says_which_class_of_which_image_it_is(root, names):
    for name, part in zip(names, (LEFT, RIGHT, RIGHT), strict=True):
        save(root / "masks" / name, mask(part))
    work = plan(request(root))
    lines = work.describe(work.write())
    assert lines == [
        f"{root}/out/dataset.yaml: split train, 2 images, 3 shapes",
        "classes (from the annotations, sorted by name): 0 car, 1 road",
        "painted in the order of the classes, later shapes over earlier ones",
        "unpainted pixels: 25.0%, ignored (255); `background` CLASS gives them a class",
        "no masks of one image overlap",
    ]
    assert (written(root, 1) == [[0, 0, 0, 1, 1, 1]] * 4).all()
    assert (written(root, 2) == [[IGNORED] * 3 + [1] * 3] * 4).all()
    assert not [f for f in check_dataset_file(root / "out/dataset.yaml").findings if f.kind == "error"]
    plan(request(root, split="val", classes=None)).write()  # a second split of the same set


def test_where_masks_overlap_the_later_class_wins_and_the_pixels_are_counted(root):
    save(root / "masks/city/1_car.png", mask(LEFT))
    save(root / "masks/city/1_road.png", mask(TOP))
    save(root / "masks/city/2_car.png", mask())
    work = plan(request(root))
    assert (
        "overlaps: 6 px (12.5%), where the later class wins: road over car 6 px; `classes` changes the order"
        in work.describe(work.write())
    )
    assert (written(root, 1)[TOP] == 1).all()
    assert (written(root, 1)[2:, :3] == 0).all()
    (root / "classes.txt").write_text("road\ncar\n")
    work = plan(request(root, classes=str(root / "classes.txt"), overwrite=True, out_dir=root / "other"))
    assert "car over road 6 px" in work.describe(work.write())[4]


def test_overlaps_of_masks_of_the_same_class_are_not_counted(root):
    save(root / "masks/city/1_lung-left.png", mask(LEFT))
    save(root / "masks/city/1_lung-right.png", mask(TOP))
    save(root / "masks/city/1_void.png", mask(np.s_[:1, :1]))
    label_map = ("lung-left=lung", "lung-right=lung", "void=ignore")
    work = plan(request(root, label_map=label_map, background=None))
    assert "overlaps: 1 px (4.2%), where the later class wins: ignore over lung 1 px" in work.describe(work.write())[4]
    assert written(root, 1)[0, 0] == IGNORED
    assert (written(root, 1) == 0).sum() == 12 + 6 - 1


@pytest.mark.parametrize("value", [1, 255])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_a_pixel_that_is_not_black_belongs_to_the_class_in_every_mode(root, mode, value):
    if mode == "1" and value == 1:
        value = 255  # Pillow makes 0 or 255 of it
    pixels = mask(LEFT, value)
    save(root / "masks/city/1_car.png", pixels.astype(np.uint16) if mode == "I;16" else pixels, mode)
    save(root / "masks/city/2_car.png", mask(), "L")
    plan(request(root, background=None, label_map=())).write()
    assert (written(root, 1) == [[0, 0, 0] + [IGNORED] * 3] * 4).all()


def test_a_colour_on_black_belongs_to_the_class(root):
    pixels = np.zeros((*SHAPE, 3), np.uint8)
    pixels[LEFT] = (0, 0, 142)
    save(root / "masks/city/1_car.png", pixels)
    plan(request(root)).write()
    assert (written(root, 1)[LEFT] == 0).all()


def test_soft_edges_need_a_threshold(root):
    soft = mask(LEFT)
    soft[:, 3] = 90
    soft[:, 4] = 160
    save(root / "masks/city/1_car.png", soft)
    with raises("E-data-annotation", r"'car': mask of more than 2 values \(.*1_car\.png\).*`threshold`"):
        plan(request(root))
    plan(request(root, threshold=128)).write()
    assert (written(root, 1) == [[0, 0, 0, IGNORED, 0, IGNORED]] * 4).all()
    with raises("E-input-range", "`threshold` 0: expected a brightness, 1 to 255"):
        plan(request(root, threshold=0))


def test_two_colours_without_black_are_refused(root):
    pixels = np.full((*SHAPE, 3), (255, 0, 0), np.uint8)
    pixels[LEFT] = (0, 0, 255)
    save(root / "masks/city/1_car.png", pixels)
    with raises("E-data-annotation", r"#0000ff and #ff0000 \("):
        plan(request(root))


def test_an_image_without_masks_is_background_or_left_out(root):
    save(root / "masks/city/1_car.png", mask(LEFT))
    work = plan(request(root))
    assert work.notes == ("left out: 1 images without shapes; `background` CLASS keeps them",)
    (root / "classes.txt").write_text("road\ncar\n")
    plan(request(root, background="road", classes=str(root / "classes.txt"))).write()
    assert (written(root, 2) == 0).all()
    assert (written(root, 1) == [[1, 1, 1, 0, 0, 0]] * 4).all()


def test_a_mask_that_names_no_image_is_refused_with_the_places(root):
    save(root / "masks/city/1_car.png", mask(LEFT))
    save(root / "masks/city/7_car.png", mask(LEFT))
    with raises("E-data-pairs", r"1 of 2 masks .*7_car\.png; expected CLASS/IMAGE\.png, .*`images_dir`"):
        plan(request(root))
    notes = plan(request(root, skip_broken=True)).notes
    assert notes[0].startswith("left out: 1 of 2 masks name no image and class, first ")


def test_a_mask_of_another_size_is_named(root):
    save(root / "masks/city/1_car.png", mask(LEFT))
    save(root / "masks/city/1_road.png", np.zeros((4, 4), np.uint8))
    with raises("E-data-annotation", r"1 of 2 shapes .*city/1 a 'road': mask of 4x4, its image 6x4"):
        plan(request(root))


def test_images_and_masks_may_lie_in_one_folder(root):
    save(root / "photos/city/1_car.png", mask(LEFT))
    save(root / "photos/city/2_car.png", mask(RIGHT))
    plan(request(root, source=root / "photos")).write()
    assert (written(root, 2) == [[IGNORED] * 3 + [0] * 3] * 4).all()


def test_capitals_in_folders_of_classes_are_one_class(root):
    save(root / "masks/Car/city/1.png", mask(LEFT))
    save(root / "masks/car/city/2.png", mask(LEFT))
    with raises("E-data-labels", r"'Car' and 'car' \(1, 1 shapes\) .*`label_map` Car=car"):
        plan(request(root))
    plan(request(root, label_map=("Car=car",))).write()
    assert (written(root, 1) == written(root, 2)).all()


def test_one_folder_of_masks_is_one_class_beside_the_background(root):
    for number, part in ((1, LEFT), (2, TOP)):
        save(root / f"crack/city/{number}.png", mask(part))
    done = plan(request(root, source=root / "crack", background="background"))
    done.write()
    assert done.classes.names == ("background", "crack")
    assert not any("no shape" in note for note in done.notes)
    report = check_dataset_file(root / "out/dataset.yaml", [])
    assert not report.of_kind("error"), report.lines()
    np.testing.assert_array_equal(written(root, 1), mask(LEFT, 1))
