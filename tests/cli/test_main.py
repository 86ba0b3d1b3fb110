"""The `semseg` command, and the wheel that brings it."""

import importlib
import json
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from semseg.cli import main as command
from semseg.cli.demo import RECIPE
from tests.conftest import REPO


def semseg(*words, cwd=REPO, code=0, **environment):
    """Run the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "semseg", *map(str, words)],
        cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_every_command_is_there():
    for module, _, function in (place.partition(":") for place, _ in command.COMMANDS.values()):
        assert callable(getattr(importlib.import_module(f"semseg.cli.{module}"), function))


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_without_a_command_there_is_an_overview(words, capsys):
    assert command.main(words) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {name} " in shown for name in command.COMMANDS)


def test_a_slip_names_the_nearest_command(capsys):
    assert command.main(["trian"]) == 2
    assert capsys.readouterr().err == "semseg: no command trian; did you mean train?\n"
    assert command.main(["xyz"]) == 2
    assert "no command xyz; expected one of train, test, evaluate, " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (["train"], "usage: semseg train ["),
        (["data", "check"], "usage: semseg data check ["),
        (["data", "convert-cityscapes"], "usage: semseg data convert-cityscapes ["),
        (["model", "export"], "usage: semseg model export ["),
        (["report"], "usage: semseg report ["),
    ],
)
def test_help_calls_the_command_by_its_name(words, usage, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["semseg"])
    with pytest.raises(SystemExit) as end:
        command.main([*words, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(usage)


@pytest.mark.slow
def test_env_tells_versions_machine_and_extras(monkeypatch, capsys):
    found = json.loads(semseg("env", "--json").stdout)
    assert {"python", "torch", "mmengine", "mmcv", "mmseg", "semseg"} <= found["versions"].keys()
    assert {"CPU", "CPU flags", "memory", "/dev/shm", "GPU"} <= found["machine"].keys()
    assert found["extras"]["serve"] == "installed"  # as all are where tests run
    monkeypatch.setattr(sys, "argv", ["semseg"])
    assert not command.main(["env"])
    text = capsys.readouterr().out
    assert all(name in text for name in ("torch", "mmseg", "CPU flags", "serve"))


@pytest.mark.slow
def test_wrong_input_is_one_sentence_and_exit_code_2(tmp_path):
    done = semseg("train", "pspnet_r18-d8_1xb4-1000_toycity-128x25", cwd=tmp_path, code=2)
    assert done.stderr == (
        "error: no config file pspnet_r18-d8_1xb4-1000_toycity-128x25;"
        " did you mean pspnet_r18-d8_1xb4-1000_toycity-128x256? [E-config-missing]\n"
    )


def test_a_reader_that_has_enough_ends_it_quietly():
    program = "from semseg.cli.program import run_tool; run_tool(lambda: print('word ' * 10**6))"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} | head -c 9"
    done = subprocess.run(command, shell=True, cwd=REPO, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("word word", "")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder that holds nothing of the repository but what its wheel installs."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check", "--wheel-dir", folder]
    source = folder / "source"
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=REPO, capture_output=True, text=True)
    for name in files.stdout.splitlines() or [str(p.relative_to(REPO)) for p in REPO.rglob("*") if p.is_file()]:
        if name.startswith(("semseg/", "configs/")) or "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((REPO / name).read_bytes())
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name.startswith("semseg_toolkit-")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.mark.slow
def test_the_wheel_runs_the_demo_in_an_empty_folder(site, tmp_path):
    assert (site / "semseg/py.typed").is_file()
    (entry_points,) = site.glob("*.dist-info/entry_points.txt")
    assert "semseg = semseg.cli.main:run" in entry_points.read_text()
    quick = ["train_cfg.max_iters=4", "train_cfg.val_interval=4", "train_dataloader.batch_size=2"]
    done = semseg("demo", "--pictures", 20, "--cfg-options", *quick, cwd=tmp_path, PYTHONPATH=str(site))
    for line in (
        "$ semseg data toycity data/toycity",
        f"$ python -m semseg.launch 2 -m semseg train {RECIPE} --launcher pytorch --seed 0 --resume auto",
        f"$ semseg infer {RECIPE} work_dirs/{RECIPE}/best_mIoU_iter_4.pth data/rosario",
    ):
        assert line in done.stdout
    assert len(list((tmp_path / "outputs/demo/rosario/pred").rglob("*.png"))) == 2
    results = json.loads(next(Path(tmp_path, "work_dirs").rglob("results.json")).read_text())
    assert results["run"]["command"].startswith(f"semseg test {RECIPE} work_dirs/")
