"""Runs that are killed, stopped, out of time, or out of disk."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import CONFIG, REPO, SHORT, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_runs_end_with_the_weights_of_one_left_alone(town, processes):
    command = [sys.executable, REPO / "bench/kills.py", "--kills", "2", "--processes", str(processes)]
    command += ["--data", town / "data/toycity"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 could not be resumed, 0 ended with other weights" in done.stdout


def test_a_signal_to_all_processes_saves_and_says_so(town):
    log = town / "stopped.log"
    command = [sys.executable, REPO / "tools/train.py", CONFIG, "--work-dir", "stopped", "--no-check", *SHORT]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*map(str, command), "train_cfg.max_iters=500"],
            cwd=town,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        while "Iter(train) [  3/" not in log.read_text() and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGTERM)  # as Slurm and systemd do: the data loader's workers get it too
        assert process.wait(60) == 143, log.read_text()
    last = (town / "stopped/last.pth").resolve()
    said = log.read_text()
    assert said.count("SIGTERM: finishing the step and saving") == 1
    assert f"saved as {town / 'stopped' / last.name}; go on with --resume" in said
    assert "Traceback" not in said
    resumed = run(town, "train.py", CONFIG, "--work-dir", "stopped", "--resume", "--no-check", *SHORT,
                  f"train_cfg.max_iters={int(last.stem[5:]) + 1}")  # fmt: skip
    assert f"resumed epoch: 0, iter: {last.stem[5:]}" in resumed.stdout


def test_the_clock_saves_and_says_so(town):
    done = run(town, "train.py", CONFIG, "--work-dir", "timed", "--no-check", "--max-time", "0.1s", *SHORT, code=124)
    assert "time is up after iteration 1: saved as" in done.stderr
    assert "time is up" not in done.stdout
    (log_path,) = (town / "timed").glob("*/*.log")
    assert log_path.read_text().count(done.stderr.strip()) == 1  # once on the screen, once in the log
    assert (town / "timed/last.pth").is_file()


def test_a_full_disk_is_one_sentence_and_keeps_the_last_good_checkpoint(town, trained):
    work_dir = town / "full"
    shutil.copytree(trained, work_dir, symlinks=True)
    limit = (work_dir / "iter_4.pth").stat().st_size // 2
    done = subprocess.run(
        [sys.executable, str(REPO / "tools/train.py"), str(CONFIG), "--work-dir", str(work_dir), "--resume",
         "--no-check", *SHORT, "train_cfg.max_iters=8"],
        cwd=town, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert "cannot write iter_6.pth to" in done.stderr
    assert "the last good one is iter_4.pth: make room there, then go on with --resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(work_dir.glob(".*.tmp*"))


def test_three_and_the_best_are_kept_and_named(trained):
    assert (trained / "last.pth").resolve().name == "iter_4.pth"
    assert (trained / "best.pth").resolve().name.startswith("best_mIoU_iter_")
    assert len(list(trained.glob("best_mIoU*"))) == 1


def test_a_wrong_length_of_time_is_an_error(town):
    done = run(town, "train.py", CONFIG, "--max-time", "3 days", code=2)
    assert "'3 days' is not a duration; expected a value such as 3h, 1h30m or 90s" in done.stderr
