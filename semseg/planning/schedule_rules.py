"""Rules for the run: batch, iterations, learning rate, weight decay, validations, workers, averaging, folds."""

from __future__ import annotations

import math

from semseg.errors import InvalidInputError
from semseg.planning.choice import Choice
from semseg.planning.fingerprint import Fingerprint
from semseg.planning.machine_facts import Machine, Trial
from semseg.planning.picture_rules import MANY_PASSES
from semseg.system.machine import format_bytes

BATCH_SIZE = {"cpu": 4, "cuda": 8}  # of configs/camvid, and of the model zoo's configs (4xb2)
SMALLEST_BATCH = 2  # a batch norm needs two pictures where a head pools to one value
SET_SHARE = 0.05  # Isensee et al., "nnU-Net", Nature Methods 2021: a batch covers at most 5 % of the pixels of the set
MEMORY_SHARE = 0.7  # of the free memory: pictures and workers need some, and others use the machine
NUM_VALIDATIONS = 8
VALIDATION_SHARE = 0.1  # of the time
FEWEST_VALIDATIONS = 2
FEWEST_ITERS = 50  # below, the statistics of the batch norms are not settled
LEARNING_RATE, RATE_BATCH = 0.005, 4  # of the recipes for ToyCity and CamVid, AdamW
HIGHEST_RATE = 0.01
SMALL_SET, SMALL_VALIDATION = 200, 30  # pictures
NUM_FOLDS = 5
_ROUNDED_TO = 10  # iterations between validations


def choose_batch(fingerprint: Fingerprint, crop: tuple[int, int], scale: tuple[int, int], machine: Machine) -> Choice:
    """Choose the batch size, before a step was tried.

    Args:
        crop: height, width.
        scale: width, height of a scaled picture.
    """
    size = BATCH_SIZE[machine.device]
    set_pixels = fingerprint.num_pictures[fingerprint.split] * math.prod(scale)
    largest = int(SET_SHARE * set_pixels / math.prod(crop))
    if size <= largest:
        share = size * math.prod(crop) / set_pixels
        return Choice(
            "batch", size, f"{size} crops", f"as in the measured recipes; a step sees {share:.1%} of the set's pixels."
        )
    size = max(SMALLEST_BATCH, largest)
    return Choice(
        "batch",
        size,
        f"{size} crops",
        f"a step sees {size * math.prod(crop) / set_pixels:.1%} of the set's pixels; at most {SET_SHARE:.0%} are"
        f" wanted, and {SMALLEST_BATCH} crops are the fewest that batch norms need.",
    )


def fit_batch(batch: Choice, trial: Trial, machine: Machine) -> Choice:
    """Make the batch smaller if its steps would not fit into memory.

    Raises:
        ValueError: not even the smallest batch fits.
    """
    limit = MEMORY_SHARE * machine.memory_bytes
    needed = f"a step takes {format_bytes(trial.step_bytes)} of {format_bytes(machine.memory_bytes)}"
    if trial.step_bytes <= limit:
        return batch._replace(reason=f"{batch.reason} {needed[0].upper()}{needed[1:]}.")
    size = int(batch.value * limit / trial.step_bytes)
    if size < SMALLEST_BATCH:
        raise InvalidInputError(
            f"{needed} with a batch of {batch.value}, and a batch of {SMALLEST_BATCH} does not fit either; free some"
            " memory, or make the pictures smaller",
            code="E-config-memory",
        )
    return Choice("batch", size, f"{size} crops", f"{needed} with a batch of {batch.value}, which is too much.")


def choose_validations(num_pictures: int, minutes: float, trial: Trial) -> Choice:
    """Choose how often to validate."""
    one_s = max(num_pictures, 1) * trial.picture_s
    affordable = int(VALIDATION_SHARE * 60 * minutes / max(one_s, 1e-9))
    count = max(FEWEST_VALIDATIONS, min(NUM_VALIDATIONS, affordable))
    share = count * one_s / (60 * minutes)
    return Choice(
        "validations",
        count,
        f"{count}",
        f"one takes {one_s:.1f} s ({num_pictures} pictures), all together {share:.1%} of the time"
        + ("." if count == NUM_VALIDATIONS else f"; {NUM_VALIDATIONS} would take more than {VALIDATION_SHARE:.0%}."),
    )


def choose_iterations(minutes: float, num_validations: int, num_val_pictures: int, trial: Trial, batch: int) -> Choice:
    """Choose the number of iterations that fits into the time.

    Raises:
        ValueError: hardly any step fits.
    """
    step_s = trial.step_s * batch / trial.batch_size
    other_s = trial.start_s + num_validations * num_val_pictures * trial.picture_s
    iters = int((60 * minutes - other_s) / step_s)
    if iters < FEWEST_ITERS:
        raise InvalidInputError(
            f"`minutes` {minutes:g}: a step takes {step_s:.2g} s, and start and validations {other_s:.0f} s, so"
            f" {max(0, iters)} steps fit; give {math.ceil((FEWEST_ITERS * step_s + other_s) / 60)} minutes or more",
            code="E-input-range",
        )
    unit = num_validations * (_ROUNDED_TO if iters >= 10 * _ROUNDED_TO * num_validations else 1)
    iters = iters // unit * unit
    return Choice(
        "iterations",
        iters,
        f"{iters}",
        f"{minutes:g} minutes without {other_s:.0f} s for start and validations, {step_s:.3g} s a step.",
    )


def choose_rate(batch: int) -> Choice:
    """Choose the learning rate of AdamW."""
    rate = min(HIGHEST_RATE, float(f"{LEARNING_RATE * math.sqrt(batch / RATE_BATCH):.2g}"))
    return Choice(
        "learning rate",
        rate,
        f"AdamW {rate:g}, warm-up of 1/20, then poly 0.9",
        f"{LEARNING_RATE:g} for a batch of {RATE_BATCH} in the measured recipes, times the square root of the share of"
        " the batch (Malladi et al., 2022).",
    )


def choose_decay(passes: float) -> Choice:
    """Choose the weight decay."""
    if passes < MANY_PASSES:
        return Choice("weight decay", 0.01, "0.01", f"{passes:.0f} passes over the set, as the short CamVid recipe.")
    return Choice("weight decay", 0.05, "0.05", f"{passes:.0f} passes over the set overfit, as the long CamVid recipe.")


def choose_averaging() -> Choice:
    """Choose whether weights are averaged."""
    return Choice(
        "averaged weights",
        False,
        "no",
        "the learning rate falls to nearly 0, which averages as well; `train --ema` helps if a run is stopped early.",
    )


def choose_workers(trial: Trial, batch: int, machine: Machine) -> Choice:
    """Choose the number of processes that load samples."""
    load_s, step_s = batch * trial.sample_s, trial.step_s * batch / trial.batch_size
    count = max(1, min(machine.num_cpus, math.ceil(load_s / step_s)))
    return Choice(
        "workers", count, f"{count}", f"loading a batch takes {load_s:.2g} s of a CPU, a step {step_s:.2g} s."
    )


def choose_folds(fingerprint: Fingerprint, num_val_pictures: int, config: str) -> Choice:
    """Choose whether to suggest cross-validation."""
    count = fingerprint.num_pictures[fingerprint.split]
    if count >= SMALL_SET and num_val_pictures >= SMALL_VALIDATION:
        return Choice("folds", 1, "none", f"{count} pictures to train on, and {num_val_pictures} to validate on.")
    folds = min(NUM_FOLDS, fingerprint.num_groups)
    if folds < 2:
        return Choice("folds", 1, "none", "the pictures are one group, which cannot be divided.")
    return Choice(
        "folds",
        folds,
        f"{folds}, if you have {folds} times the time",
        f"{num_val_pictures} pictures say little about a model; `train {config} --folds {folds}` tests on all {count}.",
    )


def count_passes(
    iters: int, batch: int, crop: tuple[int, int], scale: tuple[int, int], fingerprint: Fingerprint
) -> float:
    """Return how many times a run sees the pixels of the set."""
    set_pixels = fingerprint.num_pictures[fingerprint.split] * math.prod(scale)
    return iters * batch * math.prod(crop) / set_pixels
