"""Predict one picture at a time with each runtime: time percentiles, memory, agreement with PyTorch in fp32."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from bench import ROOT, Table
from bench.processes import peak_mib, run_module, run_program
from semseg.cli.demo import RECIPE

CHECKPOINT = ROOT / "work_dirs" / RECIPE / "best.pth"
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


def table(stock: bool, folder: Path) -> Table:
    """Measure every backend in a separate process, with the network of the ToyCity demo."""
    if stock:
        raise ValueError("--against has no effect on backends: its first row is the network as MMSegmentation runs it")
    if not CHECKPOINT.is_file():
        raise FileNotFoundError(f"no checkpoint {CHECKPOINT}; python tools/demo.py trains it")
    _draw(folder)
    files = [backend for backend in BACKENDS.values() if backend.endswith((".onnx", ".xml"))]
    for file in files:
        precision, _, suffix = file.partition(".")
        options = ["--format", "onnx" if suffix == "onnx" else "openvino", "--precision", precision]
        options += ["--images", folder / "calibration", "--size", f"{SIZE[0]},{SIZE[1]}"]
        run_program([ROOT / "tools/model.py", "export", CHECKPOINT, "--out", folder / file, *options], folder)
    measured = {name: run_module("bench.backends", backend, folder) for name, backend in BACKENDS.items()}
    reference = np.load(folder / "torch-call.npy")
    rows: list[dict[str, str | float]] = []
    for name, values in measured.items():
        p50, p95, p99 = np.percentile(values["times_ms"], (50, 95, 99)).tolist()
        equal = 100 * (np.load(folder / f"{BACKENDS[name]}.npy") == reference).mean()
        rows.append(
            {
                "backend": name,
                "p50 ms": p50,
                "p95 ms": p95,
                "p99 ms": p99,
                "peak MiB": values["peak_mib"],
                "growth while predicting, MiB": values["growth_mib"],
                "equal pixels": f"{equal:.2f} %",
            }
        )
    note = f"{NUM_ROUNDS} times {NUM_PICTURES} pictures of {SIZE[1]} x {SIZE[0]}, after {NUM_WARM} to warm up"
    return Table(rows, [note])


def measure(backend: str, folder: Path) -> None:
    """Predict the pictures with one backend; print times and memory, and save the train ids."""
    predict = _open(backend, folder)
    pictures = np.load(folder / "pictures.npy")
    before_mib = peak_mib()
    for picture in pictures[:NUM_WARM]:
        predict(picture)
    times_ms = []
    for _ in range(NUM_ROUNDS):
        predicted = []
        for picture in pictures:
            start_s = time.perf_counter()
            predicted.append(predict(picture))
            times_ms.append(1000 * (time.perf_counter() - start_s))
    after_mib = peak_mib()
    np.save(folder / f"{backend}.npy", np.stack(predicted))
    print(json.dumps({"times_ms": times_ms, "peak_mib": after_mib, "growth_mib": after_mib - before_mib}))


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


if __name__ == "__main__":
    measure(sys.argv[1], Path(sys.argv[2]))
