"""A model card: what others need to know about published weights, in the format of the Hugging Face Hub.

The card is written from what the checkpoint says about itself and from the results of a test. Absolute paths
are reduced to their last part, and the name of the user who publishes is hidden; see `checkpoints/anonymous.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from semseg.checkpoints.anonymous import anonymous_command, anonymous_text
from semseg.checkpoints.describe import count_parameters, describe_content
from semseg.checkpoints.description import classes_of, description_of
from semseg.checkpoints.reading import checkpoint_stem
from semseg.config.dataset_files import dataset_name

CARD = "README.md"
"""The name of a card on the Hub."""
_LOW_IOU = 50.0  # percent; classes below are named as limits
_NO_LICENSE = "**TO BE FILLED IN by the publisher: the licence of these weights.**"


def model_card(
    content: Mapping[str, Any],
    checkpoint_path: Path,
    published_name: str,
    results: Mapping[str, Any] | None = None,
    license_id: str | None = None,
) -> str:
    """Return a model card: YAML for programs, then Markdown.

    Args:
        content: of the checkpoint, from `read_checkpoint`.
        checkpoint_path: of the checkpoint.
        published_name: name of the file of weights beside the card.
        results: from `read_scores`; None: the card has the scores of the last validation.
        license_id: identifier of the licence of the weights, such as `apache-2.0`; None: a line to be filled in.
    """
    description = description_of(content, checkpoint_path)
    rows = describe_content(content, checkpoint_path)
    config = description.get("config") or {}
    name = Path(str(description.get("config_file") or checkpoint_stem(checkpoint_path))).stem
    loader = config.get("train_dataloader")
    data = dataset_name(loader["dataset"]) if loader else "not recorded"
    classes = classes_of(content) or ()
    parts = [
        _front_matter(name, data, results, description, license_id),
        f"# {name}\n",
        f"A semantic segmentation model: it gives each pixel of a photograph one of {len(classes)} classes"
        f" ({', '.join(map(str, classes))}).\n",
        _table({"model": rows.get("model"), "input": rows.get("input"), "weights": _weights(content, description)}),
        f"**Licence of the weights:** {license_id or _NO_LICENSE}\n",
        "## How to use\n",
        _usage(published_name, name, bool(description)),
        "## Training data\n",
        _table({"data set": data, "images, fingerprint": rows.get("data")}),
        "The fingerprint is computed from the names and sizes of all files, with `semseg`.\n",
        "## Training\n",
        _training(name, rows),
        "## Scores\n",
        _scores(results, description),
        "## Limits\n",
        _limits(data, results, description, rows),
    ]
    return "\n".join(part for part in parts if part)


def _front_matter(
    name: str,
    data: str,
    results: Mapping[str, Any] | None,
    description: Mapping[str, Any],
    license_id: str | None,
) -> str:
    metadata: dict[str, Any] = {"license": license_id} if license_id else {}
    metadata |= {
        "library_name": "semseg",
        "pipeline_tag": "image-segmentation",
        "tags": ["semantic-segmentation", "mmsegmentation", "pytorch"],
    }
    values = {key: score["value"] for key, score in results["scores"].items()} if results else _validated(description)
    kinds = {"mIoU": "mean_iou", "aAcc": "accuracy", "mAcc": "mean_accuracy"}
    note_on_tta = " (test-time augmentation)" if results and results["run"].get("tta") else ""
    metrics = [
        {"type": kind, "name": f"{key}{note_on_tta}", "value": round(value, 2)}
        for key, kind in kinds.items()
        if (value := values.get(key)) is not None
    ]
    if metrics:
        tested = results["data"] if results else {"name": data, "split": "val"}
        dataset = {"name": f"{tested['name']} {tested['split']}", "type": tested["name"], "split": tested["split"]}
        task = {"type": "image-segmentation", "name": "semantic segmentation"}
        metadata["model-index"] = [{"name": name, "results": [{"task": task, "dataset": dataset, "metrics": metrics}]}]
    note = "" if license_id else "# license: FILL IN, such as apache-2.0 or cc-by-nc-4.0\n"
    return f"---\n{note}{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)}---\n"


def _weights(content: Mapping[str, Any], description: Mapping[str, Any]) -> str:
    is_averaged = "ema_state_dict" in content or description.get("weights") == "moving average"
    average = ", moving average (EMA) over the training" if is_averaged else ""
    return f"{count_parameters(content) / 1e6:.2f} million parameters{average}"


def _validated(description: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the scores of the last validation, in percent; empty if there was none."""
    return (description.get("metrics") or {}).get("scores") or {}


def _usage(published_name: str, name: str, is_described: bool) -> str:
    config_argument, config_keyword = ("", "") if is_described else (f"{name}.py ", f', config="{name}.py"')
    return f"""With the package `semseg-toolkit` installed:

```sh
semseg infer {config_argument}{published_name} photographs --out-dir masks
```

```python
from PIL import Image
from semseg import Segmenter

result = Segmenter("{published_name}"{config_keyword})("street.jpg")
print(result.shares())  # the share of each class
Image.fromarray(result.overlay()).save("overlay.png")
```
"""


def _training(name: str, rows: Mapping[str, str]) -> str:
    facts = {"config": f"`{name}`", "schedule": rows.get("schedule")}
    facts |= {"saved": anonymous_text(rows["trained"]) if "trained" in rows else None}
    facts |= {key: rows.get(key) for key in ("versions", "git")}
    command = f"```sh\n{anonymous_command(rows['command'])}\n```\n" if "command" in rows else ""
    return _table(facts) + "\n" + command


def _scores(results: Mapping[str, Any] | None, description: Mapping[str, Any]) -> str:
    if results is not None:
        return _test_scores(results)
    scores = _validated(description)
    if not scores:
        return "No scores are recorded.\n"
    means = {key: f"{scores[key]:.2f}" for key in ("mIoU", "aAcc", "mAcc") if scores.get(key) is not None}
    per_class = {
        key[4:]: f"{value:.2f}" for key, value in scores.items() if key.startswith("IoU/") and value is not None
    }
    return (
        f"**Scores of the validation during the training, after iteration {description['metrics']['iteration']}, not of"
        " a separate test.** They are slightly too high if they were used to choose this checkpoint. In percent,"
        " without intervals:\n\n" + _table(means, "score", "%") + "\n" + _table(per_class, "class", "IoU %")
    )


def _test_scores(results: Mapping[str, Any]) -> str:
    data = results["data"]
    lines = [
        f"Test on {data['name']} {data['split']}, {data['num_images']} images, in percent. {_describe_tta(results)}"
        "The intervals cover 95 % of bootstrap draws over the images; they do not cover other cities, cameras or "
        "seeds.\n",
        "| score | value | 95 % interval |\n|---|---|---|",
    ]
    lines += [
        f"| {key} | {score['value']:.2f} | {_interval(score)} |"
        for key, score in results["scores"].items()
        if score["value"] is not None
    ]
    lines.append("\n| class | IoU | 95 % interval |\n|---|---|---|")
    for row in results["per_class"]:
        value = "not in the test" if row["IoU"] is None else f"{row['IoU']:.2f}"
        lines.append(f"| {_cell(str(row['class']))} | {value} | {_interval(row)} |")
    return "\n".join(lines) + "\n"


def _describe_tta(results: Mapping[str, Any]) -> str:
    if not results["run"].get("tta"):
        return ""
    return (
        "**With test-time augmentation** (`--tta`): the predictions for several views of each image are averaged. "
        "Without it, the scores are usually lower. "
    )


def _interval(score: Mapping[str, Any]) -> str:
    is_known = score.get("low") is not None and score.get("high") is not None
    return f"{score['low']:.2f} to {score['high']:.2f}" if is_known else ""


def _limits(
    data: str, results: Mapping[str, Any] | None, description: Mapping[str, Any], rows: Mapping[str, str]
) -> str:
    if results is not None:
        values = {row["class"]: row["IoU"] for row in results["per_class"]}
        absent = list(results["absent"]["classes"])
    else:
        values = {key[4:]: value for key, value in _validated(description).items() if key.startswith("IoU/")}
        absent = [name for name, value in values.items() if value is None]
    known = {name: value for name, value in values.items() if value is not None and name not in absent}
    low = [name for name in sorted(known, key=lambda name: known[name]) if known[name] < _LOW_IOU]
    limits = [
        f"Trained on {data} only: expect lower scores on photographs of other places, cameras, weather or seasons. "
        "`semseg gap` measures this on photographs without labels.",
        "Every pixel is assigned one of the classes, even if it shows something else.",
        "Not tested for use in driving or other decisions about safety.",
    ]
    if low:
        limits.insert(1, f"IoU below {_LOW_IOU:.0f} %, the lowest first: {', '.join(map(str, low))}.")
    if absent:
        limits.insert(
            1,
            f"These classes do not occur in the {'validation' if results is None else 'test'} images, so their quality"
            f" is unknown: {', '.join(map(str, absent))}.",
        )
    length = ((description.get("config") or {}).get("train_cfg") or {}).get("max_iters")
    if length and description.get("iteration", length) < length:
        limits.append(f"The checkpoint is from iteration {description['iteration']} of {length}.")
    if "missing" in rows:
        limits.append("The file has no description: data, training and scores are not recorded.")
    return "".join(f"- {limit}\n" for limit in limits)


def _table(facts: Mapping[str, str | None], left: str = "", right: str = "") -> str:
    rows = [f"| {_cell(key)} | {_cell(value)} |" for key, value in facts.items() if value]
    return "\n".join([f"| {left} | {right} |", "|---|---|", *rows]) + "\n" if rows else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
