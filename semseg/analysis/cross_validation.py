"""Train and test all folds of a cross-validation, one process after the other; what is finished is not repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from scipy import stats

from semseg.analysis.report.collect import find_results
from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.pairs import Pair, find_pairs
from semseg.errors import MissingInputError, UsedFolderError
from semseg.evaluation.results import Results, read_results
from semseg.system.atomic import atomic_path, check_folder
from semseg.system.child_process import describe_failure, run_python

_RECORD = "fold.json"
_CHECKPOINT = "last.pth"  # not the best one, which would be chosen on the pictures of the test
_CONFIDENCE = 0.95


class Fold(NamedTuple):
    """A fold that was trained and tested.

    Attributes:
        number: from 1.
        checkpoint: the last one of its training.
        held_out: pictures that it was not trained on.
        results: of the test on them.
    """

    number: int
    checkpoint: Path
    held_out: tuple[Pair, ...]
    results: Results


def cross_validate(
    cfg: Config,
    words: Sequence[str],
    num_folds: int,
    out_of_fold: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Fold]:
    """Train and test every fold that is not finished.

    Args:
        cfg: of the training; its `work_dir` gets the folders `fold_1`, `fold_2`...
        words: of the command line of `train`, with `--folds`.
        num_folds: how many.
        out_of_fold: folder for the predicted train ids of all pictures.
        say: called with a line for each step.

    Raises:
        ChildProcessError: a training or a test failed; the message is its own.
        FileExistsError: the folder holds the folds of another command.
        Signal: Ctrl-C or SIGTERM; the training that was interrupted has saved its state.
    """
    root = Path(cfg.work_dir)
    for name, folder in (("work_dir", root), ("out_of_fold", out_of_fold)):
        if folder is not None:
            check_folder(Path(folder), name)
    digest = hashlib.sha256(repr((_identity(cfg), num_folds)).encode()).hexdigest()
    for number in range(1, num_folds + 1):
        folder = root / f"fold_{number}"
        record = _read_record(folder)
        if record and record["digest"] != digest:
            raise UsedFolderError(
                f"{folder} is the fold of another config, data set or number of folds; choose another `work_dir`",
                code="E-config-used-folder",
            )
        title = f"[{number}/{num_folds}]"
        if record and record["state"] == "finished" and (out_of_fold is None or record["out_of_fold"] == out_of_fold):
            say(f"{title} finished before")
            continue
        if not (record and record["state"] != "started"):
            say(f"{title} training")
            _write_record(folder, {"digest": digest, "state": "started"})
            _call("train", [*words, "--fold", str(number), "--resume", "auto"], folder)
            _write_record(folder, {"digest": digest, "state": "trained"})
        say(f"{title} testing")
        outputs = [] if out_of_fold is None else ["--out", out_of_fold]
        _call("test", [str(folder / _CHECKPOINT), "--work-dir", str(folder), "--no-report", *outputs], folder)
        results = find_results(folder).relative_to(folder).as_posix()
        _write_record(folder, {"digest": digest, "state": "finished", "results": results, "out_of_fold": out_of_fold})
    return read_folds(root)


def read_folds(root: Path) -> list[Fold]:
    """Return the finished folds in the work folder of `train --folds`: checkpoints, and what each has not seen.

    Raises:
        FileNotFoundError: there is none.

    ```python
    for fold in read_folds(Path("work_dirs/cracks")):
        segment = Segmenter(fold.checkpoint)
        for pair in fold.held_out:
            probabilities = segment(pair.image_path, probabilities=True).probabilities
    ```
    """
    folds = []
    for folder in sorted(root.glob("fold_*"), key=lambda path: (len(path.name), path.name)):
        record = _read_record(folder)
        if record and record["state"] == "finished":
            held_out = find_pairs(read_dataset_file(folder / "dataset.yaml"), "val").pairs
            results = read_results(folder / record["results"])
            folds.append(Fold(int(folder.name.removeprefix("fold_")), folder / _CHECKPOINT, held_out, results))
    if not folds:
        raise MissingInputError(
            f"no finished fold in {root}; expected the work folder of train --folds", code="E-input-missing"
        )
    return folds


def table(folds: Sequence[Fold]) -> list[str]:
    """Return the scores of all folds as lines: mean, 95 % interval of the mean over folds, and each fold.

    The interval is that of Student's t distribution. The trainings of two folds share most of their pictures, so it is
    a little too narrow (Bengio and Grandvalet, "No Unbiased Estimator of the Variance of K-Fold Cross-Validation",
    JMLR 2004).
    """
    names = ("mIoU", "aAcc")
    rows = {name: [_score(fold.results.summary["scores"][name]["value"]) for fold in folds] for name in names}
    for i, name in enumerate(folds[0].results.summary["classes"]):
        rows[f"IoU {name}"] = [_score(fold.results.summary["per_class"][i]["IoU"]) for fold in folds]
    width = max(map(len, rows)) + 2
    head = "".join(f"{f'fold {fold.number}':>9}" for fold in folds)
    lines = [f"{'':{width}}{'mean':>7}   {'95 % interval':16}{head}"]
    for name, values in rows.items():
        shown = "".join(f"{'-' if np.isnan(value) else f'{value:.2f}':>9}" for value in values)
        lines.append(f"{name:{width}}{_mean_and_interval(values)}{shown}")
    return lines


def _mean_and_interval(values: Sequence[float]) -> str:
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return f"{'-':>7}   {'':16}"
    mean = float(np.mean(known))
    if len(known) < 2:
        return f"{mean:7.2f}   {'':16}"
    half = float(stats.t.ppf((1 + _CONFIDENCE) / 2, len(known) - 1) * np.std(known, ddof=1) / np.sqrt(len(known)))
    interval = f"{max(0.0, mean - half):.2f} to {min(100.0, mean + half):.2f}"
    return f"{mean:7.2f}   {interval:16}"


def _score(value: float | None) -> float:
    return float("nan") if value is None else value


def _identity(cfg: Config) -> str:
    kept = {key: value for key, value in cfg.to_dict().items() if key not in ("work_dir", "launcher", "randomness")}
    return json.dumps(kept, sort_keys=True, default=str)


def _call(program: str, words: Sequence[str], folder: Path) -> None:
    ended = run_python(["-m", "semseg", program, *words], folder / f"{program}_output.txt")
    if ended.exit_code:
        raise ChildProcessError(f"{folder.name}: {program} {describe_failure(ended)}")


def _read_record(folder: Path) -> dict[str, Any] | None:
    path = folder / _RECORD
    return json.loads(path.read_text()) if path.is_file() else None


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    with atomic_path(folder / _RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
