"""Let the disk fail at every write of the programs that write files, and run them again.

    python bench/disk_faults.py                       all programs
    python bench/disk_faults.py --only pack infer --every 3

A program runs once for each of its calls that write (`write`, `pwrite64`, `writev`, `sendfile`, `fsync`, and `mkdir`,
`open` and `rename` that make a name), and the n-th of them fails: with ENOSPC, and all later ones too, as on a full
disk; with EIO, once; or it writes only its first half, which is no error (the program has to write the rest). The
calls are intercepted in the kernel (`bench/system_calls.py`), whichever library makes them. After each:

* the program ends with one sentence that has a code or an exit code of its own, a path and what to do, or has not
  needed the file; there is no traceback;
* the files of before are unharmed, and no file under its final name is half;
* the same command then completes, with the files of a run without faults.
"""

from __future__ import annotations

import argparse
import collections
import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).parents[1]
sys.path.insert(0, str(REPO))

from bench.crash_model import CrashModel  # noqa: E402
from bench.crash_states import Fault, Reference, State, _contents, check_whole  # noqa: E402
from bench.recording import open_flags, record, written_path  # noqa: E402
from bench.saves import OUT, Save, add_options, prepared, print_faults, run_forked, run_tool, start  # noqa: E402
from bench.system_calls import Call, watch  # noqa: E402

MODES = ("ENOSPC", "EIO", "short")
_WRITES = ("write", "pwrite64", "writev", "pwritev", "sendfile", "copy_file_range")
_OTHERS = ("fsync", "fdatasync", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "symlink", "symlinkat")
_SAME = re.compile(r"\.(pth|png|jpg|npz|tiles|csv|txt|yaml|safetensors)$")
"""Files that are the same in each run, apart from times in tables."""


class Failing:
    """Lets the n-th write to a folder fail.

    Args:
        root: the folder.
        number: of the write, from 1; 0 for none.
        mode: of MODES.

    Attributes:
        count: of writes so far.
        what: the call that failed.
    """

    def __init__(self, root: Path, number: int, mode: str) -> None:
        self._root, self._number, self._mode = f"{os.path.realpath(root)}/", number, mode
        self.count, self.what = 0, ""

    def __call__(self, call: Call) -> int | None:
        is_write = call.name in _WRITES
        is_new = call.name in ("open", "openat") and open_flags(call) & os.O_CREAT
        if not is_write and not is_new and call.name not in _OTHERS:
            return None
        path = written_path(call)
        if path is None or not path.startswith(self._root) or (is_new and os.path.lexists(path)):
            return None
        if self._mode == "short" and (call.name not in ("write", "pwrite64") or call.args[2] < 2):
            return None
        self.count += 1
        if self.count == self._number or (self._mode == "ENOSPC" and 0 < self._number < self.count):
            self.what = self.what or f"{call.name} {path.removeprefix(self._root)}"
            if self._mode == "short":
                return call.write_half()
            is_sync = "sync" in call.name
            return -(errno.ENOSPC if self._mode == "ENOSPC" and not is_sync else errno.EIO)
        return None


def check(save: Save, cwd: Path, reference: Reference, number: int, mode: str) -> Iterator[str]:
    """Yield what is wrong after a fault, and nothing if all is well."""
    out = start(save, cwd)
    before = _contents(out)
    failing = Failing(out, number, mode)
    log = cwd / "faulty.log"
    code = watch(lambda: run_tool(save.command), failing, log)
    if not failing.what:
        raise IndexError(number)
    text = log.read_text(errors="replace")
    what = re.sub(r"\d{8}_\d{6}|\.\d{3,}(?=\.)", "", failing.what)
    if "Traceback" in text or "Exception ignored" in text:
        yield f"{what}: a traceback: {text.strip().splitlines()[-1]}"
    elif code and not re.search(r"(E-[a-z-]+\]|go on with --resume|--skip-existing goes on)", text):
        yield f"{what}: no code: {text.strip()[-200:]}"
    elif code and not re.search(r"disk|make room|again", text):
        yield f"{what}: does not say what to do: {text.strip()[-200:]}"
    if mode == "short" and code:
        yield f"{what}: a short write is an error: {text.strip()[-200:]}"
    found = _contents(out)
    for path, content in before.items():
        if found.get(path) != content:
            yield f"{what}: {path} is harmed"
    try:
        check_whole(State(0, {}, found, set()), reference, same=False)
    except Fault as fault:
        yield f"{what}: {fault}"
    if leftovers := [path for path in found if ".tmp" in path]:
        yield f"{what}: {leftovers[0]} is left"
    if not code and mode != "short" and _differences(found, reference):
        yield f"{what}: exit code 0, and {_differences(found, reference)[0]}"
    if not code and save.name == "labels":
        return  # a second export to the same folder is refused: it may hold corrections
    again = run_forked([*save.command, *save.again], cwd / "again.log")
    if again:
        yield f"{what}: the same command fails: {(cwd / 'again.log').read_text().strip()[-200:]}"
    elif differences := _differences(_contents(out), reference):
        yield f"{what}: after the same command, {differences[0]}"


def _differences(found: dict[str, bytes], reference: Reference) -> list[str]:
    missing = [
        f"{path} is missing"
        for path in reference.final.files
        if path not in found and not re.search(r"\d{8}_\d{6}|-[0-9a-f]{8}\.", path)
    ]
    other = [
        f"{path} differs"
        for path, content in reference.final.files.items()
        if path in found and path.endswith((".png", ".tiles", ".npz")) and found[path] != content
    ]
    return missing + other


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--every", type=int, default=1, help="let only every N-th write fail")
    parser.add_argument("--most", type=int, default=0, help="at most so many writes of each program, evenly chosen")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    args = parser.parse_args()
    num_runs = num_faults = 0
    with prepared(args) as (cwd, saves):
        for save in saves:
            out = start(save, cwd)
            shutil.rmtree(cwd / "before", ignore_errors=True)
            shutil.copytree(out, cwd / "before", symlinks=True)
            code, operations = record(lambda save=save: run_tool(save.command), out, cwd / "program.log")
            assert code == 0, (cwd / "program.log").read_text()[-3000:]
            reference = Reference(save, CrashModel(cwd / "before", operations))
            for mode in args.modes:
                start(save, cwd)
                counter = Failing(cwd / OUT, 0, mode)
                watch(lambda save=save: run_tool(save.command), counter, cwd / "program.log")
                numbers = list(range(1, counter.count + 1, args.every))
                if args.most and len(numbers) > args.most:
                    numbers = [numbers[round(i * (len(numbers) - 1) / (args.most - 1))] for i in range(args.most)]
                faults: dict[str, int] = collections.Counter()
                for number in numbers:
                    faults.update(check(save, cwd, reference, number, mode))
                num_runs, num_faults = num_runs + len(numbers), num_faults + len(faults)
                print_faults(f"{save.name}: {mode} at {len(numbers)} of {counter.count} writes", faults)
    print(f"{num_runs} runs with a fault, {num_faults} faults")
    return int(num_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
