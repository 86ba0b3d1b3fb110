"""Joining the tables of shards."""

import json
import shutil

import pytest
from PIL import Image

from semseg.inference import Outputs
from semseg.inference.merging import merge_shards
from semseg.inference.run_record import read_record
from semseg.inference.shards import read_shards
from tests.conftest import raises
from tests.inference.brightness import CLASSES, PALETTE, save
from tests.inference.test_shards import RUN, segment
from tests.inference.test_stream import rows


@pytest.fixture
def folder(tmp_path):
    for number in range(7):
        save(tmp_path / "photos" / f"img{3 * number}.png", color=(30 * number,) * 3)
    return tmp_path / "photos"


def tables(out_dir):
    return [[{**row, "seconds": ""} for row in rows(out_dir, table).values()] for table in ("manifest", "stats")]


def masks(out_dir):
    return {path.name: path.read_bytes() for path in (out_dir / "pred").iterdir()}


def test_the_tables_are_those_of_a_run_without_shards(folder, tmp_path):
    whole, out_dir = tmp_path / "whole", tmp_path / "out"
    summary = segment(folder, whole)
    for shard in ("3/3", "1/3", "2/3"):
        segment(folder, out_dir, shard)
    merged = merge_shards(out_dir)
    assert merged.faults == []
    assert merged.lines[0] == f"7 of 7 images segmented, in 3 shards: {out_dir}/pred"
    assert merged.lines[1] == summary.lines(Outputs(whole, CLASSES, PALETTE))[-1]
    assert tables(out_dir) == tables(whole)
    assert masks(out_dir) == masks(whole)
    assert read_record(out_dir) == read_record(whole) == RUN
    assert merge_shards(out_dir) == merged
    assert tables(out_dir) == tables(whole)


def test_missing_shards_and_images_are_named_and_nothing_is_written(folder, tmp_path):
    out_dir = tmp_path / "out"
    segment(folder, out_dir, "2/4")
    (out_dir / "pred/img12.png").write_bytes(b"")  # in the order of names: 0 12 15 18 3 6 9
    merged = merge_shards(out_dir)
    assert merged.lines == []
    assert merged.faults == [
        "3 of 4 shards were not started: 1/4, 3/4, 4/4 (5 of 7 images)",
        "shard 2/4 is not complete: 1 of 2 images are missing: img12",
        "nothing was merged: run these shards with --skip-existing, then merge again",
    ]
    segment(folder, out_dir, "2/4", skip_existing=True)
    assert merge_shards(out_dir).faults == [merged.faults[0], merged.faults[2]]
    assert not (out_dir / "manifest.csv").exists()
    for shard in ("1/4", "3/4", "4/4"):
        segment(folder, out_dir, shard, skip_existing=True)
    assert merge_shards(out_dir).faults == []


def test_a_failed_image_is_a_row_and_a_fault(folder, tmp_path):
    out_dir = tmp_path / "out"
    (folder / "img1.png").write_text("no picture")
    for shard in ("1/2", "2/2"):
        segment(folder, out_dir, shard)
    merged = merge_shards(out_dir)
    assert merged.lines[0].startswith("7 of 8 images segmented")
    assert merged.faults == [
        f"1 of 8 images have no complete result, first {folder}/img1.png: failed: not a readable image"
    ]
    assert len(rows(out_dir)) == 8
    save(folder / "img1.png")
    for shard in ("1/2", "2/2"):
        segment(folder, out_dir, shard, skip_existing=True)
    assert merge_shards(out_dir).faults == []
    assert rows(out_dir)["img1.png"]["status"] == "ok"


def test_shards_that_found_different_images_are_not_merged_until_they_agree(folder, tmp_path):
    out_dir = tmp_path / "out"
    segment(folder, out_dir, "1/2")
    save(folder / "img1.png")  # moves others to the first shard, which has ended
    segment(folder, out_dir, "2/2")
    assert merge_shards(out_dir).faults == [
        "the shards found different images: 7 images by 1/2; 8 images by 2/2",
        "nothing was merged: run all shards again with --skip-existing, then merge again",
    ]
    for shard in ("1/2", "2/2"):
        segment(folder, out_dir, shard, skip_existing=True)
    assert merge_shards(out_dir).faults == []
    assert len(rows(out_dir)) == 8
    (folder / "img1.png").unlink()  # an image that is no input any more stays in the manifest
    for shard in ("1/2", "2/2"):
        segment(folder, out_dir, shard, skip_existing=True)
    assert merge_shards(out_dir).faults == []
    assert next(iter(rows(out_dir))) == "img1.png"
    assert len(rows(out_dir)) == 8


def test_the_division_that_was_started_last_counts_and_results_of_others_are_used(folder, tmp_path):
    out_dir = tmp_path / "out"
    segment(folder, out_dir, "1/2")
    segment(folder, out_dir, "1/1", skip_existing=True)
    assert merge_shards(out_dir).lines[0].startswith("7 of 7 images segmented, in 1 shards")
    for shard in ("1/3", "2/3", "3/3"):
        segment(folder, out_dir, shard)
    (out_dir / "shards/3-of-3/manifest.csv").unlink()
    merged = merge_shards(out_dir)
    assert merged.faults == []
    assert "2 of these results are of another division" in merged.lines
    assert len(rows(out_dir)) == 7


def test_a_merge_needs_shards_of_one_run(folder, tmp_path):
    out_dir = tmp_path / "out"
    with raises("E-input-missing", "holds no shard"):
        merge_shards(out_dir)
    assert not out_dir.exists()
    for number, run in ((1, RUN), (2, {**RUN, "opacity": 1.0})):
        segment(folder, tmp_path / f"out{number}", f"{number}/2", run=run)
    shutil.copytree(tmp_path / "out1", out_dir)
    shutil.copytree(tmp_path / "out2", out_dir, dirs_exist_ok=True)  # as if both had been started at the same time
    with raises("E-input-mixed", "holds results of shard 1/2 with `opacity` 0.6 instead of 1.0"):
        merge_shards(out_dir)


def test_a_file_that_is_no_record_of_a_shard_is_left_alone(folder, tmp_path):
    for content in ("", "[1]", '{"schema": "other"}'):
        path = tmp_path / "out/shards/mine/shard.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        assert read_shards(tmp_path / "out") == []


def test_the_places_of_all_shards_become_one_map(folder, tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "S", 2: (32, 57, 3.6), 3: "W", 4: (60, 38, 24.0)})
    for name in ("img1.jpg", "img2.jpg"):
        save(folder / name, exif=exif)
    for shard in ("1/2", "2/2"):
        segment(folder, tmp_path / "out", shard)
    merged = merge_shards(tmp_path / "out", tmp_path / "map.json")
    assert merged.lines[-1] == f"2 images say where they were taken: {tmp_path}/map.json"
    assert len(json.loads((tmp_path / "map.json").read_text())["features"]) == 2
