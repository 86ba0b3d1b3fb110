"""The metric: it counts the confusion matrix of every image, and computes all scores from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log
from mmseg.registry import METRICS
from prettytable import PrettyTable

from semseg.datasets.cityscapes.convert import instance_path
from semseg.datasets.image_files import read_mask
from semseg.datasets.index_png import write_index_png
from semseg.errors import InvalidInputError
from semseg.evaluation import scores
from semseg.evaluation.confusion import Areas, Confusions, count_pixels, entries_of
from semseg.evaluation.extras import EXTRAS
from semseg.evaluation.finite import NotFiniteError, refuse_not_finite
from semseg.evaluation.instances import InstanceAreas, weigh_instances
from semseg.evaluation.results import Evaluation
from semseg.system.wording import listing


@METRICS.register_module()
class ConfusionMetric(BaseMetric):
    """Count the confusion matrix of every image, and compute the scores of MMSegmentation's IoUMetric from them.

    The counts are integers, so the scores are the same bit for bit for any order of the images and any number of
    processes. Besides aAcc and the means it returns `IoU/<class>` and `Acc/<class>` in percent, for TensorBoard and
    `save_best='IoU/person'`; nan for a class that is neither in the truth nor in the prediction.

    Args:
        ignore_index: value of the truth that does not count.
        iou_metrics: scores in the table: mIoU (IoU, Acc), mDice (Dice, Acc), mFscore (Fscore, Precision, Recall).
        nan_to_num: replaces undefined scores, which then count in the means; default: they are left out.
        beta: weight of recall in Fscore.
        absent: how a class counts that is predicted, but not in the truth: `zero`, as IoU 0, like in MMSegmentation;
            `leave-out`, not at all.
        extras: breakdowns that are counted in the same pass, see `EXTRAS`.
        output_dir: folder that the predicted train ids are written to, as PNG.
        format_only: only write to `output_dir`; the truth is not needed.

    Attributes:
        output_names: by image path, the name of its PNG in `output_dir`, without suffix; ResultsHook sets it for a
            test. An image that is not in it gets the name of its file.
        evaluation: after `evaluate`: the data that results are written from.
    """

    def __init__(
        self,
        ignore_index: int = 255,
        iou_metrics: Sequence[str] = ("mIoU",),
        nan_to_num: float | None = None,
        beta: int = 1,
        absent: scores.Absent = "zero",
        extras: Sequence[str] = (),
        collect_device: str = "cpu",
        output_dir: str | None = None,
        format_only: bool = False,
        prefix: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if absent not in ("zero", "leave-out"):
            raise InvalidInputError(f"absent is {absent!r}; expected 'zero' or 'leave-out'", code="E-input-choice")
        unknown = [name for name in extras if name not in EXTRAS]
        if unknown:
            raise InvalidInputError(
                f"no breakdown {unknown[0]!r}; there are {', '.join(EXTRAS)}", code="E-input-choice"
            )
        self.ignore_index = ignore_index
        self.iou_metrics = [iou_metrics] if isinstance(iou_metrics, str) else list(iou_metrics)
        self.nan_to_num, self.beta = nan_to_num, beta
        self.absent: scores.Absent = absent
        self.output_dir = Path(output_dir) if output_dir else None
        self.format_only = format_only
        self.extra_names = tuple(extras)
        self.evaluation: Evaluation | None = None
        self.output_names: Mapping[str, Path] = {}
        self._written: dict[Path, Path] = {}
        self._reset()

    def _reset(self) -> None:
        self.results: Any = {}  # by image path, not MMEngine's list: its size, cells, counts, instances
        self._times: Counter[str] = Counter()  # how often each image was evaluated
        self._extras: dict | None = None

    @property
    def _classes(self) -> Sequence[str]:
        assert self.dataset_meta is not None  # set by MMEngine before the first batch
        return self.dataset_meta["classes"]

    @property
    def _palette(self) -> Sequence:
        assert self.dataset_meta is not None
        return self.dataset_meta.get("palette") or ()

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count the pixels of a batch.

        Raises:
            NotFiniteError: the scores of the model are not numbers, so the first class would be predicted everywhere.
            ValueError: a truth holds values outside the classes, or has another size than the prediction.
        """
        num_classes = len(self._classes)
        if self._extras is None:
            self._extras = {name: EXTRAS[name](num_classes, self.ignore_index) for name in self.extra_names}
        for sample in data_samples:
            predicted = sample["pred_sem_seg"]["data"].squeeze(0)
            name = str(sample.get("img_path", len(self.results)))
            if "seg_logits" in sample:
                try:
                    refuse_not_finite(sample["seg_logits"]["data"].amax(dim=0))
                except NotFiniteError as error:
                    remedy = "use a checkpoint from before the training failed, and fp32 instead of 16 bits"
                    raise NotFiniteError(f"{name}: {error}; {remedy}") from error
            if self.output_dir is not None:
                path = self.output_dir / f"{self._output_name(Path(name))}.png"
                self._write(path, predicted.cpu().numpy(), sample.get("reduce_zero_label", False))
            self._times[name] += 1
            if self.format_only or name in self.results:
                continue
            target = sample["gt_sem_seg"]["data"].squeeze(0)
            try:
                matrix = count_pixels(predicted, target, num_classes, self.ignore_index).cpu().numpy()
            except InvalidInputError as error:
                raise InvalidInputError(f"{sample.get('seg_map_path') or name}: {error}", code=error.code) from error
            self.results[name] = (tuple(target.shape), *entries_of(matrix), self._instances(sample, predicted, target))
            if self._extras:
                arrays = predicted.cpu().numpy(), target.cpu().numpy()
                for extra in self._extras.values():
                    extra.update(*arrays, sample["seg_logits"]["data"] if extra.needs_scores else None)

    def _instances(self, sample: dict, predicted: Any, target: Any) -> tuple | None:
        path = instance_path(sample.get("seg_map_path") or "")
        if path is None:
            return None
        instance_ids = np.asarray(read_mask(path, "ignore"))
        if instance_ids.shape != tuple(predicted.shape):  # the pipeline evaluates at another size
            return None
        counted = np.where(target.cpu().numpy() == self.ignore_index, 0, instance_ids)  # not outside of a roi
        return weigh_instances(predicted.cpu().numpy(), counted, self._classes)

    def evaluate(self, size: int) -> dict[str, float]:
        """Gather the counts of all processes, and compute all scores in percent, in every process.

        Args:
            size: number of images of the whole set.

        Raises:
            ValueError: there is no image, or some are missing.
        """
        counts_of_extras = self._extras and {name: extra.counts for name, extra in self._extras.items()}
        parts = all_gather_object((self.results, counts_of_extras, self._times))
        extras = self._extras or {}
        self._reset()
        if self.format_only:
            print_log(f"results are saved to {self.output_dir}", MMLogger.get_current_instance())
            return {}
        by_image = {name: row for results, *_ in parts for name, row in results.items()}
        times = sum((times for *_, times in parts), Counter())
        is_repeated = len(by_image) and size % len(by_image) == 0 and set(times.values()) == {size // len(by_image)}
        if len(by_image) < max(size, 1) and not is_repeated:  # a RepeatDataset repeats all, which changes no score
            raise _incomplete_error(by_image, times, size)
        for name, extra in extras.items():
            for key in extra.counts:
                extra.counts[key] = sum(counts[name][key] for _, counts, _ in parts if counts)
        classes = self._classes
        confusions = Confusions.of(by_image, len(classes))
        instances = [by_image[name][3] for name in confusions.images]
        instance_areas = None
        if None not in instances:
            instance_areas = InstanceAreas(classes, *(np.stack(part) for part in zip(*instances, strict=True)))
        self.evaluation = Evaluation(
            classes,
            self._palette,
            self.ignore_index,
            self.absent,
            confusions,
            {name: extra.summary() for name, extra in extras.items()},
            instance_areas,
        )
        metrics = self.compute_metrics(confusions)
        return {f"{self.prefix}/{name}": value for name, value in metrics.items()} if self.prefix else metrics

    def compute_metrics(self, results: Any) -> dict[str, float]:
        """Return the means and the scores per class, rounded as MMSegmentation does, and log the table.

        Args:
            results: `Confusions` of all images.
        """
        areas = Areas.of(results.total())
        columns = self._columns(areas)
        shown = {name: np.round(values, 2) for name, values in columns.items()}
        if self.nan_to_num is not None:
            columns = {name: np.nan_to_num(values, nan=self.nan_to_num * 100) for name, values in columns.items()}
        metrics = {"aAcc": float(np.round(scores.a_acc(areas), 2))}
        for name, values in columns.items():
            if self.absent == "leave-out":
                values = np.where(areas.truth > 0, values, np.nan)
            metrics[f"m{name}"] = float(np.round(scores.mean_of_defined(values), 2))
        classes = self._classes
        table = PrettyTable()
        table.add_column("Class", list(classes))
        for name, values in shown.items():
            table.add_column(name, [float(value) for value in values])
            metrics |= {f"{name}/{cls}": float(value) for cls, value in zip(classes, values, strict=True)}
        logger = MMLogger.get_current_instance()
        print_log("per class results:", logger)
        print_log("\n" + table.get_string(), logger)
        absent = scores.describe_absent(areas, classes, self.absent)
        if absent:
            print_log(absent, logger)
        return metrics

    def _columns(self, areas: Areas) -> dict[str, np.ndarray]:
        """Return the scores that MMSegmentation's IoUMetric shows for `iou_metrics`, in percent, not rounded."""
        columns: dict[str, np.ndarray] = {}
        for metric in self.iou_metrics:
            if metric == "mIoU":
                columns |= {"IoU": scores.iou(areas), "Acc": scores.recall(areas)}
            elif metric == "mDice":
                columns |= {"Dice": scores.f1(areas), "Acc": scores.recall(areas)}
            elif metric == "mFscore":
                precision, recall = scores.precision(areas), scores.recall(areas)
                with np.errstate(invalid="ignore", divide="ignore"):
                    fscore = (1 + self.beta**2) * precision * recall / (self.beta**2 * precision + recall)
                columns |= {"Fscore": fscore, "Precision": precision, "Recall": recall}
            else:
                raise InvalidInputError(
                    f"iou_metrics holds {metric!r}; expected mIoU, mDice, mFscore", code="E-input-choice"
                )
        return columns

    def _output_name(self, path: Path) -> Path:
        """Return the name of the PNG of an image, and remember it.

        Raises:
            ValueError: the PNG of another image has that name.
        """
        name = self.output_names.get(str(path), Path(path.stem))
        if self._written.setdefault(name, path) != path:
            raise InvalidInputError(
                f"{self._written[name]} and {path} would both be written as {name}.png; tools/test.py --out keeps their"
                " folders",
                code="E-input-names",
            )
        return name

    def _write(self, path: Path, train_ids: np.ndarray, reduce_zero_label: bool) -> None:
        palette = np.reshape([*([(0, 0, 0)] if reduce_zero_label else []), *self._palette], (-1, 3))
        stored = (train_ids.astype(int) + reduce_zero_label).astype(np.uint8)  # 255 becomes 0, which is ignored there
        write_index_png(path, stored, cast("Sequence", palette))  # as an array: a list of no colours has no shape


def _incomplete_error(names: Collection[str], times: Counter[str], size: int) -> InvalidInputError:
    """Return the error that tells why fewer images were evaluated than the set has."""
    if not size:
        return InvalidInputError("0 of 0 images were evaluated: none is left", code="E-input-incomplete")
    repeated = sorted(name for name, count in times.items() if count > 1)
    if sum(times.values()) >= size and repeated:  # all were evaluated, so some must be the same
        return InvalidInputError(
            f"the set lists {size} images, but only {len(names)} different ones; listed more than once:"
            f" {listing(repeated, 1)}; keep one row for each image",
            code="E-input-repeated",
        )
    return InvalidInputError(
        f"{len(names)} of {size} images were evaluated; a process may have ended before its part was done:"
        " run it again",
        code="E-input-incomplete",
    )
