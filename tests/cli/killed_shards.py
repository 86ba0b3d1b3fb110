"""Run all shards of tools/infer.py at the same time, kill each several times at random moments, and start it again.

    python tests/cli/killed_shards.py SEED KILLS NUM_SHARDS CHECKPOINT FOLDER OUT_DIR

The program forks, so that each start need not import PyTorch. The first kill of a shard, and a third of the others,
happens after one or two more rows, the rest after a random time. It prints a JSON list: of each shard the exit codes of
its starts, and the number of rows after each kill.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

REPO = Path(__file__).parents[2]


def start(arguments, log):
    """Start tools/infer.py in a fork, and return its process id."""
    pid = os.fork()
    if pid:
        return pid
    for stream in (1, 2):
        os.dup2(os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND), stream)
    from semseg.cli.infer import main
    from semseg.cli.program import run_tool

    sys.argv = ["tools/infer.py", *arguments]
    code = 1
    try:
        run_tool(main)
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def count_rows(path):
    return max(0, path.read_bytes().count(b"\n") - 1) if path.is_file() else 0


class Killed:
    """A shard that is killed several times, and then left alone."""

    def __init__(self, rng, kills, arguments, out_dir, shard, num_shards, longest_s):
        self.rng, self.kills_left, self.longest_s = rng, kills, longest_s
        self.arguments = [*arguments, "--out-dir", out_dir, "--shard", f"{shard}/{num_shards}", "--skip-existing"]
        self.table = Path(out_dir, f"shards/{shard}-of-{num_shards}/manifest.csv")
        self.log = f"{out_dir}.{shard}.log"
        self.codes, self.rows = [], []
        self._start()

    def _start(self):
        self.pid, self.began = start(self.arguments, self.log), time.monotonic()
        rows = count_rows(self.table)
        by_rows = not self.codes or self.rng.random() < 1 / 3
        self.rows_at_kill = rows + self.rng.randint(1, 2) if by_rows else 10**9
        self.deadline = self.began + (60 if by_rows else self.rng.uniform(0, self.longest_s))

    def step(self):
        """Kill the process if it is time, start it again if it was killed; return whether the shard has ended."""
        is_time = time.monotonic() > self.deadline or count_rows(self.table) >= self.rows_at_kill
        if self.kills_left and is_time:
            os.kill(self.pid, signal.SIGKILL)
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        if not ended:
            return False
        self.codes.append(os.waitstatus_to_exitcode(status))
        if self.codes[-1] == -signal.SIGKILL:
            self.kills_left -= 1
            self.rows.append(count_rows(self.table))
            self._start()
            return False
        return True


def main(seed, kills, num_shards, checkpoint, folder, out_dir):
    sys.path.insert(0, str(REPO))
    import semseg.inference.merging
    import semseg.inference.segmenter
    import semseg.plugins  # noqa: F401  imported before the forks

    rng = random.Random(int(seed))
    arguments = [checkpoint, folder]
    began = time.monotonic()
    pid = start([*arguments, "--out-dir", f"{out_dir}_whole"], f"{out_dir}.whole.log")
    assert os.waitpid(pid, 0)[1] == 0, Path(f"{out_dir}.whole.log").read_text()
    longest_s = (time.monotonic() - began) * int(num_shards)  # they share the CPUs
    shards = [
        Killed(rng, int(kills), arguments, out_dir, number, int(num_shards), longest_s)
        for number in range(1, int(num_shards) + 1)
    ]
    running = list(shards)
    while running:
        running = [shard for shard in running if not shard.step()]
        time.sleep(0.002)
    print(json.dumps([[shard.codes, shard.rows] for shard in shards]))


if __name__ == "__main__":
    main(*sys.argv[1:])
