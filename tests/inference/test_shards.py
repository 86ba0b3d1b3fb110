"""Dividing a run into shards; the tables of a folder that several commands write to."""

import random

import pytest

from semseg.inference import Outputs, find_images, infer
from semseg.inference.manifest import holds_results
from semseg.inference.run_record import read_record
from semseg.inference.shards import Shard, parse_shard, read_shards
from semseg.system.claims import take_claim
from tests.conftest import raises
from tests.inference.brightness import CLASSES, PALETTE, Brightness, save
from tests.inference.test_stream import rows

RUN = {"checkpoint": {"name": "best.pth", "sha256": "ab" * 32}, "inputs": "/photos", "opacity": 0.6}


def segment(folder, out_dir, shard=None, run=RUN, predictor=None, **options):
    outputs = Outputs(out_dir, CLASSES, PALETTE, ("pred",))
    shard = shard and parse_shard(shard)
    return infer(predictor or Brightness(), find_images(folder), outputs, run=run, shard=shard, **options)


@pytest.fixture
def folder(tmp_path):
    for number in range(7):
        save(tmp_path / "photos" / f"{number}.png", color=(30 * number,) * 3)
    return tmp_path / "photos"


@pytest.mark.parametrize(("text", "shard"), [("1/1", (1, 1)), ("8/8", (8, 8)), (" 02/08", (2, 8))])
def test_a_shard_is_counted_from_one(text, shard):
    assert parse_shard(text) == shard


@pytest.mark.parametrize("text", ["0/4", "5/4"])
def test_a_shard_out_of_range_names_the_range(text):
    with raises("E-input-range", rf"`shard` {text}: the parts are numbered 1/4 to 4/4; .* --array=1-4"):
        parse_shard(text)


@pytest.mark.parametrize("text", ["", "2", "/8", "1/0", "-1/4", "1/4/2", "a/b", "1.0/4", "²/4"])
def test_what_is_no_shard_is_refused(text):
    with raises("E-input-range", r"expected I/N, such as 2/8"):
        parse_shard(text)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_every_name_is_in_one_shard_whatever_the_order(count):
    names = [f"{place}/img{number}" for place in ("ñ", "a", "Z", "\udcff") for number in range(8)]
    shuffled = random.Random(0).sample(names, len(names))
    parts = [Shard(number, count).select(names) for number in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert {len(part) for part in parts} <= {len(names) // count, -(-len(names) // count)}
    assert [set(part) for part in parts] == [
        set(Shard(number, count).select(shuffled)) for number in range(1, count + 1)
    ]
    assert all(part == [name for name in names if name in part] for part in parts)  # in the order of the inputs


def test_a_shard_has_its_own_tables_and_a_record_of_its_images(folder, tmp_path):
    summary = segment(folder, tmp_path / "out", "2/3")
    assert (summary.num_images, summary.num_done) == (2, 2)
    assert list(rows(tmp_path / "out/shards/2-of-3")) == ["1.png", "4.png"]
    assert not (tmp_path / "out/manifest.csv").exists()
    assert holds_results(tmp_path / "out")
    (record,) = read_shards(tmp_path / "out")
    assert (record.shard, record.num_images, record.places) == ((2, 3), 7, {"1": 1, "4": 4})
    assert (record.run, record.classes) == (RUN, list(CLASSES))
    assert not list((tmp_path / "out/shards/2-of-3").glob(".*"))


def test_a_shard_without_images_is_no_error(folder, tmp_path):
    summary = segment(folder, tmp_path / "out", "9/9")
    assert (summary.num_images, summary.num_done) == (0, 0)
    assert rows(tmp_path / "out/shards/9-of-9") == {}


def test_results_of_another_division_and_of_a_run_without_shards_are_not_made_again(folder, tmp_path):
    out_dir = tmp_path / "out"
    done = [segment(folder, out_dir, shard).num_done for shard in ("1/4", "2/4")]
    assert done == [2, 2]
    eighths = [segment(folder, out_dir, f"{number}/8", skip_existing=True) for number in range(1, 5)]
    assert [(summary.num_done, summary.num_left) for summary in eighths] == [(0, 1), (0, 1), (1, 0), (1, 0)]
    assert list(rows(out_dir / "shards/1-of-8")) == list(rows(out_dir / "shards/1-of-8", "stats")) == ["0.png"]
    whole = segment(folder, out_dir, skip_existing=True)
    assert (whole.num_done, whole.num_left) == (1, 6)
    assert list(rows(out_dir)) == [f"{number}.png" for number in range(7)]
    assert segment(folder, out_dir, "1/1", skip_existing=True).num_left == 7
    assert segment(folder, out_dir, "1/1").num_done == 7
    (out_dir / "pred/3.png").write_bytes(b"")
    assert segment(folder, out_dir, "2/2", skip_existing=True).num_done == 1  # 3.png is damaged in each of them


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"opacity": 1.0}, "`opacity` 0.6 instead of 1.0"),
        ({"inputs": "/others"}, "images below /photos instead of /others"),
        (
            {"checkpoint": {"name": "last.pth", "sha256": "cd" * 32}},
            r"checkpoint best.pth \(abababab\) instead of last.pth \(cdcdcdcd\)",
        ),
    ],
)
def test_results_of_different_runs_are_not_mixed(folder, tmp_path, change, words):
    other = {**RUN, **change}
    segment(folder, tmp_path / "shards", "1/2")
    for shard in ("1/2", "2/2", "1/3", None):
        with raises("E-input-mixed", rf"holds results of shard 1/2 with {words}; choose another `out_dir`"):
            segment(folder, tmp_path / "shards", shard, run=other)
    segment(folder, tmp_path / "whole")
    with raises("E-input-mixed", f"holds results of an earlier run with {words}"):
        segment(folder, tmp_path / "whole", "1/2", run=other)
    assert not (tmp_path / "whole/shards").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tta": "flip"}, "`tta` off instead of flip"),
        ({"checkpoint": {"name": "last.pth", "sha256": "cd" * 32}}, "checkpoint best.pth"),
    ],
)
def test_masks_of_another_model_are_replaced_but_never_kept(folder, tmp_path, change, words):
    other = {**RUN, **change}
    segment(folder, tmp_path)
    before = (tmp_path / "manifest.csv").read_bytes()
    with raises("E-input-mixed", f"holds results with {words}.*; leave out `skip_existing` to replace them"):
        segment(folder, tmp_path, run=other, skip_existing=True)
    assert (tmp_path / "manifest.csv").read_bytes() == before
    assert read_record(tmp_path) == RUN
    assert segment(folder, tmp_path, run=other).num_done == 7
    assert segment(folder, tmp_path, run=other, skip_existing=True).num_left == 7


def test_results_are_kept_if_only_the_pictures_differ_or_other_inputs_are_added(folder, tmp_path):
    segment(folder, tmp_path)
    for change in ({"opacity": 1.0}, {"inputs": "/others"}, {"precision": "bf16"}):
        segment(folder, tmp_path, run=RUN)
        assert segment(folder, tmp_path, run={**RUN, **change}, skip_existing=True).num_left == 7


def test_a_checkpoint_with_another_name_is_the_same_checkpoint(folder, tmp_path):
    segment(folder, tmp_path / "out", "1/2")
    moved = {**RUN, "checkpoint": {**RUN["checkpoint"], "name": "model.pth"}}
    assert segment(folder, tmp_path / "out", "2/2", run=moved).num_done == 3


def test_a_folder_has_a_record_only_while_all_its_results_are_of_one_run(folder, tmp_path):
    out_dir, other = tmp_path / "out", {**RUN, "opacity": 1.0}
    segment(folder, out_dir)
    assert read_record(out_dir) == RUN
    segment(folder, out_dir, run=other)  # replaces all results
    assert read_record(out_dir) == other
    segment(folder / "1.png", out_dir, run=RUN)
    assert read_record(out_dir) is None
    with raises("E-input-mixed", "of an earlier run with other options, which are not known"):
        segment(folder, out_dir, "1/2")


def test_two_processes_do_not_work_on_the_same_shard(folder, tmp_path):
    with take_claim(tmp_path / "out/shards/1-of-2/.claim0"):
        with raises("E-input-running", "shard 1/2 is running already, on "):
            segment(folder, tmp_path / "out", "1/2")
        assert segment(folder, tmp_path / "out", "2/2").num_done == 3


def test_several_processes_share_a_shard(folder, tmp_path):
    for rank in (1, 0):
        segment(folder, tmp_path / "out", "1/2", rank=rank, num_ranks=2)
    assert list(rows(tmp_path / "out/shards/1-of-2")) == ["0.png", "2.png", "4.png", "6.png"]
