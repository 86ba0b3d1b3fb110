"""The command line of tools/dataset.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "dataset.py"


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, str(TOOL), "toycity", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_toycity_writes_and_says_where(tmp_path):
    root = tmp_path / "city"
    done = run(root, "--train", 2, "--val", 1, "--test", 0, "--size", "128x64")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{root}: wrote 2 train, 1 val, 0 test pictures\n"
    assert len(list(root.rglob("*.png"))) == 6


@pytest.mark.slow
def test_rosario_writes_two_folders_and_says_where(tmp_path):
    root = tmp_path / "rosario"
    done = run(root, "--style", "rosario", "--photos", 1, "--labelled", 1, "--nproc", 1)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{root}: wrote 1 photographs; {root}_labelled: wrote 1 labelled pictures\n"
    assert len(list(root.rglob("*.jpg"))) == len(list(tmp_path.glob("rosario_labelled/annotation/*.png"))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "512"], "--size is WIDTHxHEIGHT such as 512x256, got '512' [E-input-value]"),
        (["--size", "x256"], "--size is WIDTHxHEIGHT such as 512x256, got 'x256' [E-input-value]"),
        (["--size", "64x32"], "--size 64x32: pictures are 128x64 or larger [E-input-range]"),
        (["--train", "-1"], "--train -1: expected 0 or more pictures [E-input-range]"),
        (["--train=0", "--val=0", "--test=0"], "nothing to draw: --train, --val, --test are all 0 [E-input-range]"),
        (["--seed", "-1"], "--seed -1: expected 0 or more [E-input-range]"),
        (["--nproc", "0"], "--nproc 0: expected 1 or more processes [E-input-range]"),
        (["--photos", "3"], "--photos has no effect with --style toycity; leave it out [E-input-no-effect]"),
        (
            ["--style", "rosario", "--train", "3"],
            "--train has no effect with --style rosario; leave it out [E-input-no-effect]",
        ),
        (
            ["--style", "rosario", "--size", "512x256"],
            "--size has no effect with --style rosario; leave it out [E-input-no-effect]",
        ),
        (
            ["--style", "rosario", "--labelled", "-2"],
            "--labelled -2: expected 0 or more pictures [E-input-range]",
        ),
    ],
)
def test_wrong_use_is_one_sentence_and_status_2(tmp_path, arguments, message):
    done = run(tmp_path / "city", *arguments)
    assert done.returncode == 2
    assert done.stderr == f"error: {message}\n"
    assert not (tmp_path / "city").exists()


def test_a_root_that_is_a_file_is_refused(tmp_path):
    root = tmp_path / "city"
    root.write_text("")
    done = run(root, "--train", 1)
    assert done.returncode == 2
    assert done.stderr == f"error: {root} is a file; the pictures need a folder there\n"


def test_a_root_without_a_name_is_refused():
    done = run("/")
    assert (done.returncode, done.stderr) == (
        2,
        "error: ROOT needs a name of its own such as data/toycity, got '/' [E-input-value]\n",
    )


def test_help_says_which_style_uses_an_option():
    text = " ".join(run("--help").stdout.split())
    assert "toycity: pictures of the split train (default: 200)" in text
    assert "rosario: photographs without labels (default: 24)" in text
