"""The launcher on several machines: launches that meet over loopback."""

import re
import signal
import socket
import time
from functools import partial

import pytest

from tests.conftest import CONFIG, REPO, SHORT
from tests.launched import Launched, free_port, wait_for, write_worker

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_launcher_stays():
    yield
    Launched.kill_all()


@pytest.fixture
def worker(tmp_path):
    return partial(write_worker, tmp_path)


@pytest.mark.parametrize("restarts", ["0", "1"])
def test_waiting_for_other_machines_can_be_ended(tmp_path, worker, restarts):
    machines = dict(NNODES="2", PORT=free_port())
    first = Launched(tmp_path, 1, worker(""), "--max-restarts", restarts, **machines, NODE_RANK="0")
    wait_for(lambda: f"meeting 2 machines at 127.0.0.1:{machines['PORT']}" in first.output, first)
    time.sleep(0.5)
    first.send(signal.SIGINT)
    assert first.end() in (-signal.SIGINT, 128 + signal.SIGINT)


def test_machines_keep_their_rank(tmp_path, worker):
    script = worker("sys.stdout.write(f'{rank} of {os.environ[\"WORLD_SIZE\"]} on the {sys.argv[1]}\\n')")
    machines = dict(NNODES="2", PORT=free_port())
    second = Launched(tmp_path, 2, script, "second", **machines, NODE_RANK="1")
    first = Launched(tmp_path, 2, script, "first", **machines, NODE_RANK="0")
    assert (first.end(), second.end()) == (0, 0)
    said = sorted(line for line in (first.output + second.output).splitlines() if " on the " in line)
    assert said == ["0 of 4 on the first", "1 of 4 on the first", "2 of 4 on the second", "3 of 4 on the second"]


LOSE_ONE_ANOTHER = """
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == "0":
    listener = socket.create_server(place)
    connection, _ = listener.accept()
else:
    while True:
        try:
            connection = socket.create_connection(place)
            break
        except OSError:
            time.sleep(0.05)
print("count", count, flush=True)
if count == 2:
    sys.exit()
connection.recv(1)  # returns when the other one has ended
sys.exit(1)
"""


def test_the_first_machine_may_fall_and_come_back(tmp_path, worker):
    script = worker(LOSE_ONE_ANOTHER)
    command = [1, script, "--max-restarts=3"]
    machines = dict(NNODES="2", PORT=free_port())
    second = Launched(tmp_path, *command, **machines, NODE_RANK="1")
    for count in (0, 1):
        first = Launched(tmp_path, *command, **machines, NODE_RANK="0")
        wait_for(lambda: all(f"count {count}" in one.output for one in (first, second)), first, second)  # noqa: B023
        first.send(signal.SIGKILL)
        first.end()
    first = Launched(tmp_path, *command, **machines, NODE_RANK="0")
    assert (first.end(), second.end()) == (0, 0), first.output + second.output
    assert "restart 2 of 3" in second.output


STOP_TOGETHER = """
def leave(number, frame):
    Path("stop").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, leave)
Path("ready" + rank).touch()
while not Path("stop").exists():
    time.sleep(0.05)
time.sleep(1.5)  # this one still saves, when the first machine with its meeting point has gone
Path("saved").touch()
sys.exit(143)
"""


def test_a_signal_to_one_machine_lets_all_save(tmp_path, worker):
    command = [1, worker(STOP_TOGETHER), "--max-restarts=3"]
    machines = dict(NNODES="2", PORT=free_port())
    first, second = (Launched(tmp_path, *command, **machines, NODE_RANK=rank) for rank in "01")
    wait_for(lambda: len(list(tmp_path.glob("ready*"))) == 2, first, second)
    first.send(signal.SIGTERM)
    assert (first.end(), second.end()) == (143, 143), first.output + second.output
    assert (tmp_path / "saved").exists()


def test_a_machine_with_wrong_input_ends_the_run_of_all(tmp_path, worker):
    script = worker("sys.exit(2) if sys.argv[1] == 'wrong' else (time.sleep(1), sys.exit(1))")
    machines = dict(NNODES="2", PORT=free_port())
    first = Launched(tmp_path, 1, script, "good", "--max-restarts=3", **machines, NODE_RANK="0")
    second = Launched(tmp_path, 1, script, "wrong", "--max-restarts=3", **machines, NODE_RANK="1")
    assert (first.end(), second.end()) == (1, 2)
    assert first.output.endswith("error: another machine has ended the run\n")


@pytest.mark.parametrize("restarts", ["0", "1"])
def test_a_taken_port_is_named(tmp_path, worker, restarts):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        first = Launched(tmp_path, 1, worker(""), "--max-restarts", restarts, NNODES="2", NODE_RANK="0", PORT=port)
        assert first.end() == 1
    (error,) = re.findall("^error: .*", first.output, re.MULTILINE)
    assert error == f"error: port {port} of 127.0.0.1 is taken: set another PORT on all machines"


def test_a_training_goes_on_when_a_lost_machine_is_back(town):
    options = ["--work-dir", "machines", "--seed", 0, "--no-check", *SHORT]
    options += ["train_cfg.max_iters=8", "train_cfg.val_interval=8"]
    command = [1, REPO / "tools/train.py", CONFIG, "--launcher", "pytorch", "--max-restarts=2", *options]
    machines = dict(NNODES="2", PORT=free_port())
    first = Launched(town, *command, **machines, NODE_RANK="0")
    second = Launched(town, *command, **machines, NODE_RANK="1")
    wait_for((town / "machines/iter_2.pth").exists, first, second)
    second.send(signal.SIGKILL)
    second.end()
    again = Launched(town, *command, **machines, NODE_RANK="1")
    assert (first.end(), again.end()) == (0, 0), first.output + again.output
    assert (town / "machines/iter_8.pth").exists()
    assert re.search(r"process \d ended with exit code 1: restart 1 of 2", first.output)
    shown = first.output + second.output + again.output
    assert len(re.findall(r"Iter\(train\) \[1/8\]", shown)) == 1  # the rest was not from the beginning
