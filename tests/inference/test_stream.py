"""Segmenting many images, with a predictor that needs no model; tests that kill a process start one."""

import csv
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.inference import Outputs, find_images, infer
from semseg.inference.stream import Stopped
from tests.conftest import raises
from tests.inference.brightness import CLASSES, PALETTE, Brightness, save

REPO = Path(__file__).parents[2]


def segment(folder, out_dir, predictor=None, kinds=("pred", "vis"), **options):
    outputs = Outputs(out_dir, CLASSES, PALETTE, kinds)
    return infer(predictor or Brightness(), find_images(folder), outputs, **options)


def rows(out_dir, table="manifest"):
    with (out_dir / f"{table}.csv").open(newline="") as file:
        return {Path(row["source"]).name: row for row in csv.DictReader(file)}


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def start(folder, out_dir, seconds, *flags, **options):
    command = [sys.executable, "-m", "tests.inference.brightness", folder, out_dir, str(seconds), *flags]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return subprocess.Popen(command, cwd=REPO, env={**os.environ, "PYTHONPATH": str(REPO)}, **pipes, **options)


def wait_for_masks(out_dir, count):
    deadline = time.monotonic() + 60
    while len(list(out_dir.glob("pred/[!.]*.png"))) < count:  # hidden ones are not whole yet
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "north/b.png", "north/c.jpg"):
        save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def test_every_image_is_written_and_part_of_the_tables_and_the_summary(folder, tmp_path):
    summary = segment(folder, tmp_path / "out")
    assert files(tmp_path / "out") == [
        *("manifest.csv", "pred/a.png", "pred/north/b.png", "pred/north/c.png"),
        *("stats.csv", "vis/a.jpg", "vis/north/b.jpg", "vis/north/c.jpg"),
    ]
    assert (summary.num_done, summary.num_left, summary.failed) == (3, 0, [])
    assert summary.shares.round(2).tolist() == [0.5, 0.5]
    row = rows(tmp_path / "out")["b.png"]
    assert float(row.pop("seconds")) > 0
    assert row == {
        "source": str(folder / "north/b.png"),
        "name": "north/b",
        "outputs": "pred/north/b.png;vis/north/b.jpg",
        "bytes": ";".join(
            str((tmp_path / "out" / name).stat().st_size) for name in ("pred/north/b.png", "vis/north/b.jpg")
        ),
        "width": "48",
        "height": "32",
        "status": "ok",
        "mean_confidence": f"{(200 + 255) / 2 / 255:.4f}",
    }
    stats = rows(tmp_path / "out", "stats")["a.png"]
    assert {name: stats[name] for name in CLASSES} == {"road": "0.500000", "sky": "0.500000"}
    lines = summary.lines(Outputs(tmp_path / "out", CLASSES, PALETTE))
    assert lines[0] == f"3 of 3 images segmented: {tmp_path}/out/pred, {tmp_path}/out/vis"
    assert "images/s; slowest stage: " in lines[1]
    assert lines[2] == "mean class shares: sky 50.0 %, road 50.0 %"


def test_an_unreadable_image_is_recorded_and_the_others_are_segmented(folder, tmp_path, capfd):
    (folder / "empty.jpg").touch()
    (folder / "gone.jpg").symlink_to("nowhere")
    save(folder / "giant.png", 200, 100)
    summary = segment(folder, tmp_path / "out", max_pixels=10_000)
    assert (summary.num_done, sorted(path.name for path in summary.failed)) == (
        3,
        ["empty.jpg", "giant.png", "gone.jpg"],
    )
    found = {name: row["status"] for name, row in rows(tmp_path / "out").items() if row["status"] != "ok"}
    assert found == {
        "empty.jpg": "failed: not a readable image (the file is empty)",
        "giant.png": "failed: 200x100 are more pixels than `max_pixels` 10000",
        "gone.jpg": "failed: no such file or directory",
    }
    assert f"skipped {folder}/gone.jpg: no such file or directory\n" in capfd.readouterr().err


def test_an_image_that_the_model_cannot_segment_does_not_stop_the_others(folder, tmp_path):
    class Picky(Brightness):
        def predict(self, images, **kinds):
            if any(image.mean() < 10 for image in images):
                raise RuntimeError("too\ndark")
            return super().predict(images, **kinds)

    save(folder / "dark.png", color=(0, 0, 0))
    summary = segment(folder, tmp_path / "out", Picky(), batch=4)
    assert (summary.num_done, [path.name for path in summary.failed]) == (3, ["dark.png"])
    assert rows(tmp_path / "out")["dark.png"]["status"] == "failed: cannot be segmented (RuntimeError: too dark)"


def test_a_name_that_is_too_long_does_not_stop_the_others(folder, tmp_path):
    save(folder / f"{'x' * 250}.png")
    summary = segment(folder, tmp_path / "out")
    assert (summary.num_done, len(summary.failed)) == (3, 1)


def test_on_error_stop_ends_at_once(folder, tmp_path):
    (folder / "a0.jpg").write_text("no picture")
    with pytest.raises(Stopped, match=r"stopped at .*a0\.jpg: not a readable image \(--on-error skip goes on\)") as end:
        segment(folder, tmp_path / "out", stop_on_error=True)
    assert end.value.exit_code == 1
    assert rows(tmp_path / "out")["a0.jpg"]["status"].startswith("failed")


def test_images_of_one_size_are_segmented_together(tmp_path):
    for number in range(9):
        save(tmp_path / f"photos/{number}.png", *((48, 32) if number % 3 else (32, 48)))
    predictor = Brightness()
    segment(tmp_path / "photos", tmp_path / "out", predictor, batch=4)
    assert sum(map(len, predictor.batches)) == 9
    assert all(len(set(sizes)) == 1 for sizes in predictor.batches)
    assert len(predictor.batches) <= 4
    one_by_one = Brightness()
    segment(tmp_path / "photos", tmp_path / "alone", one_by_one)
    assert len(one_by_one.batches) == 9
    for path in (tmp_path / "out/pred").iterdir():
        assert path.read_bytes() == (tmp_path / "alone/pred" / path.name).read_bytes()


def test_images_with_complete_results_are_skipped(folder, tmp_path):
    out_dir = tmp_path / "out"
    segment(folder, out_dir)
    (out_dir / "vis/a.jpg").unlink()
    before = {path: path.stat().st_mtime_ns for path in out_dir.rglob("north/*")}
    summary = segment(folder, out_dir, skip_existing=True)
    assert (summary.num_done, summary.num_left) == (1, 2)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert list(rows(out_dir)) == ["a.png", "b.png", "c.jpg"]
    assert segment(folder, out_dir, skip_existing=True, kinds=("pred", "conf")).num_done == 3
    assert segment(folder, out_dir).num_left == 0


def test_a_truncated_result_is_written_again(folder, tmp_path):
    out_dir = tmp_path / "out"
    segment(folder, out_dir)
    mask = out_dir / "pred/north/b.png"
    whole = mask.read_bytes()
    mask.write_bytes(whole[:-20])
    summary = segment(folder, out_dir, skip_existing=True)
    assert (summary.num_done, summary.num_left) == (1, 2)
    assert mask.read_bytes() == whole


def test_another_spelling_of_a_path_does_not_repeat_the_work(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    segment("photos", Path("out"))
    for way in ("./photos", "photos/../photos", str(folder), "../" + tmp_path.name + "/photos"):
        assert segment(way, Path("out"), skip_existing=True).num_left == 3
        segment(way, Path("out"))
        assert len((tmp_path / "out/stats.csv").read_text().splitlines()) == 4


def test_results_that_replace_those_of_another_image_are_counted(tmp_path):
    for place in ("north", "south"):
        save(tmp_path / place / "a.png", color=(200, 0, 0) if place == "north" else (200, 200, 200))
    segment(tmp_path / "north", tmp_path / "out")
    summary = segment(tmp_path / "south", tmp_path / "out", skip_existing=True)
    assert (summary.num_done, summary.num_replaced) == (1, 1)
    lines = summary.lines(Outputs(tmp_path / "out", CLASSES, PALETTE))
    assert (
        lines[1]
        == "1 results of other images with the same names were replaced; to keep both, choose another --out-dir"
    )
    assert list(rows(tmp_path / "out")) == ["a.png"]


def test_the_summary_names_the_folders_that_were_written(folder, tmp_path):
    outputs = Outputs(tmp_path / "out", CLASSES, PALETTE, ("pred", "vis", "conf"))
    assert segment(folder, tmp_path / "out").lines(outputs)[0].endswith(f": {tmp_path}/out/pred, {tmp_path}/out/vis")
    left = segment(folder, tmp_path / "out", skip_existing=True).lines(outputs)
    assert left == [f"0 of 3 images segmented, 3 were there: {tmp_path}/out/pred, {tmp_path}/out/vis"]
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.jpg").write_text("no picture")
    assert segment(tmp_path / "broken", tmp_path / "none").lines(outputs) == ["0 of 1 images segmented"]


def test_no_image_is_replaced_by_its_own_result(tmp_path):
    photograph = save(tmp_path / "vis/a.jpg")
    before = photograph.read_bytes()
    with raises("E-input-overwrite", r"vis/a\.jpg.* `out_dir`"):
        segment(tmp_path / "vis", tmp_path)
    assert photograph.read_bytes() == before


@pytest.mark.slow
def test_a_run_that_was_killed_can_be_completed(tmp_path):
    for number in range(30):
        save(tmp_path / f"photos/{number}.png", color=(8 * number,) * 3)
    process = start(tmp_path / "photos", tmp_path / "out", 0.05)
    wait_for_masks(tmp_path / "out", 5)
    process.kill()
    process.communicate()
    assert 4 <= len(rows(tmp_path / "out")) < 30
    summary = segment(tmp_path / "photos", tmp_path / "out", skip_existing=True)
    assert 4 <= summary.num_left < 30
    assert summary.num_left + summary.num_done == 30
    segment(tmp_path / "photos", tmp_path / "whole")
    for path in (tmp_path / "whole/pred").iterdir():
        assert path.read_bytes() == (tmp_path / "out/pred" / path.name).read_bytes()
    found, expected = ([{**row, "seconds": ""} for row in rows(tmp_path / name).values()] for name in ("out", "whole"))
    assert found == expected


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_continue(tmp_path, number, code):
    for name in range(30):
        save(tmp_path / f"photos/{name}.png")
    process = start(tmp_path / "photos", tmp_path / "out", 0.05)
    wait_for_masks(tmp_path / "out", 3)
    process.send_signal(number)
    stderr = process.communicate(timeout=30)[1]
    assert process.returncode == code, stderr
    num_done = len(rows(tmp_path / "out"))
    expected = f"interrupted: {num_done} of 30 images are done; the same command with --skip-existing goes on\n"
    assert stderr.endswith(expected), stderr
    assert "Traceback" not in stderr
    assert len(files(tmp_path / "out")) == 2 * num_done + 2
    assert 3 <= num_done < 30


@pytest.mark.slow
def test_a_full_disk_is_an_error_in_one_sentence(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    (tmp_path / "photos").mkdir()
    Image.fromarray(noise).save(tmp_path / "photos/a.png")

    def no_large_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    process = start(tmp_path / "photos", tmp_path / "out", 0, preexec_fn=no_large_files)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert f"cannot write to {tmp_path}/out (file too large): make room there; the same" in stderr
    assert "Traceback" not in stderr
    assert list((tmp_path / "out").glob("*/.*")) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    peaks = []
    for count in (20, 400):
        folder = tmp_path / str(count)
        folder.mkdir()
        (first, *others) = (folder / f"{number}.png" for number in range(count))
        save(first, 128, 128)
        for path in others:
            os.link(first, path)
        process = start(folder, tmp_path / f"out{count}", 0, "--memory")
        stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        peaks.append(int(stdout.split()[-1]))
    assert peaks[1] < 1.2 * peaks[0], peaks


def test_a_model_without_probabilities_has_no_confidence(folder, tmp_path):
    class Undecided(Brightness):
        has_probabilities = False

    segment(folder, tmp_path / "out", Undecided())
    assert {row["mean_confidence"] for row in rows(tmp_path / "out").values()} == {""}
    with raises("E-input-no-probabilities", "`save` conf"):
        segment(folder, tmp_path / "out", Undecided(), kinds=("pred", "conf"))
