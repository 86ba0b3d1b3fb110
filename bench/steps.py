"""Training steps of BENCH_CONFIG on random pictures of its crop size, in a process of their own.

The settings are words. `ours` is what the config asks for, `stock` the same without precision and layout, as in
MMSegmentation; otherwise (`plain`) everything is off that is not named. `fp16` and `bf16` are mixed precision (`fp16`
with loss scaling; on a CPU both are bf16), `channels_last` is the layout, `fused` one kernel for the whole optimizer,
`cudnn_benchmark` tries cuDNN's algorithms, `tf32` rounds the factors of float32 products to 10 bits, `compile` lets
PyTorch generate code.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NamedTuple

from bench import CONFIG
from bench.processes import serve

NUM_STEPS = 5


class Training(NamedTuple):
    """A model with its optimizer and a batch."""

    model: Any
    optim_wrapper: Any
    batch: dict[str, list]
    precision: str  # of most products

    def step(self) -> None:
        """Make one training step."""
        self.model.train_step({name: list(values) for name, values in self.batch.items()}, self.optim_wrapper)


def build(words: set[str]) -> Training:
    """Build the model with these settings, which are also set in this process."""
    import torch
    from mmengine.model import revert_sync_batchnorm
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    from bench import floor
    from semseg import compat
    from semseg.config import load_config
    from semseg.config.from_checkpoint import leave_out_pretrained

    compat.repair()
    cfg = load_config(CONFIG)
    init_default_scope("mmseg")
    leave_out_pretrained(cfg.model)
    device = floor.device()
    _set_backends(cfg, words)
    torch.manual_seed(0)
    model = revert_sync_batchnorm(MODELS.build(cfg.model)).to(device).train()
    hooks = [hook["type"] for hook in cfg.get("custom_hooks") or []]
    if "channels_last" in words or ("ours" in words and "ChannelsLastHook" in hooks):
        model.to(memory_format=torch.channels_last)
    _set_optim_wrapper(cfg, words, device.type)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    precision = "tf32" if device.type == "cuda" and torch.backends.cudnn.allow_tf32 else "fp32"
    if cfg.optim_wrapper.type == "AmpOptimWrapper":
        precision = "fp16"
    elif getattr(optim_wrapper, "enabled", False):  # of Bf16OptimWrapper
        precision = "bf16"
    return Training(model, optim_wrapper, _batch(cfg), precision)


def compile_parts(model: Any) -> None:
    """Let PyTorch generate code for the parts of the network; the losses between them stay as they are."""
    import torch

    for _, part in model.named_children():
        if "forward" in vars(type(part)) and any(True for _ in part.parameters()):
            part.forward = torch.compile(part.forward)


def _set_backends(cfg: Any, words: set[str]) -> None:
    import torch

    from_config = bool(words & {"ours", "stock"})
    torch.backends.cudnn.benchmark = "cudnn_benchmark" in words or (from_config and cfg.env_cfg.cudnn_benchmark)
    if not from_config:  # else PyTorch's default: for convolutions, not for matrix products
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = "tf32" in words


def _set_optim_wrapper(cfg: Any, words: set[str], device_type: str) -> None:
    wrapper = cfg.optim_wrapper
    if "ours" not in words and wrapper.type == "Bf16OptimWrapper":
        wrapper.pop("enabled", None)
        wrapper.type = "OptimWrapper"
    if "fp16" in words and device_type == "cuda":
        wrapper.update(type="AmpOptimWrapper", loss_scale="dynamic")
    elif words & {"fp16", "bf16"}:
        wrapper.update(type="Bf16OptimWrapper", enabled=True)
    if "fused" in words:
        wrapper.optimizer.fused = True


def _batch(cfg: Any) -> dict[str, list]:
    """Return random pictures with blocks of random classes."""
    import torch
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    from semseg.config.tree import heads, parts_with_type

    steps = parts_with_type(cfg.train_dataloader.dataset)
    height, width = next(step["crop_size"] for step in steps if "crop_size" in step)
    num_classes = heads(cfg.model)[0].num_classes
    batch: dict[str, list] = {"inputs": [], "data_samples": []}
    for _ in range(int(os.environ.get("BENCH_BATCH", cfg.train_dataloader.batch_size))):
        train_ids = torch.randint(num_classes, (1, height // 16, width // 16))
        sample = SegDataSample(metainfo={"img_shape": (height, width), "ori_shape": (height, width)})
        sample.gt_sem_seg = PixelData(data=train_ids.repeat_interleave(16, 1).repeat_interleave(16, 2))
        batch["data_samples"].append(sample)
        batch["inputs"].append(torch.randint(256, (3, height, width), dtype=torch.uint8))
    return batch


def main(words: set[str]) -> None:
    """Make NUM_STEPS steps whenever the parent asks for a run."""
    from bench import floor
    from semseg.system.allocator import keep_freed_memory

    if "ours" in words:
        keep_freed_memory()  # as a training does
    training = build(words)
    num_macs = floor.count_macs(training.step)
    if "compile" in words:
        compile_parts(training.model)

    def work() -> None:
        for _ in range(NUM_STEPS):
            training.step()

    num_images = NUM_STEPS * len(training.batch["inputs"])
    serve(work, lambda: NUM_STEPS * num_macs, training.precision, steps=NUM_STEPS, images=num_images)


if __name__ == "__main__":
    main(set(sys.argv[1:]))
