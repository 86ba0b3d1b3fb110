"""Make a plan: measure the set, choose by rules, try a step, choose what depends on its time, and write it all."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from semseg.checkpoints.facts import hardware
from semseg.datasets.dataset_file import DatasetFile, read_dataset_file
from semseg.datasets.dataset_writing import write_division, write_text
from semseg.datasets.folds import divide_into_folds, group_pictures
from semseg.datasets.pairs import Pair, find_pairs
from semseg.errors import InvalidDataError, InvalidInputError
from semseg.planning import picture_rules, schedule_rules
from semseg.planning.choice import Choice
from semseg.planning.fingerprint import Fingerprint, take_fingerprint
from semseg.planning.machine_facts import Machine, Trial
from semseg.planning.options import PlanOptions
from semseg.planning.pretrained import choose_pretrained, find_pretrained
from semseg.planning.trial import run_trial
from semseg.planning.writing import config_text
from semseg.system.atomic import check_folder
from semseg.system.machine import available_memory_bytes, num_cpus

VALIDATION_PART = 5  # without a split `val`, about a fifth of the training pictures is used for it
# before the first step; it decides only how strong the augmentation is in the trial
_FIRST_GUESS, _GUESSED_ITERS = Trial(0.0, 0.02, 0.0, 0.0, 0, 4), 1000


@dataclass(frozen=True)
class Plan:
    """A plan that was written.

    Attributes:
        path: of the config.
        choices: in the order of the table.
        fingerprint: of the set.
        machine: that it is for.
        trial: of the planned steps.
    """

    path: Path
    choices: tuple[Choice, ...]
    fingerprint: Fingerprint
    machine: Machine
    trial: Trial


class Composed(NamedTuple):
    """What the rules make of the figures.

    Attributes:
        choices: in the order of the table.
        text: of the config.
        passes: over the set.
    """

    choices: tuple[Choice, ...]
    text: str
    passes: float


def make_plan(dataset: str | Path, options: PlanOptions, say: Callable[[str], None] = lambda line: None) -> Plan:
    """Plan a training on a dataset.yaml and write its config, and beside it a JSON file with all figures.

    Args:
        dataset: a dataset.yaml, or its folder. Its split `test` is not read.
        options: of the plan.
        say: called with a line for each step.

    Raises:
        FileNotFoundError, ValueError: the set, an option or the device cannot be used.
        ChildProcessError: the planned step fails.

    ```python
    plan = make_plan("data/cracks", PlanOptions(out=Path("cracks.py"), minutes=20))
    ```
    """
    _check_options(options)
    machine = describe_machine(options.device)
    pretrained = find_pretrained(options.pretrained)
    rules = read_dataset_file(dataset)
    source, split_note = _with_validation(rules, options.out)
    say(f"measuring {len(find_pairs(rules, 'train').pairs)} pictures")
    fingerprint = take_fingerprint(source, _groups)
    command = shlex.join(
        ["semseg", "plan", str(dataset), "--minutes", f"{options.minutes:g}", "--out", str(options.out)]
    )

    def compose(trial: Trial, passes: float) -> Composed:
        return compose_plan(
            fingerprint, machine, trial, options, command, passes=passes, split_note=split_note, pretrained=pretrained
        )

    # the first trial is that of the network for long trainings; in a short one another may be better
    guess = _FIRST_GUESS._replace(step_s=60 * options.minutes / _GUESSED_ITERS)
    composed = compose(guess, math.inf)
    say("trying some steps")
    trial = _try(composed.text, options.out, machine)
    passes = compose(trial, math.inf).passes
    if (
        picture_rules.choose_network(fingerprint, passes).value
        is not picture_rules.choose_network(fingerprint, math.inf).value
    ):
        say("trying some steps of another network")
        trial = _try(compose(trial, passes).text, options.out, machine)
    composed = compose(trial, passes)
    write_text(options.out, composed.text)
    record = {
        "command": command,
        "fingerprint": fingerprint.to_plain_data(),
        "machine": {**machine._asdict(), "hardware": hardware()},
        "trial": trial._asdict(),
        "choices": [{"name": c.name, "choice": c.shown, "reason": c.reason} for c in composed.choices],
    }
    write_text(options.out.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    return Plan(options.out, composed.choices, fingerprint, machine, trial)


def compose_plan(
    fingerprint: Fingerprint,
    machine: Machine,
    trial: Trial,
    options: PlanOptions,
    command: str,
    *,
    passes: float = math.inf,
    split_note: str = "",
    pretrained: Path | None = None,
) -> Composed:
    """Apply all rules; equal arguments give equal results.

    Args:
        fingerprint: of the set.
        machine: that trains.
        trial: of the steps of the network that the rules choose.
        options: of the plan.
        command: for the head of the config.
        passes: over the set, that the network for long trainings would make.
        split_note: a sentence about the validation pictures.
        pretrained: a file of weights.
    """
    stride = picture_rules.choose_stride(fingerprint)
    network = picture_rules.choose_network(fingerprint, passes)
    changed, start = choose_pretrained(network.value, pretrained, options.pretrained is not None)
    if changed is not network.value:
        network = network._replace(value=changed, shown=changed.title)
    scale = picture_rules.choose_scale(fingerprint, network.value, machine)
    crop = picture_rules.choose_crop(fingerprint, scale.value, network.value, machine)
    batch = schedule_rules.choose_batch(fingerprint, crop.value, scale.value, machine)
    batch = schedule_rules.fit_batch(batch, trial, machine)
    num_val = fingerprint.num_pictures.get("val", 0)
    validations = schedule_rules.choose_validations(num_val, options.minutes, trial)
    iterations = schedule_rules.choose_iterations(options.minutes, validations.value, num_val, trial, batch.value)
    own_passes = schedule_rules.count_passes(iterations.value, batch.value, crop.value, scale.value, fingerprint)
    choices = [
        stride,
        network,
        start,
        scale,
        crop,
        picture_rules.choose_normalisation(fingerprint, start.value is not None),
        picture_rules.choose_loss(fingerprint, machine),
        picture_rules.choose_scale_range(fingerprint, own_passes, network.value),
        picture_rules.choose_flips(fingerprint, crop.value),
        picture_rules.choose_colors(fingerprint, own_passes),
        picture_rules.choose_rare_crops(fingerprint, own_passes),
        batch,
        schedule_rules.choose_workers(trial, batch.value, machine),
        validations._replace(reason=f"{validations.reason} {split_note}".strip()),
        iterations,
        schedule_rules.choose_rate(batch.value),
        schedule_rules.choose_decay(own_passes),
        schedule_rules.choose_averaging(),
        schedule_rules.choose_folds(fingerprint, num_val, str(options.out)),
    ]
    text = config_text(
        {choice.name: choice for choice in choices},
        out=options.out,
        command=command,
        dataset_file=fingerprint.dataset,
        num_classes=len(fingerprint.classes),
        has_test="test" in fingerprint.num_pictures,
        largest_share=max(figures.pixel_share for figures in fingerprint.classes),
        is_one_size=scale.value == fingerprint.size[::-1]
        and {fingerprint.smallest_side, fingerprint.largest_side} == {min(fingerprint.size), max(fingerprint.size)},
    )
    return Composed(tuple(choices), text, own_passes)


def _try(text: str, out: Path, machine: Machine) -> Trial:
    """Try the steps of a config with this text, which is written beside the plan for that time."""
    path = out.with_name(f".{out.stem}.trial.py")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return run_trial(path, machine.device)
    finally:
        path.unlink(missing_ok=True)


def describe_machine(device: str) -> Machine:
    """Return what is known of the machine.

    Raises:
        ValueError: there is no such device.
    """
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise InvalidInputError("`device` cuda: this machine has no GPU that PyTorch can use", code="E-input-device")
    if has_gpu and device != "cpu":
        free, _ = torch.cuda.mem_get_info()
        return Machine("cuda", torch.cuda.get_device_name(), num_cpus(), free)
    return Machine("cpu", str(hardware()["cpu"]), num_cpus(), available_memory_bytes())


def _check_options(options: PlanOptions) -> None:
    if not 0 < options.minutes < math.inf:
        raise InvalidInputError(f"`minutes` {options.minutes:g}: expected a number above 0", code="E-input-range")
    if options.out.suffix != ".py":
        raise InvalidInputError(f"`out` {options.out}: a config is a Python file; expected *.py", code="E-input-value")
    check_folder(options.out.parent, "out")


def _groups(rules: DatasetFile, pairs: Sequence[Pair]) -> tuple[str, dict[str, int]]:
    rule, groups = group_pictures(rules, pairs)
    sizes: dict[str, int] = {}
    for group in groups:
        sizes[group] = sizes.get(group, 0) + 1
    return rule, sizes


def _with_validation(rules: DatasetFile, out: Path) -> tuple[Path, str]:
    """Return a dataset.yaml with the splits `train` and `val`, and a sentence if it had to be made.

    Raises:
        ValueError: the set has no split `train`, or too few pictures to divide it.
    """
    if "train" not in rules.splits:
        raise InvalidDataError(
            f"{rules.path} has no split 'train', only {', '.join(rules.splits)}; a plan measures it",
            code="E-data-split",
        )
    if "val" in rules.splits:
        return rules.path, ""
    pairs = find_pairs(rules, "train").pairs
    num_groups = len(set(group_pictures(rules, pairs)[1]))
    rule, folds = divide_into_folds(rules, max(2, min(VALIDATION_PART, num_groups)))
    splits: dict[str, Any] = {
        "train": sorted(pair for fold in folds[1:] for pair in fold),
        "val": folds[0],
    }
    if "test" in rules.splits:
        splits["test"] = find_pairs(rules, "test").pairs
    path = out.with_name(f"{out.stem}_data") / "dataset.yaml"
    write_division(rules.path, splits, path)
    return path, (
        f"{rules.path} has no split 'val': {len(folds[0])} of {len(pairs)} training pictures are used, divided by"
        f" {rule} ({path})."
    )
