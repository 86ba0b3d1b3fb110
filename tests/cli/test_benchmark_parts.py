"""The parts of bench/ at small sizes; how fast is never asserted."""

import json
import math
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from bench import CONFIG, configs, ddp, floor, growth, measuring, pictures
from bench.processes import OURS, Server, run_program
from semseg.config.tree import parts_with_type
from tests.conftest import REPO


def test_made_photographs_are_as_large_as_those_of_cityscapes(tmp_path):
    pictures.write_set(tmp_path / "set", 1)
    (path,) = (tmp_path / "set/images").iterdir()
    assert 2.1e6 < path.stat().st_size < 2.5e6
    assert Image.open(path).size == (2048, 1024)


def test_photographs_of_a_folder_are_scaled_to_the_wanted_size(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos/red.png"), np.full((20, 30, 3), (0, 0, 200), np.uint8))
    monkeypatch.setenv("BENCH_PHOTOS", str(tmp_path / "photos"))
    folder = pictures.write_cityscapes(tmp_path / "data", "val", 2, (64, 32))
    images = [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]
    assert [image.shape for image in images] == [(32, 64, 3)] * 2
    assert all((image == (200, 0, 0)).all() for image in images)


def test_a_folder_without_photographs_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_PHOTOS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"BENCH_PHOTOS is .*expected a folder of photographs"):
        pictures.write_set(tmp_path / "set", 1)


def test_the_stock_side_has_no_part_of_this_project():
    import semseg.plugins  # noqa: F401  registers
    from semseg import compat

    compat.repair()
    from mmengine.registry import DATASETS, HOOKS, METRICS, OPTIM_WRAPPERS, TRANSFORMS

    cfg = configs.as_stock(Config.fromfile(CONFIG, import_custom_modules=False))
    assert "custom_imports" not in cfg
    for part in parts_with_type(cfg.to_dict()):
        for registry in (DATASETS, HOOKS, METRICS, OPTIM_WRAPPERS, TRANSFORMS):
            registered = registry.get(part["type"])
            assert registered is None or not registered.__module__.startswith("semseg")


def test_multiplications_are_counted_and_the_floor_is_their_time():
    layer = torch.nn.Conv2d(3, 8, 3, bias=False)
    with torch.no_grad():
        assert floor.count_macs(lambda: layer(torch.zeros(2, 3, 12, 12))) == 2 * 100 * 8 * 27
    measured = floor.measure(10**9, "fp32")
    assert measured.time_s > 0
    assert measured.reason.startswith("1 billion multiply-accumulates, ")


def test_the_table_of_all_has_a_row_for_each_comparison():
    def side(*times_s, **more):
        return {"times_s": list(times_s), "peak_mib": [], "work": None, **more}

    floor_of_ours = {"time_s": 1.0, "reason": "as measured"}
    cases = {
        "a": measuring.summarize({"ours": side(2.0, 2.0, floor=floor_of_ours), "stock": side(3.0, 5.0)}),
        "b": measuring.summarize({"ours": side(1.0)}),
    }
    table = measuring.summary_table({"train": cases})
    assert [(row["what is measured"], row["other / ours"], row["of the peak"]) for row in table.rows] == [
        ("a", "2.00 (1.75 to 2.25)", "50 %"),
        ("b", "-", "-"),
    ]
    assert table.notes == ["train, a: floor 1.000 s, ours 2.000 s: 50 % of the peak (as measured)"]
    assert measuring.format_table(table).splitlines()[0].startswith("| station | what is measured | ours |")


def test_growth_is_an_exponent():
    rows = [
        {"what": "images listed", "n": number, "side": "ours", "s": 2.0 * number, "MiB": 8.0, "samples/s": "-"}
        for number in (10, 1000)
    ]
    assert growth._exponents(rows) == ["images listed, ours: exponents of growth: time 1.00, memory 0.00"]


@pytest.mark.slow
def test_growth_measures_each_quantity_on_both_sides_and_draws_it(tmp_path, monkeypatch):
    monkeypatch.setattr(growth, "NUM_SAMPLES", 2)
    growth.prepare(tmp_path, 10)
    rows = []
    for what, number in {
        "images listed": 10,
        "megapixels segmented": 0.03,
        "classes counted": 19,
        growth.WORKERS: 1,
    }.items():
        for side in ("ours", "stock"):
            measured = growth.main(what, tmp_path, number, side)
            assert measured["s"] > 0
            assert math.isfinite(measured["MiB"])
            rows.append({"what": what, "n": number, "side": side, **measured, "samples/s": 1.0})
    drawn = growth.draw(growth.Table(rows, []))
    assert drawn.dtype == np.uint8
    assert drawn.shape[2] == 3


@pytest.mark.slow
def test_processes_send_twice_the_gradients_less_a_share(tmp_path, monkeypatch):
    monkeypatch.setattr(ddp, "NUMBERS", (1, 2))
    first, second = ddp.table(False, tmp_path).rows
    assert first["MB of gradients"] == second["MB of gradients"] > 0
    assert (first["MB sent by each"], second["MB sent by each"]) == (0, second["MB of gradients"])


@pytest.mark.slow
def test_a_server_that_fails_says_why():
    with pytest.raises(
        RuntimeError, match=r"python -m bench\.steps stock failed: ValueError: Expected more than 1 value"
    ):
        Server({**OURS, "BENCH_BATCH": "1"}, "bench.steps", "stock")


def test_a_program_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="ended with 3: no luck"):
        run_program(["-c", "import sys; print('no luck'); sys.exit(3)"], tmp_path)


@pytest.mark.slow
def test_what_a_gpu_shows_can_be_tried_on_a_cpu(tmp_path):
    environment = {
        "BENCH_DEVICE": "cpu", "BENCH_CONFIG": str(CONFIG), "BENCH_SIZE": "256x128", "BENCH_BATCH": "2",
        "BENCH_ROUNDS": "1", "BENCH_IMAGES": "1", "PYTHON": sys.executable,
    }  # fmt: skip
    settings = ["stock AMP", "ours: + fused"]
    done = subprocess.run(
        [REPO / "bench/gpu.sh", tmp_path / "report.json", *settings],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["machine"]["device"] == "CPU"
    assert [row["training"] for row in report["training"]] == settings
    assert all(row["images/s"] > 0 and row["MiB"] > 0 for row in report["training"])
    assert "bound by the" in report["loader"]
    assert {"ours", "stock"} <= report["bench.val"].keys() & report["bench.infer"].keys()
    assert "skipped" in done.stdout  # the tests that need a GPU
