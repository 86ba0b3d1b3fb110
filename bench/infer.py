"""Segment a folder of 2048x1024 photographs with PSPNet-R101, with masks and overlays: a whole process.

Also measured: without overlays, and only the network, with the same number of noise images and without output. Weights
are random and the same on all sides. Environment variables: BENCH_CONFIG (a config file), BENCH_SIZE (such as 512x256),
BENCH_IMAGES (number of images, default 2), BENCH_PRECISION (of our side, default auto).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from bench import Contender
from semseg import config
from semseg.datasets.toycity.write import plan_cityscapes, write_picture
from semseg.labels import CITYSCAPES

ROOT = Path(__file__).parents[1]
R101 = ROOT / "configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py"
STOCK = """
import sys
from mmseg.apis import MMSegInferencer
config, checkpoint, images, out_dir = sys.argv[1:]
device = "cuda:0" if __import__("torch").cuda.is_available() else "cpu"
MMSegInferencer(model=config, weights=checkpoint, device=device)(images, out_dir=out_dir)
"""
NETWORK = """
import sys
import numpy as np
import torch
from semseg import Segmenter
from semseg.inference.precision import autocast
config, checkpoint, precision, count, width, height = sys.argv[1:]
predictor = Segmenter(checkpoint, config, precision=precision).predictor
model, on_gpu = predictor.model, predictor.device.type == "cuda"
image = np.random.default_rng(0).integers(0, 256, (int(height), int(width), 3), np.uint8)
left = int(count)
with torch.inference_mode(), autocast(predictor.precision, predictor.device):
    inputs = model.data_preprocessor(predictor.batch(image))["inputs"].contiguous(memory_format=torch.channels_last)
    while left > 0:
        batch = min(left, max(1, 2**24 // image[..., 0].size) if on_gpu else 1)
        model.decode_head(model.extract_feat(inputs.expand(batch, -1, -1, -1)))
        left -= batch
    if on_gpu:
        torch.cuda.synchronize()
"""


def cases(stock: bool, folder: Path) -> dict[str, dict[str, Contender]]:
    """Measure tools/infer.py, parts of its work, and MMSegInferencer with an output folder."""
    config_path = Path(os.environ.get("BENCH_CONFIG", R101)).resolve()
    width, height = map(int, os.environ.get("BENCH_SIZE", "2048x1024").split("x"))
    count = int(os.environ.get("BENCH_IMAGES", "2"))
    precision = os.environ.get("BENCH_PRECISION", "auto")
    images = folder / "images"
    images.mkdir()
    for picture in plan_cityscapes(folder, {"val": count}, (width, height), seed=0):
        for path in (picture.image_path, picture.label_ids_path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(picture)
        picture.image_path.rename(images / picture.image_path.name)
    checkpoint_path = _random_checkpoint(config_path, folder / "random.pth")

    common = [config_path, checkpoint_path, images]
    ours = [ROOT / "tools/infer.py", *common, "--out-dir", folder / "ours", "--precision", precision]
    work = (count, "images")
    network = ["-c", NETWORK, config_path, checkpoint_path, precision, count, width, height]
    sides = {
        "ours": Contender(lambda: _run(ours, folder), work=work),
        "no overlay": Contender(lambda: _run([*ours, "--no-vis"], folder), work=work),
        "network": Contender(lambda: _run(network, folder), work=work),
    }
    if stock:
        theirs = ["-c", STOCK, *common, folder / "stock"]
        sides["stock"] = Contender(lambda: _run(theirs, folder), work=work)
    return {f"{config_path.stem.split('_4x')[0]}, {count} images of {width}x{height}": sides}


def _random_checkpoint(config_path: Path, path: Path) -> Path:
    cfg = config.load_config(config_path)
    cfg.model.pretrained = None
    init_default_scope("mmseg")
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    names = {"classes": CITYSCAPES.classes, "palette": CITYSCAPES.palette}
    torch.save({"meta": {"dataset_meta": names}, "state_dict": model.state_dict()}, path)
    return path


def _run(command: list, folder: Path) -> float:
    """Run a program and return its peak memory in MiB, at least the memory of this process (Linux)."""
    for side in ("ours", "stock"):
        shutil.rmtree(folder / side, ignore_errors=True)
    log_path = folder / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen([sys.executable, *map(str, command)], stdout=log, stderr=log, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has reaped the process, so Popen need not wait
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {log_path.read_text()[-500:]}")
    return usage.ru_maxrss / 1024
