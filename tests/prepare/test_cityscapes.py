"""Polygon files in, train-id images and split lists out, pixel for pixel as cityscapesScripts draws them."""

import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg.labels import CITYSCAPES
from semseg.prepare import cityscapes

GROUPS = ["cargroup", "persongroup", "ridergroup", "polegroup", "license plategroup"]
NAMES = [label.name for label in CITYSCAPES.labels] + GROUPS


def random_annotation(seed: int, width: int = 96, height: int = 64) -> dict:
    """Polygons of every kind that the reference accepts, sane or not."""
    rng = random.Random(seed)
    objects = []
    for _ in range(rng.randint(0, 40)):
        num_points = rng.choice([2, 3, 3, 4, 8, 25])
        reach = rng.choice([0, 20, 10_000])  # pixels outside the image
        points = [[rng.randint(-reach, width + reach), rng.randint(-reach, height + reach)]] * num_points
        if rng.random() < 0.9:  # else all points are one
            points = [
                [rng.uniform(-reach, width + reach), rng.uniform(-reach, height + reach)] for _ in points
            ]
            if rng.random() < 0.7:
                points = [[round(x), round(y)] for x, y in points]
        objects.append({"label": rng.choice(NAMES), "polygon": points})
        if rng.random() < 0.2:
            objects[-1]["deleted"] = rng.choice([0, 1])
    return {"imgWidth": width, "imgHeight": height, "objects": objects}


def square(label: str, **more) -> dict:
    return {"label": label, "polygon": [[2, 2], [2, 9], [9, 9], [9, 2]], **more}


def write_polygons(root: Path, name: str, *objects: dict, gt: str = "gtFine") -> Path:
    """Write `<root>/<gt>/<name>_<gt>_polygons.json`, an image of 16 x 12 pixels."""
    path = root / gt / f"{name}_{gt}_polygons.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"imgWidth": 16, "imgHeight": 12, "objects": objects or [square("car")]}))
    return path


@pytest.fixture
def root(tmp_path):
    """Three files in two splits."""
    write_polygons(tmp_path, "train/ulm/ulm_000001_000019")
    write_polygons(tmp_path, "train/aachen/aachen_000000_000019")
    write_polygons(tmp_path, "val/bonn/bonn_000000_000019")
    return tmp_path


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of every file: any write changes one of them."""
    return {
        str(path.relative_to(root)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def make_older(path: Path, by_s: float) -> None:
    time_s = path.stat().st_mtime - by_s
    os.utime(path, (time_s, time_s))


def label_path(polygon_path: Path) -> Path:
    return Path(str(polygon_path).replace("_polygons.json", "_labelTrainIds.png"))


@pytest.fixture
def reference(tmp_path):
    """Draw an annotation with cityscapesScripts."""
    json2label = pytest.importorskip("cityscapesscripts.preparation.json2labelImg").json2labelImg

    def draw(annotation: dict) -> np.ndarray:
        (tmp_path / "reference.json").write_text(json.dumps(annotation))
        json2label(str(tmp_path / "reference.json"), str(tmp_path / "reference.png"), "trainIds")
        return np.asarray(Image.open(tmp_path / "reference.png"))

    return draw


@pytest.mark.parametrize("seed", range(60))
def test_random_polygons_are_drawn_as_cityscapesscripts_draws_them(reference, seed):
    annotation = random_annotation(seed)
    train_ids = cityscapes.draw_train_ids(annotation)
    assert np.array_equal(train_ids, reference(annotation))
    assert set(np.unique(train_ids)) <= {*range(19), 255}


@pytest.mark.parametrize("name", NAMES)
def test_every_label_is_drawn_as_cityscapesscripts_draws_it(reference, name):
    annotation = {"imgWidth": 16, "imgHeight": 12, "objects": [square("road"), square(name)]}
    assert np.array_equal(cityscapes.draw_train_ids(annotation), reference(annotation))


def test_the_cases_that_differ_from_plain_drawing():
    def center(*objects):
        return cityscapes.draw_train_ids({"imgWidth": 16, "imgHeight": 12, "objects": objects})[5, 5]

    assert center() == 255
    assert center(square("car")) == 13
    assert center(square("cargroup")) == 13
    assert center(square("car"), square("sky", deleted=1)) == 13
    assert center(square("car"), square("license plate")) == 13
    assert center(square("car"), square("out of roi")) == 255
    assert center(square("polegroup")) == 255  # a label of its own, not a group of poles


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (2048, 1024)])
def test_the_png_is_gray_and_reads_back_the_same_everywhere(tmp_path, size):
    gray = np.random.default_rng(0).integers(0, 256, size[::-1], np.uint8)
    path = tmp_path / "x.png"
    path.write_bytes(cityscapes._encode_png(gray))
    image = Image.open(path)
    assert image.mode == "L"
    assert np.array_equal(np.asarray(image), gray)
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), gray)


def test_images_and_lists_are_written(root):
    assert cityscapes.convert(root) == {"train": (2, 0), "val": (1, 0)}
    image = np.asarray(Image.open(root / "gtFine/val/bonn/bonn_000000_000019_gtFine_labelTrainIds.png"))
    assert (image.shape, image[5, 5], image[0, 0]) == ((12, 16), 13, 255)
    assert (root / "train.txt").read_text() == "aachen/aachen_000000_000019\nulm/ulm_000001_000019\n"
    assert (root / "val.txt").read_text() == "bonn/bonn_000000_000019\n"
    assert not (root / "test.txt").exists()


def test_the_lists_hold_what_mmsegmentation_writes(root):
    scandir = pytest.importorskip("mmengine.utils").scandir
    cityscapes.convert(root)
    theirs = [
        name.replace("_gtFine_polygons.json", "")
        for name in scandir(str(root / "gtFine/train"), "_polygons.json", recursive=True)
    ]
    assert (root / "train.txt").read_text().splitlines() == sorted(theirs)


def test_coarse_annotations_have_their_own_suffix(tmp_path):
    polygon_path = write_polygons(tmp_path, "train_extra/ulm/ulm_1_2", gt="gtCoarse")
    assert cityscapes.convert(tmp_path, "gtCoarse", tmp_path / "lists/coarse") == {"train_extra": (1, 0)}
    assert label_path(polygon_path).name == "ulm_1_2_gtCoarse_labelTrainIds.png"
    assert label_path(polygon_path).is_file()
    assert (tmp_path / "lists/coarse/train_extra.txt").read_text() == "ulm/ulm_1_2\n"


def test_linked_folders_are_followed_and_hidden_copies_are_not_read(tmp_path):
    write_polygons(tmp_path / "elsewhere", "train/ulm/ulm_0_0")
    (tmp_path / "root/gtFine").mkdir(parents=True)
    (tmp_path / "root/gtFine/train").symlink_to(tmp_path / "elsewhere/gtFine/train")
    (tmp_path / "root/gtFine/train/ulm/._ulm_0_0_gtFine_polygons.json").write_bytes(b"\x00\x05")
    assert cityscapes.convert(tmp_path / "root") == {"train": (1, 0)}


@pytest.mark.parametrize("num_processes", [1, 2])
def test_converting_twice_writes_nothing(root, num_processes):
    cityscapes.convert(root, num_processes=num_processes)
    before = snapshot(root)
    assert cityscapes.convert(root, num_processes=num_processes) == {"train": (0, 2), "val": (0, 1)}
    assert snapshot(root) == before


def test_a_polygon_file_newer_than_its_image_is_converted_again(root):
    cityscapes.convert(root)
    polygon_path = write_polygons(root, "val/bonn/bonn_000000_000019", square("bus"))
    make_older(label_path(polygon_path), by_s=60)
    assert cityscapes.convert(root) == {"train": (0, 2), "val": (1, 0)}
    assert np.asarray(Image.open(label_path(polygon_path)))[5, 5] == 15


def test_an_image_cut_short_anywhere_is_converted_again(tmp_path):
    path = label_path(write_polygons(tmp_path, "train/ulm/ulm_0_0"))
    cityscapes.convert(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole) - 4):  # the last 4 are the checksum of an empty chunk
        path.write_bytes(whole[:length])
        assert cityscapes.convert(tmp_path) == {"train": (1, 0)}, length
        assert path.read_bytes() == whole


def test_what_a_killed_run_left_is_removed(root):
    image_leftover = root / "gtFine/val/bonn/.bonn_000000_000019_gtFine_labelTrainIds.png.123.tmp"
    list_leftover = root / ".val.txt.123.tmp"
    image_leftover.write_bytes(b"\x89PNG")
    list_leftover.write_text("bo")
    cityscapes.convert(root)
    assert not image_leftover.exists()
    assert not list_leftover.exists()


def test_a_list_is_corrected_when_an_image_is_gone(root):
    cityscapes.convert(root)
    (root / "gtFine/train/ulm/ulm_000001_000019_gtFine_polygons.json").unlink()
    cityscapes.convert(root)
    assert (root / "train.txt").read_text() == "aachen/aachen_000000_000019\n"


def test_progress_counts_every_file(root):
    calls = []
    cityscapes.convert(root, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("num_processes", [1, 2])
def test_broken_files_are_all_named_and_the_others_are_converted(root, num_processes):
    unknown = write_polygons(root, "train/ulm/ulm_000001_000019", square("cars"))
    (root / "gtFine/val/bonn/bonn_000000_000019_gtFine_polygons.json").write_text('{"imgWidth": 16,')
    with pytest.raises(cityscapes.ConversionError) as caught:
        cityscapes.convert(root, num_processes=num_processes)
    first, second = str(caught.value).splitlines()
    assert first == (
        f"2 of 3 polygon files could not be converted: {unknown}: "
        "object 0 cannot be drawn: unknown label 'cars'"
    )
    assert "bonn_000000_000019_gtFine_polygons.json: not JSON (Expecting" in second
    assert label_path(root / "gtFine/train/aachen/aachen_000000_000019_gtFine_polygons.json").is_file()
    assert not (root / "train.txt").exists()


def with_polygon(polygon) -> str:
    return json.dumps({"imgWidth": 4, "imgHeight": 4, "objects": [{"label": "car", "polygon": polygon}]})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", r"not JSON \(Expecting value"),
        (b"\xff\xfe\xfd", r"not JSON \("),
        ("[]", "not the annotation of an image: list indices"),
        ("3", "not the annotation of an image"),
        ("{}", "no 'imgWidth' in it"),
        ('{"imgWidth": 4, "imgHeight": 4}', "no 'objects' in it"),
        ('{"imgWidth": 4, "imgHeight": 4, "objects": null}', "not the annotation of an image"),
        ('{"imgWidth": "wide", "imgHeight": 4, "objects": []}', "not the annotation of an image"),
        ('{"imgWidth": 0, "imgHeight": 4, "objects": []}', "imgWidth and imgHeight are 0 and 4"),
        ('{"imgWidth": Infinity, "imgHeight": 4, "objects": []}', "not the annotation of an image"),
        ('{"imgWidth": 4, "imgHeight": 4, "objects": [{"label": "car"}]}', "no 'polygon' in object 0"),
        ('{"imgWidth": 4, "imgHeight": 4, "objects": [{"polygon": []}]}', "no 'label' in object 0"),
        ('{"imgWidth": 4, "imgHeight": 4, "objects": ["car"]}', "object 0 cannot be drawn"),
        (with_polygon([[1, 1]]), "object 0 cannot be drawn: coordinate list must contain at least 2"),
        (with_polygon([[1], [2]]), "object 0 cannot be drawn"),
        (with_polygon([["a", 1]] * 3), "object 0 cannot be drawn"),
        (with_polygon(None), "object 0 cannot be drawn"),
    ],
)
def test_a_broken_file_says_what_is_wrong_with_it(tmp_path, content, problem):
    polygon_path = write_polygons(tmp_path, "train/ulm/ulm_0_0")
    polygon_path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(cityscapes.ConversionError, match=f"ulm_0_0_gtFine_polygons.json: {problem}"):
        cityscapes.convert(tmp_path)
    assert not label_path(polygon_path).exists()


def test_an_image_that_cannot_be_written_ends_the_run(tmp_path):
    path = label_path(write_polygons(tmp_path, "train/ulm/ulm_0_0"))
    path.mkdir()
    with pytest.raises(cityscapes.ConversionError, match=r"labelTrainIds.png could not be written: Is a dir"):
        cityscapes.convert(tmp_path)
    assert not list(path.parent.glob(".*"))


def test_wrong_folders_are_named_with_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^no folder .*/nowhere$"):
        cityscapes.convert(tmp_path / "nowhere")
    message = r"^no folder .*/gtFine; unpack gtFine_trainvaltest.zip in "
    with pytest.raises(FileNotFoundError, match=message):
        cityscapes.convert(tmp_path)
    (tmp_path / "gtCoarse/train").mkdir(parents=True)
    message = r"^no \*_gtCoarse_polygons.json under .*/gtCoarse; unpack gtCoarse.zip in "
    with pytest.raises(FileNotFoundError, match=message):
        cityscapes.convert(tmp_path, "gtCoarse")


def test_no_processes_is_an_error(root):
    with pytest.raises(ValueError, match=r"^0 processes; expected 1 or more$"):
        cityscapes.convert(root, num_processes=0)


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_may_be_started_in_any_way(root, method):
    program = root / "program.py"
    program.write_text(
        "import multiprocessing, sys\n"
        "from semseg.prepare import cityscapes\n"
        "if __name__ == '__main__':\n"
        f"    multiprocessing.set_start_method({method!r})\n"
        f"    print(cityscapes.convert({str(root)!r}, num_processes=2)['train'].written)\n"
    )
    result = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("2\n", "")


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(tmp_path):
    for index in range(3000):
        write_polygons(tmp_path, f"train/ulm/ulm_{index:06}_000019")
    # parent and workers hold the writing end: reading ends when the last of them is gone
    read_fd, write_fd = os.pipe()
    command = f"from semseg.prepare import cityscapes; cityscapes.convert({str(tmp_path)!r}, num_processes=3)"
    process = subprocess.Popen([sys.executable, "-c", command], pass_fds=[write_fd])
    os.close(write_fd)
    deadline = time.monotonic() + 30
    while not list(tmp_path.rglob("*.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    os.set_blocking(read_fd, False)
    while time.monotonic() < deadline:
        try:
            assert os.read(read_fd, 1) == b""
            break
        except BlockingIOError:
            time.sleep(0.05)
    else:
        pytest.fail("a worker outlived its parent")
    os.close(read_fd)
    for path in tmp_path.rglob("*_labelTrainIds.png"):
        Image.open(path).load()
    cityscapes.convert(tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))
    assert len(list(tmp_path.rglob("*.png"))) == 3000
