"""Segment a folder of photographs, with masks and overlays: a whole process.

Also measured: without overlays, and only the network, with the same number of noise images and without output. Weights
are random and the same on all sides. Environment variables besides those of the other benchmarks: BENCH_IMAGES (number
of images, default 20), BENCH_PRECISION (of our side, default auto), BENCH_OPENVINO (such as bf16,int8: tools/infer.py
with exported models of these precisions, too).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from bench import CONFIG, ROOT, Contender, Floor, picture_size
from bench.processes import run_module, run_program

STOCK = """
import sys
from mmseg.apis import MMSegInferencer
config, checkpoint, images, out_dir, device = sys.argv[1:]
MMSegInferencer(model=config, weights=checkpoint, device=device)(images, out_dir=out_dir)
"""
NETWORK = """
import sys
import numpy as np
import torch
from semseg import Segmenter
from semseg.inference.precision import autocast
config, checkpoint, precision, device, count, width, height = sys.argv[1:]
predictor = Segmenter(checkpoint, config, precision=precision, device=device).predictor
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
    width, height = picture_size("512x256")
    count = int(os.environ.get("BENCH_IMAGES", "20"))
    precision = os.environ.get("BENCH_PRECISION", "auto")
    prepared = run_module("bench.infer", folder, width, height, count, precision)
    device = prepared["device"]

    common = [CONFIG, folder / "random.pth", prepared["images"]]
    options = ["--out-dir", folder / "ours", "--precision", precision, "--device", device]
    ours = [ROOT / "tools/infer.py", *common, *options]
    work = (count, "images")
    floor = Floor(*prepared["floor"])
    programs = {
        "ours": ours,
        "stock": ["-c", STOCK, *common, folder / "stock", device],
        "no overlay": [*ours, "--no-vis"],
        "network": ["-c", NETWORK, *common[:2], precision, device, count, width, height],
    }
    if not stock:
        del programs["stock"]
    for exported in filter(None, os.environ.get("BENCH_OPENVINO", "").split(",")):
        path = folder / f"{exported}.xml"
        run_module("bench.infer", folder, path)
        programs[f"OpenVINO {exported}"] = [ROOT / "tools/infer.py", path, prepared["images"], *options[:2]]
    sides = {
        side: Contender(lambda command=command: _run(command, folder), work=work) for side, command in programs.items()
    }
    sides["ours"] = sides["ours"]._replace(floor=lambda: floor)
    return {f"{CONFIG.stem.split('_4x')[0]}, {count} images of {width}x{height}": sides}


def _run(command: list, folder: Path) -> float:
    for side in ("ours", "stock"):
        shutil.rmtree(folder / side, ignore_errors=True)
    return run_program(command, folder)


def main(folder: Path, width: int, height: int, count: int, precision: str) -> dict:
    """Write the images and a checkpoint with random weights, and measure the floor of our side.

    This is done in a process of its own: the memory of a program counts from the size of the process that starts it.
    """
    import numpy as np

    from bench import floor
    from bench.pictures import write_cityscapes
    from semseg import Segmenter

    images = write_cityscapes(folder, "val", count, (width, height))
    write_checkpoint(folder / "random.pth")
    segment = Segmenter(folder / "random.pth", CONFIG, precision=precision, device=str(floor.device()))
    image = np.zeros((height, width, 3), np.uint8)
    num_macs = count * floor.count_macs(lambda: segment(image))
    measured = floor.measure(num_macs, segment.predictor.precision)
    return {"images": str(images), "device": str(floor.device()), "floor": measured}


def write_exported(folder: Path, path: Path) -> dict:
    """Write an OpenVINO model of the checkpoint for images of any size; its name is the precision.

    Nothing compares it with PyTorch: the scores of random weights are so close that rounding changes most classes.
    """
    from semseg.checkpoints.reading import read_checkpoint
    from semseg.config import for_inference, load_config
    from semseg.datasets.image_files import read_image
    from semseg.export.model_file import facts_of, trace
    from semseg.export.onnx_file import write_onnx
    from semseg.export.openvino_file import describe_openvino, write_openvino
    from semseg.export.traceable import Traceable
    from semseg.inference import Predictor
    from semseg.system.folders import walk_files

    checkpoint = folder / "random.pth"
    content = read_checkpoint(checkpoint)
    cfg = for_inference(load_config(CONFIG), checkpoint, content)
    predictor = Predictor(cfg, checkpoint, "cpu", content=content)
    network = Traceable(predictor.model, cfg)
    write_onnx(trace(network, None), folder / "random.onnx")
    pictures = sorted(file for file in walk_files(folder / "leftImg8bit") if file.suffix == ".png")
    calibration = [read_image(file)[:512, :1024] for file in pictures[:4]]
    write_openvino(folder / "random.onnx", path, calibration if path.stem == "int8" else None)
    facts = {**facts_of(predictor, cfg, content, checkpoint), "precision": path.stem, "size": None, "scale": None}
    describe_openvino(path, facts)
    return {}


def write_checkpoint(path: Path) -> None:
    """Write random weights for the model of BENCH_CONFIG."""
    import torch
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    from semseg.config import load_config
    from semseg.config.from_checkpoint import leave_out_pretrained
    from semseg.labels import CITYSCAPES

    cfg = load_config(CONFIG)
    leave_out_pretrained(cfg.model)
    init_default_scope("mmseg")
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    names = {"classes": CITYSCAPES.classes, "palette": CITYSCAPES.palette}
    torch.save({"meta": {"dataset_meta": names}, "state_dict": model.state_dict()}, path)


if __name__ == "__main__":
    given_folder, *numbers, asked = sys.argv[1:]
    if numbers:
        print(json.dumps(main(Path(given_folder), *map(int, numbers), asked)))
    else:
        print(json.dumps(write_exported(Path(given_folder), Path(asked))))
