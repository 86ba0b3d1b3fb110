"""Measure how time and memory grow with the number of images, their size, the classes, and the loader's workers.

Each point is a process of its own, and the memory is what the process needed beyond what it had before. A time or a
memory that grows with the exponent 1 is linear; below 1 it is better, because a part of it does not grow. Workers
should make a loader faster: exponent -1 is the best.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench import CONFIG, Table
from bench.processes import peak_mib, run_module

WORKERS = "loader workers"
POINTS = {
    "images listed": [10, 100, 1000, 10_000],
    "megapixels segmented": [0.125, 0.5, 2],
    "classes counted": [19, 150, 1000],
    WORKERS: [1, 2, 4],
}
"""What grows, and how much of it there is."""
NUM_PAIRS = 2  # for the loader, 2048x1024
NUM_SAMPLES = 32
CLASSES_SIZE = (256, 512)  # height, width of the label maps for the metric
NUM_ROUNDS = 3


def table(stock: bool, folder: Path) -> Table:
    """Measure both sides of each point, one after the other."""
    points = json.loads(os.environ.get("BENCH_POINTS", "null")) or POINTS
    run_module("bench.growth", "prepare", folder, max(points.get("images listed", [0])))
    rows: list[dict[str, str | float]] = []
    for what, numbers in points.items():
        for number in numbers:
            for side in ("ours", "stock") if stock else ("ours",):
                measured = run_module("bench.growth", what, folder, number, side)
                rows.append({"what": what, "n": number, "side": side, **measured, "samples/s": "-"})
                if what == WORKERS:  # their memory is not counted
                    rows[-1] |= {"MiB": "-", "samples/s": NUM_SAMPLES / measured["s"]}
    return Table(rows, [*_exponents(rows), f"{CONFIG.stem}; shortest of {NUM_ROUNDS} times, after one to warm up"])


def _exponents(rows: list[dict]) -> list[str]:
    """Return a sentence for each quantity and side: the exponents between the two largest numbers."""
    lines = []
    for what, side in dict.fromkeys((row["what"], row["side"]) for row in rows):
        points = [row for row in rows if (row["what"], row["side"]) == (what, side)][-2:]
        if len(points) == 2:
            step = math.log(points[1]["n"] / points[0]["n"])
            exponents = [
                f"{name} {math.log(max(points[1][key], least) / max(points[0][key], least)) / step:.2f}"
                for key, name, least in (("s", "time", 1e-9), ("MiB", "memory", 1.0))
                if points[1][key] != "-"
            ]
            lines.append(f"{what}, {side}: exponents of growth: {', '.join(exponents)}")
    return lines


def draw(table: Table) -> np.ndarray:
    """Draw one panel for the time and one for the memory of each quantity, both axes logarithmic; RGB, uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from semseg.visualization.charts import LINE_COLORS

    quantities = list(dict.fromkeys(row["what"] for row in table.rows))
    figure = Figure(figsize=(3 * len(quantities), 5.6), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(2, len(quantities), squeeze=False)
    for column, what in enumerate(quantities):
        rows = [row for row in table.rows if row["what"] == what]
        for axes, (key, title) in zip(panels[:, column], _axes_of(what), strict=True):
            for color, side in zip(LINE_COLORS, ("ours", "stock"), strict=False):
                points = [(row["n"], row[key]) for row in rows if row["side"] == side]
                if points:
                    axes.plot(*zip(*points, strict=True), color=color, marker="o", markersize=4, label=side)
            numbers = [row["n"] for row in rows if row["side"] == "ours"]
            linear = [max(rows[0][key], 1e-4) * number / numbers[0] for number in numbers]
            if what != WORKERS or key == "samples/s":
                axes.plot(numbers, linear, color="0.6", linestyle=":", label="linear")
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(numbers, [f"{number:g}" for number in numbers])
            axes.xaxis.minorticks_off()
            axes.set_xlabel(what, fontsize=9)
            axes.set_ylabel(title, fontsize=9)
            axes.grid(color="0.92")
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(which="both", labelsize=8, color="0.6")
    panels[0, 0].legend(frameon=False, fontsize=8)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _axes_of(what: str) -> list[tuple[str, str]]:
    """Return the keys of the rows that are drawn, and their titles."""
    second = ("samples/s", "samples/s") if what == WORKERS else ("MiB", "MiB more")
    return [("s", "seconds"), second]


def prepare(folder: Path, num_images: int) -> None:
    """Write what the points read: a set of two pairs, many names of a small pair, and a checkpoint."""
    from bench.infer import write_checkpoint
    from bench.pictures import write_cityscapes, write_set

    write_set(folder / "set", NUM_PAIRS)
    write_checkpoint(folder / "random.pth")
    small = write_cityscapes(folder / "small", "train", 1, (64, 32))
    ((image_path,), (mask_path,)) = (sorted(path.iterdir()) for path in (small, folder / "small/gtFine/train/town"))
    for count in [10**power for power in range(1, 6) if 10**power <= num_images]:
        for kind, path in (("images", image_path), ("masks", mask_path)):
            (folder / f"{count}/{kind}").mkdir(parents=True)
            for number in range(count):
                os.link(path, folder / f"{count}/{kind}/{number:06}.png")
        (folder / f"{count}/dataset.yaml").write_text((folder / "set/dataset.yaml").read_text())


def list_images(folder: Path, number: float, side: str) -> Callable[[], object]:
    """Build a data set, which lists its pairs of files."""
    from mmseg.datasets import BaseSegDataset

    from semseg.datasets.labelled_dataset import FolderSegDataset
    from semseg.labels import CITYSCAPES

    root = folder / f"{number:.0f}"
    if side == "ours":
        return lambda: FolderSegDataset(str(root / "dataset.yaml"), "train")
    prefix = {"img_path": "images", "seg_map_path": "masks"}
    metainfo = {"classes": CITYSCAPES.classes, "palette": CITYSCAPES.palette}
    return lambda: BaseSegDataset(data_root=str(root), data_prefix=prefix, img_suffix=".png", metainfo=metainfo)


def segment(folder: Path, number: float, side: str) -> Callable[[], object]:
    """Segment one photograph, twice as wide as high, with the model of BENCH_CONFIG at the photograph's own size."""
    from mmengine.config import Config
    from mmseg.apis import inference_model, init_model

    from bench import floor
    from bench.configs import as_stock, use_data
    from semseg import Segmenter

    height = round(math.sqrt(number * 2**20 / 2))
    photo = np.random.default_rng(0).integers(0, 256, (height, 2 * height, 3), np.uint8)
    checkpoint, device = folder / "random.pth", str(floor.device())
    cfg = Config.fromfile(CONFIG, import_custom_modules=False)
    for step in cfg.test_pipeline:
        if step["type"] == "Resize":
            step["scale"] = (2 * height, height)
    cfg.test_dataloader.dataset.pipeline = cfg.test_pipeline
    if side == "ours":
        path = folder / f"{CONFIG.stem}_{height}.py"
        cfg.dump(path)
        segmenter = Segmenter(checkpoint, path, device=device)
        return lambda: segmenter(photo)
    model = init_model(as_stock(use_data(cfg, folder)), str(checkpoint), device)
    return lambda: inference_model(model, photo)


def count_classes(folder: Path, number: float, side: str) -> Callable[[], object]:
    """Count the pixels of one prediction of noise in the metric."""
    import torch
    from mmseg.evaluation import IoUMetric

    from semseg.evaluation.metric import ConfusionMetric

    metric = ConfusionMetric() if side == "ours" else IoUMetric()
    metric.dataset_meta = {"classes": [str(train_id) for train_id in range(int(number))]}
    truth, predicted = torch.randint(int(number), (2, 1, *CLASSES_SIZE), generator=torch.Generator().manual_seed(0))
    sample = {"gt_sem_seg": {"data": truth}, "pred_sem_seg": {"data": predicted}, "img_path": "0.png"}

    def count() -> None:
        metric.results.clear()
        metric.process({}, [sample])

    return count


def load(folder: Path, number: float, side: str) -> Callable[[], object]:
    """Load training samples of the model zoo's pipeline, as `bench.data`, in worker processes."""
    from torch.utils.data import DataLoader

    from bench.data import draws, training_set

    order = draws(NUM_SAMPLES, NUM_PAIRS)
    dataset = training_set(folder / "set", fast=side == "ours")
    loader = DataLoader(dataset, sampler=order, num_workers=int(number), collate_fn=list, persistent_workers=True)

    def load_all() -> None:
        for _ in loader:
            pass

    return load_all


MAKERS = dict(zip(POINTS, (list_images, segment, count_classes, load), strict=True))


def main(what: str, folder: Path, number: float, side: str) -> dict[str, float]:
    """Measure one point: the shortest time in seconds, and the memory beyond what the process had."""
    import torch

    from semseg import compat

    compat.repair()
    import semseg.plugins  # noqa: F401  registers

    torch.set_num_threads(1)
    work = MAKERS[what](folder, number, side)
    before_mib = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    times_s = []
    for _ in range(1 + NUM_ROUNDS):
        start_s = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - start_s)
    return {"s": min(times_s[1:]), "MiB": max(0.0, peak_mib() - before_mib)}


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare(Path(sys.argv[2]), int(sys.argv[3]))
        print("{}")
    else:
        print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4])))
