"""Collect the figures of a comparison: scores with intervals, learning curves, time, memory, parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from semseg.analysis.compare import check_comparable
from semseg.analysis.comparison.pace import read_pace
from semseg.analysis.comparison.plan import Model, Plan
from semseg.analysis.comparison.runs import read_own_results, read_record
from semseg.analysis.curves import Curve, read_curves
from semseg.analysis.model_costs import num_parameters
from semseg.evaluation import scores
from semseg.evaluation.bootstrap import intervals, paired_intervals
from semseg.evaluation.confusion import Areas
from semseg.evaluation.results import Results

SCORES = ("mIoU", "mAcc", "aAcc")
_TOLERANCE = 0.1  # of the budget, by which a training may be shorter or longer without a warning


class Score(NamedTuple):
    """A score of a model: the mean over its seeds, in percent; nan where it is not defined.

    Attributes:
        value: mean over the seeds.
        low, high: 95 % interval of this mean, for another choice of test images.
        seeds: the value of each seed.
    """

    value: float
    low: float
    high: float
    seeds: tuple[float, ...]


class Figures(NamedTuple):
    """The figures of one model.

    Attributes:
        model: of the plan.
        seeds: those that are finished.
        results: of each seed.
        scores: by name, see `SCORES`.
        classes: IoU of each class.
        behind: difference of mIoU to the best model, in percentage points, over the seeds that both have; None for the
            best model, and if they share no seed.
        curves: scalars of each seed, by key.
        iters: of each training.
        planned_step_s: measured before the training; None with a budget of iterations.
        step_s: mean over the training; None if it was not logged.
        peak_bytes: largest memory of a training, of the process on a CPU, else of the GPU; None if it was not logged.
        num_parameters: without auxiliary heads, which only a training needs.
        latency: median over the seeds, see `measure_latency`.
        latency_machine: on which it was measured, see `describe_machine`.
        machines: of each seed.
    """

    model: Model
    seeds: tuple[int, ...]
    results: tuple[Results, ...]
    scores: dict[str, Score]
    classes: list[Score]
    behind: Score | None
    curves: list[dict[str, Curve]]
    iters: int
    planned_step_s: float | None
    step_s: float | None
    peak_bytes: int | None
    num_parameters: int
    latency: Mapping[str, Any]
    latency_machine: str
    machines: tuple[str, ...]

    @property
    def train_s(self) -> float | None:
        """Seconds of one training, without its validations."""
        return None if self.step_s is None else self.iters * self.step_s


def collect_figures(plan: Plan) -> list[Figures]:
    """Collect the figures of all models with a finished run, the best first.

    Raises:
        ValueError: the results are of different images or classes, or damaged.
    """
    figures = [_figures_of(plan, model) for model in plan.models]
    known = sorted((one for one in figures if one is not None), key=lambda one: -one.scores["mIoU"].value)
    for other in known[1:]:
        check_comparable(known[0].results[0], other.results[0])
    return [one._replace(behind=_difference(known[0], one)) if one is not known[0] else one for one in known]


def describe_uneven(plan: Plan, figures: Sequence[Figures]) -> list[str]:
    """Return sentences about what makes the figures uneven.

    One is about different machines; and there is one for each model whose trainings were clearly shorter or longer than
    a budget of minutes.
    """
    by_machine: dict[str, list[str]] = {}
    for one in figures:
        for seed, machine in zip(one.seeds, one.machines, strict=True):
            by_machine.setdefault(machine, []).append(f"{one.model.name} seed {seed}")
    sentences = []
    if len(by_machine) > 1:
        listed = "; ".join(f"{', '.join(runs)} on {machine}" for machine, runs in by_machine.items())
        sentences.append(
            "the runs were made on different machines or with different settings, so their CPU latencies, training"
            f" times and memory cannot be compared: {listed}"
        )
    minutes = plan.budget.minutes
    if minutes is None:
        return sentences
    took = {one.model.name: one.train_s / 60 for one in figures if one.train_s is not None}
    return sentences + [
        f"{name} was trained for {own:.2g} minutes instead of {minutes:g}: the machine was busier than when the step"
        " time was measured, or it was a different machine"
        for name, own in took.items()
        if abs(own - minutes) > _TOLERANCE * minutes
    ]


def shared_machine(figures: Sequence[Figures]) -> str | None:
    """Return the machine that all finished runs were made on; None if there are several."""
    machines = {machine for one in figures for machine in one.machines}
    return machines.pop() if len(machines) == 1 else None


def describe_machine(record: Mapping[str, Any]) -> str:
    """Return what the times of a run depend on: CPU, threads and precision of the latency, and the GPUs."""
    hardware, latency = record["hardware"], record["latency"]
    threads = f"{latency['threads']} thread{'' if latency['threads'] == 1 else 's'}"
    gpus = ", ".join(gpu["name"] for gpu in hardware["gpus"])
    return f"{hardware['cpu']}, {threads}, {latency['precision']}" + (gpus and f" (GPU: {gpus})")


def _figures_of(plan: Plan, model: Model) -> Figures | None:
    runs = [run for run in plan.runs() if run.model is model]
    records = {run.seed: (run, record) for run in runs if (record := read_record(run.folder))}
    finished = {seed: pair for seed, pair in records.items() if pair[1]["state"] == "finished"}
    if not finished:
        return None
    results = tuple(read_own_results(run) for run, _ in finished.values())
    for other in results[1:]:
        check_comparable(results[0], other)
    means, classes = _scores_of(results)
    curves = [read_curves(run.folder) for run, _ in finished.values()]
    pace = read_pace(model)
    by_latency = sorted((record for _, record in finished.values()), key=lambda record: record["latency"]["seconds"])
    median = by_latency[len(by_latency) // 2]
    steps = [times.mean() for of_seed in curves if len(times := _step_times(of_seed))]
    memory = [curve["memory"].values.max() for curve in curves if "memory" in curve]
    return Figures(
        model=model,
        seeds=tuple(finished),
        results=results,
        scores=means,
        classes=classes,
        behind=None,
        curves=curves,
        iters=next(iter(finished.values()))[1]["max_iters"],
        planned_step_s=pace["step_s"] if pace and plan.budget.minutes is not None else None,
        step_s=float(np.mean(steps)) if steps else None,
        peak_bytes=int(max(memory)) * 2**20 if memory else None,
        num_parameters=num_parameters(model.cfg),
        latency=median["latency"],
        latency_machine=describe_machine(median),
        machines=tuple(describe_machine(record) for _, record in finished.values()),
    )


def _step_times(curves: Mapping[str, Curve]) -> np.ndarray:
    """Return the seconds of training steps; where a validation was logged, its own time replaces that of the step."""
    if "time" not in curves:
        return np.empty(0)
    validated = curves["mIoU"].iterations if "mIoU" in curves else []
    return curves["time"].values[~np.isin(curves["time"].iterations, validated)]


def _scores_of(results: Sequence[Results]) -> tuple[dict[str, Score], list[Score]]:
    """Return the scores, and the IoU of each class."""
    joined, mean_scores = _joined(results)
    values = mean_scores(joined.sum())
    bounds = intervals(joined, mean_scores)
    alone = [_scores(one.confusions.areas().sum(), one.summary["absent"]["convention"]) for one in results]

    def score(name: str, place: int | None) -> Score:
        arrays = [values[name], *bounds[name], *(own[name] for own in alone)]
        value, low, high, *seeds = (float(array if place is None else array[place]) for array in arrays)
        return Score(value, low, high, tuple(seeds))

    num_classes = len(results[0].summary["classes"])
    return {name: score(name, None) for name in SCORES}, [score("IoU", place) for place in range(num_classes)]


def _difference(best: Figures, other: Figures) -> Score | None:
    """Return the difference of mIoU of a model to the best one, with a paired interval: the same images are drawn."""
    shared = [seed for seed in best.seeds if seed in other.seeds]
    if not shared:
        return None
    pair = [[one.results[one.seeds.index(seed)] for seed in shared] for one in (best, other)]
    (first, mean_scores), (second, _) = map(_joined, pair)
    low, high = paired_intervals(first, second, mean_scores)["mIoU"]
    before, after = (mean_scores(areas.sum())["mIoU"] for areas in (first, second))
    seeds = zip(*([one.summary["scores"]["mIoU"]["value"] for one in of_model] for of_model in pair), strict=True)
    return Score(float(after - before), float(low), float(high), tuple(b - a for a, b in seeds))


def _joined(results: Sequence[Results]) -> tuple[Areas, Callable[[Areas], dict[str, np.ndarray]]]:
    """Put the areas of all seeds side by side, so that a draw of images is the same for all of them.

    Returns:
        Areas of shape (images, seeds x classes), and the function that computes from such areas the scores of each
        seed and averages them.
    """
    absent = results[0].summary["absent"]["convention"]
    fields = zip(*(one.confusions.areas() for one in results), strict=True)
    joined = Areas(*(np.concatenate(parts, axis=1) for parts in fields))

    def mean_scores(areas: Areas) -> dict[str, np.ndarray]:
        split = zip(*(np.split(field, len(results), axis=-1) for field in areas), strict=True)
        of_seeds = [_scores(Areas(*parts), absent) for parts in split]
        # a class that is nowhere in a draw has no score with any seed: nan stays nan
        return {name: np.mean([of_seed[name] for of_seed in of_seeds], axis=0) for name in of_seeds[0]}

    return joined, mean_scores


def _scores(areas: Areas, absent: scores.Absent) -> dict[str, np.ndarray]:
    means = scores.means(areas, absent)
    return {**{name: means[name] for name in SCORES}, "IoU": scores.iou(areas)}
