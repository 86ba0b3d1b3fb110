"""tools/convert_datasets/cityscapes.py, run as a person runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TOOL = [sys.executable, str(REPOSITORY / "tools/convert_datasets/cityscapes.py")]


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([*TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def write_polygons(root: Path, name: str, label: str = "car", side: int = 16) -> Path:
    path = root / f"gtFine/{name}_gtFine_polygons.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {"label": label, "polygon": [[2, 2], [2, 9], [9, 9]]}
    path.write_text(json.dumps({"imgWidth": side, "imgHeight": side, "objects": [shape]}))
    return path


@pytest.fixture
def root(tmp_path):
    write_polygons(tmp_path, "train/ulm/ulm_0_0")
    write_polygons(tmp_path, "train/ulm/ulm_0_1")
    write_polygons(tmp_path, "val/bonn/bonn_0_0")
    return tmp_path


def test_it_says_what_it_wrote_and_the_second_time_that_nothing_was_to_do(root):
    first = run(root, "--nproc", 2, "-o", root / "lists")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        "train: 2 found, Cityscapes has 2975; 2 written, 0 up to date",
        "val: 1 found, Cityscapes has 500; 1 written, 0 up to date",
        "test: 0 found, Cityscapes has 1525",
    ]
    assert (root / "lists/train.txt").read_text() == "ulm/ulm_0_0\nulm/ulm_0_1\n"
    second = run(root, "--nproc", 2, "-o", root / "lists")
    assert second.stdout.splitlines() == [
        "train: 2 found, Cityscapes has 2975; 0 written, 2 up to date",
        "val: 1 found, Cityscapes has 500; 0 written, 1 up to date",
        "test: 0 found, Cityscapes has 1525",
    ]


def test_the_source_is_chosen_by_name(root):
    result = run(root, "--from", "labelids")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"error: no *_gtFine_labelIds.png under {root}/gtFine; unpack gtFine_trainvaltest.zip in {root}"
        " [E-data-missing]\n"
    )
    assert run(root, "--from", "polygons").returncode == 0


def test_broken_files_are_named_and_the_exit_code_is_1(root):
    broken = write_polygons(root, "train/ulm/ulm_0_1", label="cars")
    result = run(root)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"error: 1 of 3 annotations could not be converted: {broken}: object 0 cannot be drawn: unknown label 'cars'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "error: no folder nowhere [E-data-missing]\n"),
        (
            [".", "--gt-dir", "gtCoarse"],
            "error: no folder gtCoarse; unpack gtCoarse.zip in . [E-data-missing]\n",
        ),
        ([".", "--nproc", "0"], "error: 0 processes; expected 1 or more [E-input-range]\n"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(root, arguments, message):
    result = subprocess.run([*TOOL, *arguments], cwd=root, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", message)


def test_a_terminal_gets_a_progress_bar_on_stderr(root):
    pty = pytest.importorskip("pty")
    terminal, stderr = pty.openpty()
    subprocess.run([*TOOL, root], stdout=subprocess.PIPE, stderr=stderr, env={**os.environ, "TERM": "xterm"})
    os.close(stderr)
    assert b"converting" in os.read(terminal, 10_000)
    os.close(terminal)


@pytest.mark.slow
@pytest.mark.parametrize("num_processes", [1, 2])
def test_ctrl_c_ends_it_cleanly(tmp_path, num_processes):
    for index in range(500):
        write_polygons(tmp_path, f"train/ulm/ulm_{index:06}_000019", side=2048)
    process = subprocess.Popen(
        [*TOOL, tmp_path, "--nproc", str(num_processes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(tmp_path.rglob("[!.]*.png")):  # hidden ones are not whole yet
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all processes
    stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout, stderr) == (130, "", "interrupted\n")
    assert not list(tmp_path.rglob("*.tmp*"))
    assert 0 < len(list(tmp_path.rglob("*.png"))) < 500


def test_help_is_quick_because_nothing_heavy_is_imported():
    program = "import runpy, sys; sys.argv[1:] = ['--help']\ntry: runpy.run_path({!r}, run_name='__main__')\n"
    program += "finally: print([name for name in ('numpy', 'PIL', 'rich', 'torch') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program.format(TOOL[1])], capture_output=True, text=True, timeout=60)
    assert result.stdout.splitlines()[-1] == "[]"
