"""Validate the model of BENCH_CONFIG as in a training, and count pixels in the metric alone: 19 classes, one thread."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from bench import CONFIG, Contender, picture_size
from bench.processes import ENVIRONMENTS, Server, serve

HEIGHT, WIDTH = 1024, 2048  # of the images for the metric
NUM_IMAGES = 4
NUM_PICTURES = 8
SIZE = "512x256"  # default of BENCH_SIZE


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Return a validation with loader, network and metric, and the `process` of both metrics.

    The metrics count images of blocks with a tenth of wrong pixels, and images of noise, the worst case for the CPU
    cache.
    """
    import numpy as np

    from bench.pictures import write_cityscapes

    write_cityscapes(folder, "val", NUM_PICTURES, picture_size(SIZE))
    work = (NUM_PICTURES, "images")
    validations = {}
    for side in ("ours", "stock") if stock else ("ours",):
        server = Server(ENVIRONMENTS[side], "bench.val", side, folder)
        validations[side] = Contender(server.run, work=work, floor=server.floor)
    rng = np.random.default_rng(0)
    return {
        f"validation of {CONFIG.stem}": validations,
        "metric, streets": _metrics(stock, _samples(rng, 32)),
        "metric, noise": _metrics(stock, _samples(rng, 1)),
    }


def _metrics(stock: bool, samples: list[dict]) -> dict[str, Contender]:
    import torch

    from semseg import compat

    compat.repair()
    from mmseg.evaluation import IoUMetric

    import semseg.plugins  # noqa: F401  registers
    from semseg.evaluation.metric import ConfusionMetric
    from semseg.labels import CITYSCAPES

    torch.set_num_threads(1)
    sides = {}
    for side, metric in {"ours": ConfusionMetric(), **({"stock": IoUMetric()} if stock else {})}.items():
        metric.dataset_meta = {"classes": CITYSCAPES.classes, "palette": CITYSCAPES.palette}

        def run(metric=metric) -> None:
            metric.process({}, samples)

        sides[side] = Contender(run, lambda metric=metric: metric.results.clear(), (NUM_IMAGES, "images"))
    return sides


def _samples(rng, block_px: int) -> list[dict]:
    """Return samples as a model passes them to a metric: predictions int64, targets uint8 with ignored pixels."""
    import numpy as np
    import torch

    from semseg.labels import CITYSCAPES

    num_classes = len(CITYSCAPES.classes)
    samples = []
    for number in range(NUM_IMAGES):
        blocks = rng.choice([*range(num_classes), 255], (HEIGHT // block_px, WIDTH // block_px))
        target = np.kron(blocks, np.ones((block_px, block_px), int)).astype(np.uint8)
        wrong = rng.integers(0, num_classes, target.shape)
        predicted = np.where((rng.random(target.shape) < 0.1) | (target == 255), wrong, target)
        fields = {"gt_sem_seg": torch.from_numpy(target), "pred_sem_seg": torch.from_numpy(predicted)}
        samples.append({name: {"data": ids[None]} for name, ids in fields.items()} | {"img_path": f"{number}.png"})
    return samples


def main(side: str, root: Path) -> None:
    """Validate whenever the parent asks for a run."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    from bench import floor
    from bench.configs import as_stock, use_data
    from semseg import compat
    from semseg.config import load_config
    from semseg.training import for_training

    compat.repair()
    if side == "ours":
        cfg = for_training(use_data(load_config(CONFIG, work_dir=root / side), root))
    else:
        cfg = as_stock(use_data(Config.fromfile(CONFIG, import_custom_modules=False), root))
    runner = Runner(
        model=cfg.model,
        work_dir=str(root / side),
        val_dataloader=cfg.val_dataloader,
        val_cfg=cfg.val_cfg,
        val_evaluator=cfg.val_evaluator,
        custom_hooks=[hook for hook in cfg.custom_hooks if hook["type"] == "ChannelsLastHook"],
        env_cfg=cfg.env_cfg,
        default_scope="mmseg",
        randomness=dict(seed=0),
    )
    runner.model.to(floor.device())
    runner.call_hook("before_run")
    loop = runner.build_val_loop(runner._val_loop)
    inputs = next(iter(loop.dataloader))

    def predict() -> None:
        runner.model.val_step(inputs)

    precision = "tf32" if floor.device().type == "cuda" else "fp32"  # of convolutions, by default
    serve(loop.run, lambda: NUM_PICTURES * _count_without_gradients(predict), precision)


def _count_without_gradients(work: Callable[[], object]) -> int:
    import torch

    from bench import floor

    with torch.no_grad():
        return floor.count_macs(work)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
