"""Find the tests of a checkpoint: results that `tools/test.py` has written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from semseg.checkpoints.description import classes_of, description_of
from semseg.checkpoints.fingerprint import weights_fingerprint
from semseg.checkpoints.reading import checkpoint_stem
from semseg.errors import InvalidInputError
from semseg.evaluation.results import SCHEMA, read_results


class CheckpointTests:
    """The tests of a checkpoint.

    Args:
        content: of the checkpoint, from `read_checkpoint`.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def find_results(self, checkpoint_path: Path) -> Path | None:
        """Return the folder of the newest test; None if there is none.

        The folder of the checkpoint is searched, and the work folders below `work_dirs/`, where a test of a run with
        another work folder is written. Results that hold a fingerprint of the tested weights have to hold that of these
        weights; older results are known by the name of the checkpoint. A test with test-time augmentation is returned
        only if there is no other.

        Args:
            checkpoint_path: of the checkpoint.
        """
        own = set(checkpoint_path.parent.glob("test/*/results.json"))
        stems = {checkpoint_stem(checkpoint_path), checkpoint_stem(checkpoint_path.resolve())}
        found = []
        for path in own | set(Path("work_dirs").glob("*/test/*/results.json")):
            try:
                summary = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            if not isinstance(summary, dict) or summary.get("schema") != SCHEMA:
                continue
            if self._mismatch(summary) is not None:
                continue
            tested_path = Path(summary["run"]["checkpoint"])
            is_tested = (
                "weights_sha256" in summary["run"]
                or (path in own and checkpoint_stem(tested_path) in stems)
                or tested_path.resolve() == checkpoint_path.resolve()
            )
            if is_tested:
                found.append((not is_with_tta(summary, path.parent), summary["created"], path.parent))
        return max(found)[-1] if found else None

    def read_scores(self, folder: Path) -> dict[str, Any]:
        """Return the content of the `results.json` of a test; its `run` always has `tta`.

        Args:
            folder: of the results, or the path of the file.

        Raises:
            FileNotFoundError: there are no results.
            ValueError: they cannot be read, or are of another model.
        """
        folder = folder.parent if folder.name == "results.json" else folder
        summary = read_results(folder).summary
        mismatch = self._mismatch(summary)
        if mismatch is not None:
            raise InvalidInputError(
                f"`results` {folder}: results of another checkpoint ({mismatch})", code="E-input-results"
            )
        return {**summary, "run": {**summary["run"], "tta": is_with_tta(summary, folder)}}

    @cached_property
    def _fingerprint(self) -> str:
        return weights_fingerprint(self._content["state_dict"])  # about a second for 500 MB

    def _mismatch(self, summary: Mapping[str, Any]) -> str | None:
        """Return what shows that results are of another checkpoint; None if nothing does."""
        content, run = self._content, summary.get("run", {})
        iteration, tested = description_of(content).get("iteration", content["meta"].get("iter")), run.get("iteration")
        if None not in (iteration, tested) and iteration != tested:
            return f"of iteration {tested}, and this one is of iteration {iteration}"
        classes = classes_of(content)
        if classes is not None and list(classes) != list(summary["classes"]):
            return "with other classes"
        if "weights_sha256" in run and run["weights_sha256"] != self._fingerprint:
            return "with other weights"
        return None


def is_with_tta(results: Mapping[str, Any], folder: Path) -> bool:
    """Return whether a test was made with test-time augmentation; older results have it in the name of their folder."""
    return bool(results["run"].get("tta", folder.name.endswith("-tta")))
