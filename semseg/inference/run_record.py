"""What the results in a folder were made with: model, options and inputs, so that different results are not mixed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semseg.config.options import names_of
from semseg.inference.options import PredictionOptions
from semseg.inference.sources import SourceImage
from semseg.system.atomic import atomic_path
from semseg.system.folders import absolute_path
from semseg.system.objects.addresses import Address

if TYPE_CHECKING:
    from semseg.inference.prediction import ImagePredictor

Record = Mapping[str, Any]
RECORD_NAME = "run.json"
OPTIONS = (
    *("save", *sorted(names_of(PredictionOptions) - {"precision", "backend"}), "bits", "max_pixels", "smooth"),
    *("opacity", "legend", "outlines", "keep_suffix"),
)
"""Options that results depend on. Precision and backend are read from the model: `auto` depends on the machine."""
MASKS_DEPEND_ON = ("checkpoint", "config", "classes", "tta", "tile", "overlap", "smooth", "bits")
_SCHEMA = "semseg.run/1"


def describe_run(
    predictor: ImagePredictor, checkpoint: str | Path, image: SourceImage, options: Mapping[str, object]
) -> Record:
    """Return what the results of a run depend on, as plain data.

    Args:
        predictor: the model.
        checkpoint: the file that it was opened from; in a block of `files_read_once`, it is not read again.
        image: any of the inputs: the names of results are relative to the same folder for all of them.
        options: values of `OPTIONS` by name; others have no effect on results, and are left out.
    """
    from semseg.checkpoints.fingerprint import file_fingerprint, weights_fingerprint
    from semseg.checkpoints.plain import plain
    from semseg.checkpoints.reading import read_checkpoint
    from semseg.inference.backends import model_fingerprint
    from semseg.inference.exported_predictor import ExportedPredictor
    from semseg.inference.predictor import Predictor

    if isinstance(predictor, ExportedPredictor):
        weights, digest = predictor.path, file_fingerprint(predictor.path)
        model = {"config": "", "backend": predictor.backend, "precision": predictor.facts["precision"]}
    else:
        assert isinstance(predictor, Predictor)
        weights, digest = Path(checkpoint), weights_fingerprint(read_checkpoint(checkpoint)["state_dict"])
        model = {"config": model_fingerprint(predictor.cfg), "backend": "torch", "precision": predictor.precision}
    record = {
        "checkpoint": {"name": weights.name, "sha256": digest},
        **model,
        "classes": predictor.classes,
        "palette": predictor.palette,
        "inputs": _folder_of_names(image),
        **{name: options.get(name) for name in OPTIONS},
    }
    return json.loads(json.dumps(plain(record)))


def _folder_of_names(image: SourceImage) -> str:
    """Return the folder, or the address, that the name of a result is relative to."""
    depth = len(image.name.parts)
    if isinstance(image.path, Address):
        return str(image.path).rsplit("/", depth)[0]
    return str(absolute_path(image.path).parents[depth - 1])


def find_difference(record: Record, other: Record, keys: Sequence[str] | None = None) -> str:
    """Return the first difference of two records as `THAT OF RECORD instead of THAT OF OTHER`; empty if they agree.

    Args:
        record: from `describe_run`.
        other: from `describe_run`.
        keys: what is compared; None: everything.
    """
    for key in dict.fromkeys([*record, *other]) if keys is None else keys:
        value, other_value = record.get(key), other.get(key)
        if key == "checkpoint" and value and other_value:
            if value["sha256"] != other_value["sha256"]:
                return f"checkpoint {_short(value)} instead of {_short(other_value)}"
        elif value != other_value:
            if key in ("config", "classes", "palette"):
                return f"another {key}"
            if key == "inputs":
                return f"images below {value} instead of {other_value}"
            return f"`{key}` {_shown(value)} instead of {_shown(other_value)}"
    return ""


def read_record(out_dir: Path) -> Record | None:
    """Return the record of the results in a folder; None if there is none, or if they are of several runs."""
    content = read_plain(out_dir / RECORD_NAME)
    return content["run"] if content.get("schema") == _SCHEMA and isinstance(content.get("run"), dict) else None


def write_record(out_dir: Path, record: Record) -> None:
    """Write the record of all results in a folder."""
    write_plain(out_dir / RECORD_NAME, {"schema": _SCHEMA, "run": record})


def read_plain(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if the file does not exist or does not hold one."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_plain(path: Path, content: Mapping[str, object]) -> None:
    """Write an object as a JSON file, which appears when it is complete."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="ascii")  # which holds every file name, too


def _short(checkpoint: Mapping[str, str]) -> str:
    return f"{checkpoint['name']} ({checkpoint['sha256'][:8]})"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    if value is None or isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
