"""tools/benchmark.py runs every station; how fast is never asserted."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
TOOL = [sys.executable, str(REPOSITORY / "tools/benchmark.py")]
MODULES = {path.stem: path.read_text() for path in sorted((REPOSITORY / "bench").glob("[a-z]*.py"))}
STATIONS = [name for name, text in MODULES.items() if "\ndef cases(" in text or "\ndef table(" in text]


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([*TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=600)


def assert_complete(report_path: Path, sides: set[str]) -> None:
    """Every case has these sides, every number is a positive one."""
    cases = json.loads(report_path.read_text())["cases"]
    assert cases
    for result in cases.values():
        assert set(result) >= sides
        for entry in result.values():
            spread = entry.get("time_s", entry)
            numbers = [spread["median"], *spread["quartiles"], *entry.get("times_s", [])]
            assert all(math.isfinite(number) and number > 0 for number in numbers)


@pytest.mark.slow
@pytest.mark.parametrize("station", [name for name in STATIONS if "\ndef cases(" in MODULES[name]])
def test_every_station_measures_both_sides(tmp_path, station, monkeypatch):
    pytest.importorskip("cityscapesscripts")
    monkeypatch.setenv("BENCH_SIZE", "256x128")
    monkeypatch.setenv("BENCH_IMAGES", "2")
    result = run(station, "--against", "stock", "--repeat", 1, "--warm-up", 0, "--json", tmp_path / "report.json")
    assert (result.returncode, result.stderr) == (0, "")
    assert "stock / ours" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("CPU ")
    assert_complete(tmp_path / "report.json", {"ours", "stock", "stock / ours"})
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.slow
def test_ours_alone_needs_no_reference(tmp_path):
    result = run("convert", "--repeat", 2, "--json", tmp_path / "report.json")
    assert result.returncode == 0, result.stderr
    assert_complete(tmp_path / "report.json", {"ours"})


@pytest.mark.slow
def test_both_sides_of_convert_make_the_same_images(tmp_path, monkeypatch):
    pytest.importorskip("cityscapesscripts")
    monkeypatch.syspath_prepend(REPOSITORY)
    from bench import convert

    for contender in convert.cases(stock=True, folder=tmp_path)["first time"].values():
        contender.run()
    ours, stock = (sorted((tmp_path / side).rglob("*_labelTrainIds.png")) for side in ("ours", "stock"))
    assert len(ours) == len(stock) == convert.NUM_FILES
    for our_path, stock_path in zip(ours, stock, strict=True):
        assert np.array_equal(np.asarray(Image.open(our_path)), np.asarray(Image.open(stock_path)))


def test_rounds_to_warm_up_do_not_count(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY)
    from bench import Contender
    from bench.measuring import measure

    runs = []
    sides = measure({"ours": Contender(lambda: runs.append(1))}, 2, 3)
    assert (len(runs), len(sides["ours"]["times_s"])) == (5, 2)


def test_a_missing_reference_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY)
    monkeypatch.setitem(sys.modules, "cityscapesscripts", None)
    for name in [name for name in sys.modules if name.startswith("cityscapesscripts.")]:
        monkeypatch.delitem(sys.modules, name)
    from bench import convert

    message = r"^MMSegmentation's converter needs cityscapesscripts.*, which is not installed: pip install -e"
    with pytest.raises(FileNotFoundError, match=message):
        convert.cases(stock=True, folder=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], f"error: no benchmark 'speed'; bench/ contains {', '.join(STATIONS)}, and there is all\n"),
        (["convert", "--repeat", "0"], "error: --repeat is 0; expected 1 or more\n"),
        (["convert", "--warm-up", "-1"], "error: --warm-up is -1; expected 0 or more\n"),
        (["convert", "--json", "nowhere/x.json"], "error: no folder nowhere for --json\n"),
        (["convert", "--plot", "x.png"], "error: --plot has no effect on convert; it draws growth\n"),
        (
            ["ddp", "--repeat", "2"],
            "error: --repeat and --warm-up have no effect on ddp, which measures by itself\n",
        ),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(arguments, message):
    result = run(*arguments)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", message)


def test_help_lists_every_station_with_its_first_line():
    result = run("--help")
    for name in STATIONS:
        first_line = (REPOSITORY / f"bench/{name}.py").read_text().splitlines()[0].strip('"')
        assert first_line in result.stdout
