"""Predict one picture at a time with each runtime: time percentiles, memory, agreement with PyTorch in fp32."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
CHECKPOINT = Path("work_dirs/pspnet_r18-d8_1xb4-1000_toycity-128x256/best.pth")
SIZE = (256, 512)  # height, width
NUM_PICTURES, NUM_CALIBRATION, NUM_ROUNDS, NUM_WARM = 4, 8, 10, 4
BACKENDS = {
    "PyTorch fp32, as MMSegmentation": "torch-call",
    "PyTorch fp32": "torch-fp32",
    "PyTorch bf16": "torch-bf16",
    "ONNX Runtime fp32": "fp32.onnx",
    "ONNX Runtime fp16": "fp16.onnx",
    "ONNX Runtime int8": "int8.onnx",
    "OpenVINO fp32": "fp32.xml",
    "OpenVINO bf16": "bf16.xml",
    "OpenVINO int8": "int8.xml",
}


def table(folder: Path) -> list[str]:
    """Measure every backend in a separate process, with the network of the ToyCity demo."""
    if not CHECKPOINT.is_file():
        raise FileNotFoundError(f"no checkpoint {CHECKPOINT}; python tools/demo.py trains it")
    _draw(folder)
    files = [backend for backend in BACKENDS.values() if backend.endswith((".onnx", ".xml"))]
    for file in files:
        precision, _, suffix = file.partition(".")
        options = ["--format", "onnx" if suffix == "onnx" else "openvino", "--precision", precision]
        options += ["--images", folder / "calibration", "--size", f"{SIZE[0]},{SIZE[1]}"]
        _run(ROOT / "tools/model.py", "export", CHECKPOINT, "--out", folder / file, *options)
    rows = {name: json.loads(_run("-m", "bench.backends", backend, folder)) for name, backend in BACKENDS.items()}
    reference = np.load(folder / "torch-call.npy")
    lines = ["| backend | p50 ms | p95 ms | p99 ms | peak MiB | growth while predicting, MiB | equal pixels |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name, row in rows.items():
        times = " | ".join(f"{value:.1f}" for value in np.percentile(row["times_ms"], (50, 95, 99)))
        equal = 100 * (np.load(folder / f"{BACKENDS[name]}.npy") == reference).mean()
        lines.append(f"| {name} | {times} | {row['peak_mib']:.0f} | {row['growth_mib']:.0f} | {equal:.2f} % |")
    return [*lines, f"{NUM_ROUNDS} times {NUM_PICTURES} pictures of {SIZE[1]} x {SIZE[0]}, after {NUM_WARM} to warm up"]


def measure(backend: str, folder: Path) -> None:
    """Predict the pictures with one backend; print times and memory, and save the train ids."""
    predict = _open(backend, folder)
    pictures = np.load(folder / "pictures.npy")
    before_mib = _peak_mib()
    for picture in pictures[:NUM_WARM]:
        predict(picture)
    times_ms = []
    for _ in range(NUM_ROUNDS):
        predicted = []
        for picture in pictures:
            start_s = time.perf_counter()
            predicted.append(predict(picture))
            times_ms.append(1000 * (time.perf_counter() - start_s))
    peak_mib = _peak_mib()
    np.save(folder / f"{backend}.npy", np.stack(predicted))
    print(json.dumps({"times_ms": times_ms, "peak_mib": peak_mib, "growth_mib": peak_mib - before_mib}))


def _open(backend: str, folder: Path):
    from semseg import compat

    compat.repair()
    from semseg.config import for_inference, load_config
    from semseg.inference import Predictor
    from semseg.inference.backends import open_exported

    if backend.endswith((".onnx", ".xml")):
        return open_exported(folder / backend, "cpu")
    precision = backend.partition("-")[2]
    cfg = for_inference(load_config(CHECKPOINT), CHECKPOINT)
    predictor = Predictor(cfg, CHECKPOINT, "cpu", precision="fp32" if precision == "call" else precision)
    return predictor if precision == "call" else lambda picture: predictor.predict([picture])[0].train_ids


def _draw(folder: Path) -> None:
    from PIL import Image

    from semseg.datasets.toycity import plan_cityscapes, render

    counts = {"val": NUM_PICTURES, "train": NUM_CALIBRATION}
    drawn = [render(picture)[0] for picture in plan_cityscapes(folder, counts, SIZE[::-1], seed=1)]
    np.save(folder / "pictures.npy", np.stack(drawn[:NUM_PICTURES]))
    (folder / "calibration").mkdir()
    for number, image in enumerate(drawn[NUM_PICTURES:]):
        Image.fromarray(image).save(folder / "calibration" / f"{number}.png")


def _run(*command) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, env=environment)
    if process.returncode:
        raise RuntimeError(f"{command[-2:]} failed: {(process.stdout + process.stderr).strip().splitlines()[-1]}")
    return process.stdout


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    measure(sys.argv[1], Path(sys.argv[2]))
