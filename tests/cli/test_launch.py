"""The launcher on one machine, with small processes in place of a training."""

import os
import re
import signal
import sys
import time
from functools import partial

import pytest

from semseg.launch import processes
from semseg.launch.agent import find_cause
from tests.launched import Launched, runs, wait_for, write_worker


@pytest.fixture(autouse=True)
def no_launcher_stays():
    yield
    Launched.kill_all()


@pytest.fixture
def worker(tmp_path):
    return partial(write_worker, tmp_path)


def test_max_restarts_may_stand_anywhere():
    for given in (
        ["--max-restarts", "3", "2", "a b"],
        ["2", "--max-restarts=3", "a b"],
        ["2", "a b", "--max-restarts=3"],
    ):
        assert processes.take_max_restarts(given) == (3, ["2", "a b"])
    assert processes.take_max_restarts(["2", "a b"]) == (0, ["2", "a b"])


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["2", "--max-restarts", "x"], {}, "--max-restarts: expected 0 or more, got 'x'"),
        (["2", "--max-restarts"], {}, "--max-restarts: expected 0 or more, got ''"),
        (["0"], {}, "number of GPUs: expected 1 or more, got '0'"),
        (["2"], {"NNODES": "two"}, "NNODES: expected 1 or more, got 'two'"),
        (["2"], {"NNODES": "2", "NODE_RANK": "2"}, "NODE_RANK: expected 0 to 1 on 2 machines (NNODES), got 2"),
    ],
)
def test_wrong_numbers_are_named(tmp_path, arguments, environment, message):
    launched = Launched(tmp_path, *arguments, **environment)
    assert launched.end() == 2
    assert launched.output == f"error: {message} [E-input-range]\n"


def test_a_restarted_process_goes_on_from_what_this_launch_has_saved(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMSEG_LAUNCHED", str(time.time()))
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert not processes.was_restarted(tmp_path)
    checkpoint_path = tmp_path / "iter_8000.pth"
    (tmp_path / ".iter_8000.1-0.tmp.pth").touch()  # killed while it saved
    assert not processes.was_restarted(tmp_path)
    checkpoint_path.touch()
    assert processes.was_restarted(tmp_path)
    os.utime(checkpoint_path, (time.time(), time.time() - 3600))  # of an earlier run in the same folder
    assert not processes.was_restarted(tmp_path)
    checkpoint_path.touch()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert not processes.was_restarted(tmp_path)


def test_the_process_that_was_killed_is_named_and_not_those_that_lost_it():
    assert find_cause({0: 1, 1: -9}) == (1, -9)
    assert find_cause({0: 1, 1: 2}) == (1, 2)
    assert find_cause({0: -9, 1: 3, 2: 1}) == (1, 3)
    assert find_cause({0: 143, 1: 1}) == (1, 1)


@pytest.mark.slow
def test_a_fallen_group_is_started_again_and_knows_it(tmp_path, worker):
    script = worker("""
sys.stdout.write(f"{count} of {sys.argv[1:]}\\n")
Path(f"port{count}").write_text(os.environ["MASTER_PORT"])
if rank == "1" and count < 2:
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(0.5)
""")
    launched = Launched(tmp_path, 2, script, "a b", "--max-restarts=2")
    assert launched.end() == 0
    assert launched.output.count("2 of ['a b']") == 2
    # a store of their own each time: the old one still says where the fallen processes were
    assert len({path.read_text() for path in tmp_path.glob("port*")}) == 3
    assert re.findall("process.*", launched.output) == [
        "process 1 ended with exit code -9: restart 1 of 2",
        "process 1 ended with exit code -9: restart 2 of 2",
    ]
    launched = Launched(tmp_path, 2, script, "--max-restarts", 1)
    assert launched.end() == 1
    assert "error: process 1 ended with exit code -9 after 1 restarts" in launched.output


@pytest.mark.slow
@pytest.mark.parametrize("code", [2, 3, 124, 130, 138, 143])
def test_ends_that_would_come_again_or_were_wanted_are_not_started_again(tmp_path, worker, code):
    script = worker(f"print('started', flush=True); sys.exit({code})")
    launched = Launched(tmp_path, 1, script, "--max-restarts=3")
    assert launched.end() == code
    assert launched.output == "started\n"


@pytest.mark.slow
def test_nor_are_they_when_another_process_ends_first_because_it_loses_that_one(tmp_path, worker):
    script = worker(
        "print(f'started {rank}', flush=True); time.sleep(0.5 * (rank == '0')); sys.exit({'0': 3, '1': 1}[rank])"
    )
    launched = Launched(tmp_path, 2, script, "--max-restarts=3")
    assert launched.end() == 3
    assert sorted(launched.output.splitlines()) == ["started 0", "started 1"]


SAVE = """
def save(number, frame):
    global wanted
    wanted = number
wanted = 0
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, save)
loader = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])  # in the same process group
Path("ready" + rank).touch()
while not wanted:
    time.sleep(0.02)
if rank == "0":  # the others leave, while one still saves
    time.sleep(0.5)
    assert loader.poll() is None
    Path("saved").touch()
loader.kill()
sys.exit(128 + wanted)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_a_signal_lets_the_processes_save(tmp_path, worker, name):
    number = signal.Signals[name]
    launched = Launched(tmp_path, 2, worker(SAVE), "--max-restarts=3")
    wait_for(lambda: len(list(tmp_path.glob("ready*"))) == 2, launched)
    launched.send(number)
    assert launched.end() == 128 + number
    assert (tmp_path / "saved").exists()
    assert launched.output == ""


@pytest.mark.slow
def test_a_lost_terminal_lets_the_processes_save_unless_nohup_says_that_it_may_go(tmp_path, worker):
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup themselves
    try:
        launched = Launched(tmp_path, 2, worker(SAVE))
        wait_for(lambda: len(list(tmp_path.glob("ready*"))) == 2, launched)
        launched.send(signal.SIGHUP)
        assert launched.end() == 128 + signal.SIGTERM
        assert (tmp_path / "saved").exists()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        launched = Launched(tmp_path, 1, worker("Path('up').touch(); time.sleep(0.5)"))
    finally:
        signal.signal(signal.SIGHUP, before)
    wait_for((tmp_path / "up").exists, launched)
    launched.send(signal.SIGHUP)
    assert launched.end() == 0


@pytest.mark.slow
def test_a_process_that_does_not_end_is_killed(tmp_path, worker):
    script = worker("signal.signal(signal.SIGTERM, signal.SIG_IGN); Path('up').touch(); time.sleep(60)")
    launched = Launched(tmp_path, 1, script, TORCH_ELASTIC_SHUTDOWN_TIMEOUT="1")
    wait_for((tmp_path / "up").exists, launched)
    launched.send(signal.SIGTERM)
    assert launched.end() == 128 + signal.SIGTERM
    assert not runs((tmp_path / "pid0").read_text())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_no_process_outlives_a_killed_launcher(tmp_path, worker):
    launched = Launched(tmp_path, 2, worker("Path('up' + rank).touch(); time.sleep(60)"))
    wait_for(lambda: len(list(tmp_path.glob("up*"))) == 2, launched)
    pids = [path.read_text() for path in tmp_path.glob("pid*")]
    assert all(map(runs, pids))
    launched.send(signal.SIGKILL)
    assert launched.end() == -signal.SIGKILL
    wait_for(lambda: not any(map(runs, pids)))
