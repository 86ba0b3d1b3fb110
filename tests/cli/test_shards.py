"""`infer --shard` and `infer --merge`, with a tiny model of random weights."""

import csv
import json

import pytest
import torch
from PIL import Image

from tests.checkpoints.described import small_config
from tests.conftest import REPO, run, run_code
from tests.inference.lively import picture
from tests.inference.test_predictor import lively_checkpoint

KILLED_SHARDS = REPO / "tests/cli/killed_shards.py"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with `m.pth`, and `photos` of 12 pictures."""
    place = tmp_path_factory.mktemp("place")
    torch.save(lively_checkpoint(small_config()), place / "m.pth")
    for number in range(12):
        path = place / "photos" / ("north" if number % 3 else "south") / f"img{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(48, 64, number)).save(path)
    return place


def tables(out_dir):
    found = []
    for name in ("manifest.csv", "stats.csv"):
        with (out_dir / name).open(newline="") as file:
            found.append([{**row, "seconds": ""} for row in csv.DictReader(file)])
    return found


def results(out_dir):
    paths = [path for kind in ("pred", "vis") for path in (out_dir / kind).rglob("[!.]*.*")]
    return {path.relative_to(out_dir).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_shards_that_are_killed_lose_no_image(place):
    code = KILLED_SHARDS.read_text().replace("Path(__file__).parents[2]", f"Path({str(REPO)!r})")
    code = code.replace("main(*sys.argv[1:])", "main(0, 2, 3, 'm.pth', 'photos', 'out')")
    done = run_code(place, code)
    assert done.returncode == 0, done.stderr
    shards = json.loads(done.stdout.splitlines()[-1])
    assert [codes[-1] for codes, _ in shards] == [0, 0, 0]
    kills = [code for codes, _ in shards for code in codes[:-1]]
    assert kills == [-9] * len(kills)
    assert len(kills) >= 3
    rows_after_kills = [count for _, counts in shards for count in counts]
    assert any(0 < count < 4 for count in rows_after_kills)  # some were killed between two images
    run(place, "infer.py", "--merge", "out")
    whole, merged = tables(place / "out_whole"), tables(place / "out")
    assert merged == whole
    assert len({row["name"] for row in merged[0]}) == len(merged[0]) == 12
    assert results(place / "out") == results(place / "out_whole")


@pytest.mark.slow
def test_a_photograph_that_fails_and_a_shard_that_is_missing_end_with_code_1(place):
    (place / "broken").mkdir()
    (place / "broken/a.jpg").write_text("no picture")
    Image.fromarray(picture(48, 64)).save(place / "broken/b.png")
    done = run(place, "infer.py", "m.pth", "broken", "--out-dir", "bad", "--shard", "1/2", code=1)
    assert "shard 1/2 of 2 images; when all shards have ended: --merge bad" in done.stdout
    done = run(place, "infer.py", "--merge", "bad", code=1)
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "1 of 2 shards were not started: 2/2 (1 of 2 images)",
        "nothing was merged: run these shards with --skip-existing, then merge again",
    ]
    done = run(place, "infer.py", "m.pth", "broken", "--out-dir", "bad", "--shard", "2/2", "--no-vis", code=2)
    assert (
        "bad holds results of shard 1/2 with --save pred,vis instead of pred; choose another --out-dir" in done.stderr
    )
    run(place, "infer.py", "m.pth", "broken", "--out-dir", "bad", "--shard", "2/2")
    done = run(place, "infer.py", "--merge", "bad", code=1)
    assert done.stdout.startswith("1 of 2 images segmented, in 2 shards: bad/pred, bad/vis\n")
    assert "1 of 2 images have no complete result, first broken/a.jpg: failed: not a readable image" in done.stderr
    assert len(tables(place / "bad")[0]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["m.pth", "photos", "--shard", "0/4"], "--shard 0/4: the parts are numbered 1/4 to 4/4; start a Slurm array"),
        (["m.pth", "photos", "--shard", "4"], "--shard 4: expected I/N, such as 2/8 for the second of 8 parts"),
        (
            ["m.pth", "photos", "--shard", "1/4", "--geojson", "map.json"],
            "--geojson needs the places of all shards; write it with --merge outputs --geojson map.json",
        ),
        (["m.pth", "0", "--shard", "1/4"], "--shard has no effect on 0, a camera or stream; leave it out"),
        (["--merge", "none"], "none/shards holds no shard; start some with --shard 1/N to N/N and --out-dir none"),
        (["--merge", "none", "--save", "conf"], "--save has no effect with --merge; leave it out"),
        (["m.pth", "--merge", "none"], "CONFIG CHECKPOINT INPUT has no effect with --merge; leave it out"),
        ([], "INPUT or CHECKPOINT is missing"),
    ],
)
def test_wrong_usage_of_shards_is_one_sentence(place, arguments, message):
    assert message in run(place, "infer.py", *arguments, code=2).stderr
    assert not (place / "none").exists()
