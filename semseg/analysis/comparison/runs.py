"""Train and evaluate the models of a comparison, one process after the other; what is finished is not repeated.

Every run has its own folder. `comparison_run.json` in it says what the run is, and how far it is. Several machines that
share the folder of the comparison take different runs: each run is claimed with a file.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from semseg.analysis.comparison.latency import measure_latency
from semseg.analysis.comparison.pace import iterations_of, read_pace
from semseg.analysis.comparison.plan import Plan, Run, command_words, training_options
from semseg.analysis.report.collect import find_results
from semseg.checkpoints.facts import hardware, now
from semseg.errors import InvalidInputError, SemsegError
from semseg.evaluation.results import read_results
from semseg.system.atomic import atomic_path
from semseg.system.child_process import describe_failure, run_python
from semseg.system.claims import holder_of, take_claim

SCHEMA = 1
_RECORD = "comparison_run.json"
_WAIT_S = 1.0
_OUTPUTS = {"train": "train_output.txt", "test": "test_output.txt"}


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
    `measure_latency`.
    """
    path = folder / _RECORD
    return json.loads(path.read_text()) if path.is_file() else None


def check_same_comparison(plan: Plan) -> None:
    """Check that the runs which have a checkpoint have the budget, the configs and the data of the plan.

    Raises:
        ValueError: a run differs; the message says in what.
    """
    for run in plan.runs():
        record = read_record(run.folder)
        if record is None or not any(run.folder.glob("*.pth")):  # nothing is trained yet
            continue
        expected = _identity(plan, run)
        for key, what in (("schema", "format"), ("budget", "budget"), ("digest", "config"), ("data", "data")):
            if record[key] != expected[key]:
                values = f" ({record[key]}, now {expected[key]})" if key == "budget" else ""
                raise InvalidInputError(
                    f"{run.folder} was trained with another {what}{values}: give the same again, or another `out_dir`",
                    code="E-input-used",
                )


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
    record = read_record(run.folder)
    if record is not None and record["state"] == "finished":
        say("finished before")
        return ""
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
        results = read_results(find_results(run.folder))
        say("measuring the latency")
        data = results.summary["data"]
        photograph = Path(results.images[0]["path"])
        record["latency"] = measure_latency(checkpoint_path, photograph, data.get("exif") or "apply", data.get("bits"))
    except (ChildProcessError, SemsegError) as error:
        record |= {"state": "failed", "fault": str(error)}
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
