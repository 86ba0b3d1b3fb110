"""The scripts for clusters, with a stand-in for srun on the PATH."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import CONFIG, REPO, SHORT

SRUN = f"""#!{sys.executable}
# what srun does, as far as it matters here: tasks in process groups of their own, signals for whole groups, and with
# --kill-on-bad-exit no mercy for the others when one ends badly
import json, os, signal, subprocess, sys, time
options = [word for word in sys.argv[1:] if word.startswith("--")]
own = next(i for i, word in enumerate(sys.argv[1:], 1) if not word.startswith("--"))
options, command = dict(word.partition("=")[::2] for word in sys.argv[1:own]), sys.argv[own:]
with open("srun.json", "w") as file:
    json.dump([options, command], file)
if "DRY" in os.environ:
    sys.exit()
count = int(options["--ntasks"])
tasks = []
for i in range(count):
    ids = dict(SLURM_PROCID=str(i), SLURM_LOCALID=str(i), SLURM_NTASKS=str(count))
    job = dict(SLURM_STEP_NODELIST="localhost", SLURM_NODELIST="localhost,gone", SLURM_JOB_ID=str(os.getpid()))
    tasks.append(subprocess.Popen(command, env={{**os.environ, **ids, **job}}, start_new_session=True))
signal.signal(signal.SIGUSR1, lambda number, frame: [os.killpg(task.pid, number) for task in tasks])
while any(task.poll() is None for task in tasks):
    if any(task.returncode for task in tasks):
        for task in tasks:
            if task.poll() is None:
                os.killpg(task.pid, signal.SIGKILL)
    time.sleep(0.1)
sys.exit(max(task.returncode if task.returncode >= 0 else 128 - task.returncode for task in tasks))
"""


@pytest.fixture
def environment(tmp_path):
    srun_path = tmp_path / "bin/srun"
    srun_path.parent.mkdir()
    srun_path.write_text(SRUN)
    srun_path.chmod(0o755)
    path = f"{srun_path.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}


def asked_of_srun(cwd, environment, *command):
    program = [str(REPO / "tools" / command[0]), *map(str, command[1:])]
    subprocess.run(program, cwd=cwd, env={**environment, "DRY": "1"}, check=True)
    return json.loads((cwd / "srun.json").read_text())


def test_srun_gets_what_the_environment_says_and_quotes_survive(tmp_path, environment):
    options, command = asked_of_srun(
        tmp_path, environment, "slurm_train.sh", "gpu", "my job", "a config.py", "--x", "y z", ""
    )
    assert options == {
        "--partition": "gpu", "--job-name": "my job", "--gres": "gpu:4", "--ntasks": "4", "--ntasks-per-node": "4",
        "--cpus-per-task": "5", "--kill-on-bad-exit": "1", "--signal": "USR1@120",
    }  # fmt: skip
    train = [sys.executable, "-u", str(REPO / "tools/train.py"), "a config.py", "--launcher", "slurm", "--x", "y z", ""]
    assert command == train
    environment.update(GPUS="16", GPUS_PER_NODE="8", CPUS_PER_TASK="2", SRUN_ARGS="--time=8:00:00  --signal=USR1@600")
    options, command = asked_of_srun(tmp_path, environment, "slurm_test.sh", "gpu", "job", "a config.py", "a b.pth")
    assert options["--gres"] == "gpu:8"
    assert (options["--ntasks"], options["--ntasks-per-node"], options["--cpus-per-task"]) == ("16", "8", "2")
    assert (options["--time"], options["--signal"]) == ("8:00:00", "USR1@600")
    assert command[2:] == [str(REPO / "tools/test.py"), "a config.py", "a b.pth", "--launcher", "slurm"]


@pytest.mark.parametrize("script", ["slurm_train.sh", "slurm_test.sh"])
def test_without_arguments_the_usage_is_shown(script):
    done = subprocess.run([REPO / "tools" / script], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"tools/{script} PARTITION JOB_NAME CONFIG" in done.stderr


@pytest.mark.slow
def test_two_tasks_train_stop_at_the_warning_and_go_on(town, environment):
    environment.update(GPUS="2", SRUN_ARGS="--gres=none")
    options = ["--work-dir", "slurm run", "--seed", "0", "--no-check", *SHORT, "train_cfg.val_interval=400"]
    options.append("train_cfg.max_iters=400")
    command = [REPO / "tools/slurm_train.sh", "cpu", "toy", CONFIG, *options]
    output_path = town / "slurm.txt"
    with output_path.open("w") as output:
        srun = subprocess.Popen(command, cwd=town, env=environment, stdout=output, stderr=output)
        give_up = time.monotonic() + 300
        while "Iter(train) [  3/400]" not in output_path.read_text():
            assert srun.poll() is None and time.monotonic() < give_up, output_path.read_text()
            time.sleep(0.1)
        srun.send_signal(signal.SIGUSR1)
        assert srun.wait(timeout=300) == 138, output_path.read_text()
    stopped_at = int(re.search(r"stopped by SIGUSR1 after iteration (\d+)", output_path.read_text()).group(1))
    assert (town / f"slurm run/iter_{stopped_at}.pth").is_file()
    command[-1] = f"train_cfg.max_iters={stopped_at + 2}"
    done = subprocess.run([*command, "--resume"], cwd=town, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"Iter\(train\) \[ *{stopped_at + 1}/{stopped_at + 2}\]", done.stdout)
    assert "2 CPU processes over gloo" in done.stdout
