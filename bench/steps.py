"""Training steps in a process of their own, which is started once and takes its steps when it is asked to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CONFIG = os.environ.get("BENCH_CONFIG", "configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py")
NUM_STEPS = 5
STOCK: dict[str, str | None] = {"OMP_WAIT_POLICY": None, "GOMP_SPINCOUNT": None}
OURS: dict[str, str | None] = {**STOCK, "GOMP_SPINCOUNT": "1000"}  # as semseg.cli.program sets it


class Steps:
    """A process that makes training steps of CONFIG, on random pictures of its crop size.

    Args:
        as_stock: in float32 and PyTorch's default layout, as MMSegmentation trains; otherwise as `tools/train.py` does.
        environment: variables besides those of this process; None removes one.
    """

    def __init__(self, as_stock: bool, environment: dict[str, str | None]) -> None:
        merged = {**os.environ, **environment}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.steps", "stock" if as_stock else "ours"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[1],
            env={name: value for name, value in merged.items() if value is not None},
        )
        self.take()  # it is ready

    def take(self) -> None:
        """Make NUM_STEPS steps.

        Raises:
            RuntimeError: the process has failed.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != "done\n":
            raise RuntimeError(f"the training steps of {CONFIG} failed: python -m bench.steps ours")


def main(as_stock: bool) -> None:
    """Answer each line of the standard input with `done`, after NUM_STEPS steps."""
    import torch
    from mmengine.model import revert_sync_batchnorm
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import init_default_scope
    from mmengine.structures import PixelData
    from mmseg.registry import MODELS
    from mmseg.structures import SegDataSample

    from semseg import compat
    from semseg.config import load_config
    from semseg.config.tree import parts_with_type

    compat.repair()
    cfg = load_config(CONFIG)
    init_default_scope("mmseg")
    if as_stock and cfg.optim_wrapper.type == "Bf16OptimWrapper":
        cfg.optim_wrapper.pop("enabled", None)
        cfg.optim_wrapper.type = "OptimWrapper"
    model = revert_sync_batchnorm(MODELS.build(cfg.model)).train()
    if not as_stock:
        model.to(memory_format=torch.channels_last)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    steps = parts_with_type(cfg.train_dataloader.dataset)
    height, width = next(step["crop_size"] for step in steps if "crop_size" in step)
    num_classes = cfg.model.decode_head.num_classes
    torch.manual_seed(0)
    batch: dict[str, list] = {"inputs": [], "data_samples": []}
    for _ in range(cfg.train_dataloader.batch_size):
        train_ids = torch.randint(num_classes, (1, height // 16, width // 16))
        sample = SegDataSample(metainfo={"img_shape": (height, width), "ori_shape": (height, width)})
        sample.gt_sem_seg = PixelData(data=train_ids.repeat_interleave(16, 1).repeat_interleave(16, 2))
        batch["data_samples"].append(sample)
        batch["inputs"].append(torch.randint(256, (3, height, width), dtype=torch.uint8))
    for _ in sys.stdin:
        for _ in range(NUM_STEPS):
            model.train_step({name: list(values) for name, values in batch.items()}, wrapper)
        print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] == "stock")
