"""Cut the power at every moment while programs write files, in a model of a weak file system, and continue from there.

    python bench/crash_states.py                     all programs, several thousand states
    python bench/crash_states.py --only training pack --random 20

Every program runs once, and its system calls are recorded. For each point between two calls, states of the disk are
made that POSIX allows there (`bench/crash_model.py` has the rules and the sources of the method), and in each of them:

* a file under its final name is whole: one of the versions that the program gave this name;
* a training chooses a checkpoint that is whole, and is not older than the iteration before the last logged one;
  `last.pth` and `best.pth` lead to files that load; the curves have no gap before it. From some states, the training
  is really continued, and ends with the weights of a run that was never interrupted;
* `infer --skip-existing` ends with the same files as a run that was never interrupted;
* packing is continued, and gives the same packed set; before that, the set is refused or whole;
* the results of a test are whole, or are not there.

The exit code is 1 if a state breaks one of these.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import csv
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

REPO = Path(__file__).parents[1]
sys.path.insert(0, str(REPO))

from bench.crash_model import CrashModel, State  # noqa: E402
from bench.recording import record  # noqa: E402
from bench.saves import OUT, Save, add_options, prepared, print_faults, run_forked, run_tool, start  # noqa: E402

_TIME = re.compile(r"\d{8}_\d{6}")
"""Of a run, in the names of its folders."""
_COPY_OF_CONFIG = re.compile(r"(^|/)(config|\d{8}_\d{6})\.py$|^[^/]+_toycity[^/]+\.py$")
"""Copies of the config, which MMEngine writes at every start and nothing reads."""
_GROWING = re.compile(r"(^|/)(events\.out\.tfevents\.\S+|[^/]+\.log|vis_data/[^/]+\.json|manifest\.csv|stats\.csv)$")
"""Files that a program appends to: their last lines may be lost."""


class Fault(AssertionError):
    """A state from which something is lost."""


class Reference:
    """What a program leaves when nothing interrupts it.

    Args:
        save: the program.
        model: of its recorded run.
    """

    def __init__(self, save: Save, model: CrashModel) -> None:
        self.save, self.model = save, model
        self.final = model.final()
        self.versions = model.published()


def check_whole(state: State, reference: Reference, same: bool = True) -> None:
    """Raise a Fault if a file under its final name is not one of its versions.

    Args:
        state: of the files.
        reference: has the versions.
        same: the state is of the same run; else a file of another run is whole if it has the length of a version.
    """
    versions_of = reference.versions
    if not same:  # names contain the time of the run
        versions_of = {_TIME.sub("TIME", path): versions for path, versions in versions_of.items()}
    for path, content in state.files.items():
        is_temporary = any(part.startswith(".") for part in path.split("/")) or path.endswith((".partial", ".journal"))
        if is_temporary or _GROWING.search(path) or _COPY_OF_CONFIG.search(path) or path.endswith(".claim"):
            continue
        versions = versions_of.get(path if same else _TIME.sub("TIME", path), set())
        if not same and len(content) in map(len, versions):
            continue
        if content not in versions and (same or re.search(r"\.(png|jpg|npz|tiles|csv|txt)$", path)):
            raise Fault(f"{path} is not whole: {len(content)} bytes, {content.count(0)} of them zero")


def check_whole_files(folder: Path, state: State, reference: Reference) -> None:
    """Raise a Fault if a file is not whole."""
    check_whole(state, reference)


def check_training(folder: Path, state: State, reference: Reference) -> None:
    """Raise a Fault if the training cannot be continued from its newest finished checkpoint."""
    from semseg.training.resume import AUTO, _find_checkpoint, read_whole

    live = reference.model.live(state.event)
    steps = {0, *(entry["step"] - 1 for entry in _entries(live.files) if "iter" in entry)}
    path, content = _find_checkpoint(folder, AUTO)
    chosen = int(path.stem.removeprefix("iter_")) if path is not None else 0
    wanted = max(steps)  # a checkpoint is finished when the next iteration is logged
    if chosen < wanted:
        raise Fault(f"iter_{chosen} is continued, and iter_{wanted} was finished")
    if path is not None and not {"optimizer", "message_hub", "state_dict"} <= content.keys():
        raise Fault(f"{path.name} has no state to continue")
    for name in {"last.pth", "best.pth"} & {*state.links, *(["last.pth"] if wanted else [])}:
        if not (folder / name).is_file():
            raise Fault(f"{name} leads to nothing: {state.links.get(name)}")
        read_whole(folder / name)
    if missing := set(range(1, chosen + 1)) - {entry["step"] for entry in _entries(state.files)}:
        raise Fault(f"the curves lack the iterations {sorted(missing)} before iter_{chosen}")


def _entries(files: dict[str, bytes]) -> Iterator[dict]:
    """Yield the entries of the curves that can be read."""
    for path, content in files.items():
        for line in content.splitlines() if path.endswith("vis_data/scalars.json") else ():
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def check_infer(folder: Path, state: State, reference: Reference) -> None:
    """Raise a Fault unless the program ends with the files of a run that was never interrupted."""
    from semseg import Segmenter
    from semseg.inference import Outputs, find_images, infer

    if not _opened:
        _opened.append(Segmenter("model/best.pth").predictor)
    predictor = _opened[0]
    outputs = Outputs(folder, predictor.classes, predictor.palette, ["pred", "vis", "conf", "probs", "color"])
    with contextlib.redirect_stderr(io.StringIO()):
        infer(predictor, find_images("photos"), outputs, skip_existing=True)
    found = _contents(folder)
    for path, content in reference.final.files.items():
        if found.get(path) != content and _without_times(found.get(path, b"")) != _without_times(content):
            raise Fault(f"{path} differs after --skip-existing")


_opened: list = []


def _without_times(table: bytes) -> list[dict]:
    rows = csv.DictReader(io.StringIO(table.decode("utf-8", "replace"), newline=""))
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def check_pack(folder: Path, state: State, reference: Reference) -> None:
    """Raise a Fault unless the set is refused or whole, and packing it again makes it whole."""
    from semseg.datasets.packed.store import PackedSplit
    from semseg.errors import SemsegError

    with contextlib.suppress(SemsegError):
        PackedSplit(folder, "train").verify()
        check_pack_is_same(folder, reference)
    _run_again(folder, reference)
    check_pack_is_same(folder, reference)


def check_pack_is_same(folder: Path, reference: Reference) -> None:
    """Raise a Fault unless the tiles and their index are those of an uninterrupted run."""
    found = _contents(folder)
    for name in ("train.tiles", "train.npz"):
        if found.get(name) != reference.final.files[name]:
            raise Fault(f"{name} differs")


def check_results(folder: Path, state: State, reference: Reference) -> None:
    """Raise a Fault if there is a results.json, and it cannot be read with its tables."""
    from semseg.evaluation.results import read_results

    for path in folder.rglob("results.json"):
        name = f"{path.relative_to(folder).parent.as_posix()}/"
        summary = read_results(path.parent).summary
        if summary != json.loads(reference.final.files[f"{name}results.json"]):
            raise Fault("other results")
        for other in reference.final.files:
            is_table = other.startswith(name) and other.endswith((".csv", ".npz"))
            if is_table and not (folder / other).is_file():
                raise Fault(f"results.json is there, and {other} is not")


def check_again(folder: Path, state: State, reference: Reference) -> None:
    """Raise a Fault unless the same command makes the same files."""
    _run_again(folder, reference)
    found = _contents(folder)
    for path, content in reference.final.files.items():
        if found.get(path) != content:
            raise Fault(f"{path} differs after the same command")


Check = Callable[[Path, State, Reference], None]
CHECKS: dict[str, Check] = {
    "training": check_training,
    "infer": check_infer,
    "pack": check_pack,
    "results": check_results,
    "convert": check_again,
    "drawn": check_again,
    "split": check_again,
}


def _run_again(folder: Path, reference: Reference) -> None:
    """Run the program with a state in place of its folder."""
    out = Path(OUT)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(folder, out, symlinks=True)
    code = run_forked([*reference.save.command, *reference.save.again], Path("again.log"))
    if code:
        raise Fault(f"the same command fails: {Path('again.log').read_text()[-500:].strip()}")
    shutil.rmtree(folder)
    shutil.copytree(out, folder, symlinks=True)


def check_continued(folder: Path, state: State, reference: Reference) -> None:
    """Raise a Fault unless a training is continued to the weights of an uninterrupted run."""
    from bench.kills import fingerprint

    _run_again(folder, reference)
    last = max(name for name in reference.final.files if re.fullmatch(r"iter_\d+\.pth", name))
    expected = Path("expected.pth")
    expected.write_bytes(reference.final.files[last])
    if fingerprint(folder / last) != fingerprint(expected):
        raise Fault("the training ends with other weights")


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def crash(save: Save, cwd: Path, num_random: int, max_states: int, num_continued: int) -> tuple[int, dict[str, int]]:
    """Check the crash states of a program, and return their number, and the faults with the number of their states.

    Args:
        save: the program.
        cwd: the working folder, from `prepare`.
        num_random: states by chance after each call, besides the extremes.
        max_states: of all, evenly chosen; 0 for all.
        num_continued: trainings that are really continued.
    """
    out = start(save, cwd)
    shutil.rmtree(cwd / "before", ignore_errors=True)
    shutil.copytree(out, cwd / "before", symlinks=True)
    code, operations = record(lambda: run_tool(save.command), out, cwd / "program.log")
    assert code == 0, (cwd / "program.log").read_text()[-3000:]
    model = CrashModel(cwd / "before", operations)
    reference = Reference(save, model)
    # what was recorded is all that the program has done
    assert reference.final.files == _contents_without_links(out), "the recording is not complete"
    states = list(model.states(num_random))
    if max_states and len(states) > max_states:
        states = [states[round(i * (len(states) - 1) / (max_states - 1))] for i in range(max_states)]
    faults: dict[str, int] = collections.Counter()
    check = CHECKS.get(save.name)
    continued = {round(i * (len(states) - 1) / max(1, num_continued - 1)) for i in range(num_continued)}
    for number, state in enumerate(states):
        folder = cwd / "states" / f"{save.name}_{number}"
        state.write(folder)
        checks = [check_whole_files, *([check] if check is not None else [])]
        if save.name == "training" and number in continued:
            checks.append(check_continued)
        for error in _failures(checks, folder, state, reference):
            text = _TIME.sub("TIME", f"{type(error).__name__}: {error}".replace(str(folder), OUT))
            text = re.sub(r"\d+ (bytes|of them)", r"N \1", text).replace(folder.name, OUT)
            faults[text] += 1
        shutil.rmtree(folder, ignore_errors=True)
    return len(states), dict(faults)


def _failures(checks: list[Check], folder: Path, state: State, reference: Reference) -> Iterator[Exception]:
    for check in checks:
        try:
            check(folder, state, reference)
        except Exception as error:
            yield error


def _contents_without_links(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in _contents(folder).items() if not (folder / name).is_symlink()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--random", type=int, default=4, help="states by chance after each call")
    parser.add_argument("--states", type=int, default=0, help="at most so many states of each program")
    parser.add_argument("--continued", type=int, default=8, help="trainings that are really continued")
    args = parser.parse_args()
    num_states = num_faults = 0
    with prepared(args) as (cwd, saves):
        for save in saves:
            number, faults = crash(save, cwd, args.random, args.states, args.continued)
            num_states += number
            num_faults += len(faults)
            print_faults(f"{save.name}: {number} crash states", faults)
    print(f"{num_states} crash states, {num_faults} faults")
    return int(num_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
