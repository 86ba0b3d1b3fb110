"""Train and evaluate the models of a comparison, one process after the other; what is finished is not repeated.

Every run has its own folder. `comparison_run.json` in it says what the run is, and how far it is. Several machines that
share the folder of the comparison take different runs: each run is claimed with a file.
"""

from __future__ import annotations

import hashlib
import json
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from semseg.analysis.comparison.latency import measure_latency
from semseg.analysis.comparison.pace import iterations_of, read_pace
from semseg.analysis.comparison.plan import Plan, Run, command_words, training_options
from semseg.analysis.report.collect import find_results
from semseg.checkpoints.facts import hardware, now
from semseg.errors import InvalidInputError, SemsegError
from semseg.evaluation.results import Results, read_results
from semseg.system.atomic import atomic_path
from semseg.system.child_process import describe_failure, run_python
from semseg.system.claims import holder_of, take_claim

SCHEMA = 1
_RECORD = "comparison_run.json"
_WAIT_S = 1.0
_OUTPUTS = {"train": "train_output.txt", "test": "test_output.txt"}
_TRACEBACK = "traceback.txt"  # of an error that is a bug


class Outcome(NamedTuple):
    """How a comparison went.

    Attributes:
        failed: sentences by title of the run.
        elsewhere: machine that trains a run now, by title of the run.
    """

    failed: dict[str, str]
    elsewhere: dict[str, str]


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the record of a run; None if it was not started.

    Its keys: `schema`, `digest`, `data`, `budget` and `seed`, which must not change; `max_iters`; `state`, which is
    started, finished or failed; `is_trained`; `fault`, a sentence; `hardware`; `created`; `latency`, see
    `measure_latency`; `results`, where they are and their digest, see `read_own_results`.
    """
    path = folder / _RECORD
    return json.loads(path.read_text()) if path.is_file() else None


def check_same_comparison(plan: Plan) -> None:
    """Check that the runs which are finished or have a checkpoint have the budget, configs and data of the plan.

    Raises:
        ValueError: a run differs; the message says in what.
    """
    for run in plan.runs():
        _check_same(plan, run)


def _check_same(plan: Plan, run: Run) -> None:
    record = read_record(run.folder)
    if record is None or (record["state"] != "finished" and not any(run.folder.glob("[!.]*.pth"))):
        return  # nothing is trained yet
    expected = _identity(plan, run)
    for key, what in (("schema", "format"), ("budget", "budget"), ("digest", "config"), ("data", "data")):
        if record[key] != expected[key]:
            values = f" ({record[key]}, now {expected[key]})" if key == "budget" else ""
            article = "" if what == "data" else "a "
            raise InvalidInputError(
                f"{run.folder} was trained with {article}different {what}{values}: use the same {what}, or another"
                " `out_dir`",
                code="E-input-used",
            )


def read_own_results(run: Run) -> Results:
    """Read the results of the test that a comparison made of a finished run.

    Other tests may be in the work folder of the run, such as one with `tta`, or of another checkpoint.

    Raises:
        ValueError: a later test has replaced the results.
    """
    record = read_record(run.folder)
    assert record is not None
    if not _has_own_results(run, record):
        raise InvalidInputError(
            f"{run.folder / record['results']['folder']}: its results are not those of the comparison any more; run the"
            " comparison again, which repeats the test",
            code="E-input-results",
        )
    return read_results(run.folder / record["results"]["folder"])


def _has_own_results(run: Run, record: Mapping[str, Any]) -> bool:
    """Return whether the results of a finished run are still there, and no later test has replaced them."""
    path = run.folder / record["results"]["folder"] / "results.json"
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == record["results"]["sha256"]


def describe_results(run: Run, folder: Path) -> dict[str, str]:
    """Return what the record of a run says of its results: `folder`, relative to that of the run, and `sha256`."""
    digest = hashlib.sha256((folder / "results.json").read_bytes()).hexdigest()
    return {"folder": folder.relative_to(run.folder).as_posix(), "sha256": digest}


def run_comparison(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Do all runs that are not finished and that no other machine has claimed.

    Args:
        plan: from `make_plan`.
        say: called with a line for each step.

    Raises:
        ValueError: a run in the folder has another budget, config or data.
        Signal: Ctrl-C or SIGTERM; the training that was interrupted has saved its state.
    """
    check_same_comparison(plan)
    left, failed, elsewhere = dict(enumerate(plan.runs(), 1)), {}, {}
    num_runs, num_left = len(left), -1
    while left and len(left) != num_left:  # what another machine had may be free after this one has worked for a while
        num_left = len(left)
        for number, run in list(left.items()):
            title = f"[{number}/{num_runs}] {run.title}"
            claim_path = run.folder.with_suffix(".claim")
            claim = take_claim(claim_path)
            if claim is None:
                elsewhere[run.title] = holder_of(claim_path)
                continue
            with claim:
                fault = _do_unless_finished(plan, run, lambda text, title=title: say(f"{title}: {text}"))
            if fault:
                failed[run.title] = fault
            elsewhere.pop(run.title, None)
            del left[number]
    return Outcome(failed, elsewhere)


def _do_unless_finished(plan: Plan, run: Run, say: Callable[[str], None]) -> str:
    _check_same(plan, run)  # again: another machine may have trained it meanwhile
    record = read_record(run.folder)
    if record is not None and record["state"] == "finished":
        if _has_own_results(run, record):
            say("finished before")
            return ""
        say("its results were removed, or replaced by another test")
    fault = _do(plan, run, say)
    if fault:
        say("failed")
    return fault


def _await_pace(plan: Plan, run: Run, say: Callable[[str], None]) -> None:
    """Measure the pace of a model if the budget needs it; one machine does it, the others wait for the result.

    Raises:
        ChildProcessError: the measurement failed.
    """
    while plan.budget.minutes is not None and read_pace(run.model) is None:
        claim = take_claim(run.model.folder / "pace.claim")
        if claim is None:
            time.sleep(_WAIT_S)
            continue
        with claim:
            say("measuring the time of a step")
            iterations_of(plan, run.model)


def _do(plan: Plan, run: Run, say: Callable[[str], None]) -> str:
    """Train, test and measure; return what went wrong, empty if all went well."""
    before = read_record(run.folder) or {}
    record = {**_identity(plan, run), "state": "started", "hardware": hardware(), "created": now()}
    record["is_trained"] = before.get("is_trained", False)
    try:
        _await_pace(plan, run, say)
        record["max_iters"] = iterations_of(plan, run.model)
        _write_record(run.folder, record)
        options = training_options(run.model, record["max_iters"])
        checkpoint_path = run.folder / f"iter_{record['max_iters']}.pth"
        if not (record["is_trained"] and checkpoint_path.is_file()):
            is_new = not any(run.folder.glob("iter_*.pth"))
            say(f"{'training' if is_new else 'resuming the training of'} {record['max_iters']} iterations")
            _call(plan, run, "train", [run.model.given, "--seed", str(run.seed), "--resume", "auto"], options)
            record["is_trained"] = True
            _write_record(run.folder, record)
        say("evaluating")
        _call(plan, run, "test", [run.model.given, str(checkpoint_path), "--no-report", "--no-check"], options)
        folder = find_results(run.folder)  # the newest results are those of this test
        record["results"], results = describe_results(run, folder), read_results(folder)
        say("measuring the latency")
        data = results.summary["data"]
        photograph = Path(results.images[0]["path"])
        record["latency"] = measure_latency(checkpoint_path, photograph, data.get("exif") or "apply", data.get("bits"))
    except (ChildProcessError, SemsegError) as error:
        record |= {"state": "failed", "fault": str(error)}
    except Exception as error:  # a bug with one model: the others are compared
        path = run.folder / _TRACEBACK
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(traceback.format_exc())
        record |= {"state": "failed", "fault": f"{type(error).__name__}: {error} (see {path})"}
    else:
        record["state"] = "finished"
        say(f"mIoU {results.summary['scores']['mIoU']['value']:.2f} %")
    _write_record(run.folder, record)
    return str(record.get("fault", ""))


def _call(plan: Plan, run: Run, program: str, words: list[str], options: list[str]) -> None:
    """Run a program on the run.

    Raises:
        ChildProcessError: it failed; the message is the program's own if it has one.
    """
    words = ["-m", "semseg", program, *words, "--work-dir", str(run.folder)]
    output_path = run.folder / _OUTPUTS[program]
    ended = run_python([*words, *command_words(run.model, plan.options, options)], output_path)
    if ended.exit_code:
        raise ChildProcessError(f"{program} {describe_failure(ended)}")


def _identity(plan: Plan, run: Run) -> dict[str, Any]:
    """Return what must be the same when a run is continued."""
    return {
        "schema": SCHEMA,
        "digest": run.model.digest,
        "data": run.model.data["sha256"],
        "budget": str(plan.budget),
        "seed": run.seed,
    }


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    with atomic_path(folder / _RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
