"""The program, with a model that was trained for it."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg.labels import CITYSCAPES
from tests.conftest import CONFIG, REPO, run


@pytest.fixture(scope="module")
def model(trained):
    return trained / "best.pth"


def rows(out_dir, table="manifest"):
    with (out_dir / f"{table}.csv").open(newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def contents(folder):
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def zoo(town):
    """A folder with photographs that a model may find hard, and files that are none."""
    folder = town / "zoo"
    photograph = Image.open(next((town / "data/rosario").rglob("*.jpg"))).resize((160, 96))
    (folder / "düe sub").mkdir(parents=True)
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "S", 2: (32, 57, 3.6), 3: "W", 4: (60, 38, 24.0)})
    photograph.save(folder / "place.jpg", exif=exif)
    photograph.convert("L").save(folder / "düe sub/grey one.png")
    photograph.convert("RGBA").save(folder / "alpha.webp")
    photograph.convert("CMYK").save(folder / "cmyk.tif")
    photograph.resize((1, 1)).save(folder / "1x1.png")
    photograph.resize((1, 300)).save(folder / "1x300.png")
    photograph.resize((300, 1)).save(folder / "300x1.png")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    (folder / "cut.jpg").write_bytes((folder / "place.jpg").read_bytes()[:2000])
    return folder


@pytest.mark.slow
def test_every_kind_of_output_of_every_kind_of_image(town, model, zoo):
    save = "color,conf,probs,labelids,side-by-side"
    flags = ["--legend", "--outlines", "--geojson", "hard/map.json", "--batch", 2]
    done = run(town, "infer.py", model, zoo, "--out-dir", "hard", "--save", save, *flags, code=1)
    assert "7 of 10 images segmented: hard/pred, hard/vis, hard/color" in done.stdout
    assert "1 images say where they were taken: hard/map.json" in done.stdout
    assert done.stderr.count("skipped ") == 3
    found = {row["source"].rpartition("/")[2]: row for row in rows(town / "hard")}
    assert [name for name, row in found.items() if row["status"] != "ok"] == ["cut.jpg", "empty.jpg", "text.jpg"]
    assert (found["1x300.png"]["width"], found["1x300.png"]["height"]) == ("1", "300")
    assert 0 < float(found["place.jpg"]["mean_confidence"]) <= 1
    assert np.load(town / "hard/probs/düe sub/grey one.npz")["probabilities"].shape == (19, 96, 160)
    train_ids, label_ids, confidence = (
        np.asarray(Image.open(town / f"hard/{kind}/place.png")) for kind in ("pred", "labelids", "conf")
    )
    assert (CITYSCAPES.to_label_ids(train_ids) == label_ids).all()
    stored = np.load(town / "hard/probs/place.npz")["probabilities"].astype(np.float32)
    assert np.abs(stored.max(axis=0) * 255 - confidence).max() < 1
    for row in rows(town / "hard", "stats"):
        assert sum(float(row[name]) for name in CITYSCAPES.classes) == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
def test_several_inputs_keep_their_names_apart(town, model):
    photographs = sorted((town / "data/rosario").rglob("*.jpg"))
    (town / "mine.txt").write_text(f"{photographs[0]}\n")
    done = run(
        town, "infer.py", CONFIG, model, "mine.txt", "data/rosario/*/*.jpg", "--out-dir", "several_inputs", "--no-vis"
    )
    assert "3 of 3 images segmented: several_inputs/pred" in done.stdout
    assert len(contents(town / "several_inputs")) == 3


@pytest.mark.slow
def test_two_processes_do_what_one_does_and_complete_what_a_killed_one_left(town, model, zoo):
    folder = town / "shared_photos"
    shutil.copytree(town / "data/rosario", folder)
    (folder / "text.jpg").write_text("no picture")
    run(town, "infer.py", model, folder, "--out-dir", "alone_photos", code=1)
    run(town, "dist_infer.sh", model, folder, 2, "--out-dir", "both_photos", code=1)
    assert contents(town / "both_photos") == contents(town / "alone_photos")
    assert rows(town / "both_photos") == rows(town / "alone_photos")
    assert rows(town / "both_photos", "stats") == rows(town / "alone_photos", "stats")
    assert [path.name for path in (town / "both_photos").glob(".*")] == []

    shutil.copytree(town / "both_photos", town / "half_photos")  # as if the second process had fallen
    (town / "half_photos/.manifest.part1.csv").write_text((town / "half_photos/manifest.csv").read_text()[:-20])
    (town / "half_photos/manifest.csv").unlink()
    for path in list((town / "half_photos/pred").rglob("*.png"))[::2]:
        path.unlink()
    run(town, "dist_infer.sh", model, folder, 2, "--out-dir", "half_photos", "--skip-existing", code=1)
    assert contents(town / "half_photos") == contents(town / "alone_photos")
    assert rows(town / "half_photos") == rows(town / "alone_photos")


@pytest.mark.slow
def test_a_process_that_is_killed_ends_no_other(town, model):
    folder = town / "many"
    folder.mkdir()
    photograph = Image.open(next((town / "data/rosario").rglob("*.jpg")))
    for number in range(24):
        photograph.resize((640, 400)).save(folder / f"{number}.jpg")
    command = [REPO / "tools/dist_infer.sh", model, folder, "2", "--out-dir", "survived"]
    environment = {**os.environ, "PYTHON": sys.executable}
    launcher = subprocess.Popen(command, cwd=town, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    part = town / "survived/.manifest.part1.csv"
    deadline = time.monotonic() + 200
    while not (part.is_file() and part.read_text().count("\n") > 1):
        assert launcher.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (second,) = (pid for pid in children_of(launcher.pid) if b"RANK=1\0" in environment_of(pid))
    os.kill(second, signal.SIGKILL)
    said = launcher.communicate(timeout=100)[0].decode()
    assert launcher.returncode == 1, said
    assert "error: process 1 ended with exit code -9" in said
    assert "12 of 12 images segmented" in said  # by the first
    done = run(town, "dist_infer.sh", model, folder, 2, "--out-dir", "survived", "--skip-existing")
    assert "0 of 12 images segmented, 12 were there" in done.stdout
    assert [row["source"].rpartition("/")[2] for row in rows(town / "survived")] == [f"{i}.jpg" for i in range(24)]
    assert len(contents(town / "survived")) == 48


def children_of(pid):
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(child) for child in done.stdout.split()]


def environment_of(pid):
    with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123
        return b"\0" + file.read()


@pytest.mark.slow
def test_a_video_is_segmented(town, model):
    writer = cv2.VideoWriter(str(town / "street.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (96, 64))
    for number in range(4):
        writer.write(np.full((64, 96, 3), 40 * number, np.uint8))
    writer.release()
    flags = ["--save", "masks", "--smooth", 0.5]
    done = run(town, "infer.py", model, "street.mp4", "--out-dir", "film", *flags)
    assert "street.mp4: 4 frames in " in done.stdout
    assert len(contents(town / "film/masks")) == 4
    assert (town / "film/vis/street.mp4").stat().st_size > 0
    done = run(town, "infer.py", model, "street.mp4", "data/rosario", code=2)
    assert "street.mp4 is a video: segment videos and images in separate runs" in done.stderr

    (town / "broken.mp4").write_text("no video")
    done = run(town, "infer.py", model, "broken.mp4", "--out-dir", "film", code=1, fresh=True)
    said = [line for line in done.stderr.splitlines() if not line.startswith("precision: ")]
    assert said == ["skipped broken.mp4 is not a video, camera or stream that OpenCV can open"]  # no line of a decoder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["infer.py", "m.pth", "data/rosario", "--batch", "0"], "--batch 0: expected auto, or 1 or more"),
        (["infer.py", "m.pth", "data/rosario", "--smooth", "1"], "--smooth 1.0: expected 0 to below 1"),
        (["infer.py", "m.pth", "data/rosario", "--max-pixels", "0"], "--max-pixels 0: expected 1 or more"),
        (["infer.py", "m.pth", "data/rosario", "--smooth", "0.5"], "--smooth has no effect on images; leave it out"),
        (["infer.py", "m.pth", "x.mp4", "--legend"], "--legend has no effect on videos; leave it out"),
        (["infer.py", "m.pth", "data/rosario", "--no-vis", "--opacity", "1"], "--opacity has no effect with --no-vis"),
        (["infer.py", "m.pth", "data/rosario", "--overlap", "0.5"], "--overlap 0.5 has no effect without --tile; add"),
        (
            ["infer.py", "m.pth", "data/rosario", "--save", "colour"],
            "--save colour: expected some of color, conf, probs",
        ),
        (
            ["infer.py", "m.pth", "data/rosario", "--out-dir", "twins/a.jpg/x"],
            "twins/a.jpg is a file; expected a folder",
        ),
        (
            ["infer.py", "m.pth", "data/rosario", "--tile", "64", "--tile", "32"],
            "--tile is given twice: 64 and 32; leave",
        ),
        (
            ["infer.py", "m.pth", "large.tif", "--tile", "64", "--max-pixels", "99", "--save", "conf"],
            "--save conf: large.tif is segmented by tiles, for which only pred and vis are written",
        ),
        (["infer.py", "m.pth", "twins"], "a.png would both write a.png; rename one of them, or keep the suffix"),
        (["dist_infer.sh", "m.pth", "data/rosario"], "tools/dist_infer.sh [CONFIG] CHECKPOINT INPUT GPUS"),
        (["dist_infer.sh", "m.pth", "data/rosario", "x"], "number of GPUs: expected 1 or more, got 'x'"),
    ],
)
def test_wrong_usage_is_one_sentence(town, arguments, message):
    (town / "twins").mkdir(exist_ok=True)
    for name in ("a.jpg", "a.png"):
        (town / "twins" / name).touch()
    Image.new("RGB", (20, 10)).save(town / "large.tif")
    assert message in run(town, *arguments, code=2).stderr


@pytest.mark.slow
def test_wrong_wishes_are_one_sentence(town, model):
    done = run(town, "infer.py", model, "data/rosario", "--save", "colour", code=2)
    assert "--save colour: expected some of color, conf, probs, labelids, side-by-side" in done.stderr
