"""The programs train, test and predict on pictures that are no RGB of 8 bits."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from semseg import Segmenter
from semseg.training.input_channels import widen
from tests.conftest import CONFIG, run
from tests.datasets.drawn_bands import draw, write_set

SHORT = [
    "--seed", 0, "--cfg-options", "train_cfg.max_iters=2", "train_cfg.val_interval=2", "train_dataloader.batch_size=2",
    "train_dataloader.num_workers=0", "train_dataloader.persistent_workers=False", "val_dataloader.num_workers=0",
    "val_dataloader.persistent_workers=False", "test_dataloader.num_workers=0",
    "test_dataloader.persistent_workers=False", "default_hooks.logger.interval=1",
    "default_hooks.checkpoint.interval=2",
]  # fmt: skip
FROZEN = "optim_wrapper.optimizer.lr=0"  # so that the weights stay those that were loaded
STEM = "backbone.stem.0.weight"

pytestmark = pytest.mark.slow


def weights_of(path):
    return torch.load(path, map_location="cpu", weights_only=False)["state_dict"]


def log_of(work_dir):
    (path,) = work_dir.glob("*/*.log")
    return path.read_text()


def masks_in(folder):
    return {path.stem: np.asarray(Image.open(path)) for path in sorted((folder / "pred").iterdir())}


@pytest.fixture(scope="module", params=["tiff16", "float", "npy", "three"])
def trained_on(request, tmp_path_factory):
    """The folder of a set, and of a run `run` on it."""
    cwd = tmp_path_factory.mktemp(request.param)
    write_set(cwd / "set", request.param)
    done = run(cwd, "train.py", CONFIG, "--data", "set/dataset.yaml", "--work-dir", "run", *SHORT)
    assert "become 0 to 255" in done.stdout + done.stderr
    return cwd


def test_tests_predictions_and_reloaded_models_agree(trained_on):
    run(trained_on, "test.py", "run/iter_2.pth", "--out", "results", "--show-dir", "shown")
    run(trained_on, "infer.py", "run/iter_2.pth", "set/images/val", "--out-dir", "inferred", "--device", "cpu")
    inferred = masks_in(trained_on / "inferred")
    assert sorted(inferred) == ["0", "1"]
    segment = Segmenter(trained_on / "run/iter_2.pth", device="cpu")
    for path in sorted((trained_on / "set/images/val").iterdir()):
        result = segment(path)
        np.testing.assert_array_equal(result.train_ids, inferred[path.stem])
        assert result.overlay().shape == (48, 64, 3)
    targets = {str(number): draw(4 + number, 1, np.float32, 1)[1] for number in range(2)}
    ignored = [inferred[name] == 255 for name in targets]
    right = sum(int((inferred[name] == targets[name]).sum()) for name in targets)
    share = 100 * right / sum(int((~mask).sum()) for mask in ignored)
    (path,) = trained_on.glob("work_dirs/*/test/*_val/results.json")
    assert json.loads(path.read_text())["scores"]["aAcc"]["value"] == pytest.approx(share, abs=0.5)
    assert Image.open(next((trained_on / "shown").rglob("*.jpg"))).mode == "RGB"
    assert Image.open(next((trained_on / "inferred/vis").iterdir())).mode == "RGB"


def test_views_and_tiles_work(trained_on):
    run(trained_on, "test.py", "run/iter_2.pth", "--tta", "--no-report")
    command = ["infer.py", "run/iter_2.pth", "set/images/val", "--device", "cpu", "--out-dir"]
    run(trained_on, *command, "views", "--tta", "flip,0.75,1")
    run(trained_on, *command, "tiles", "--tile", 32)
    if next((trained_on / "set/images/val").iterdir()).suffix == ".tif":
        run(trained_on, *command, "windows", "--tile", 32, "--max-pixels", 100)
        tiles, windows = (masks_in(trained_on / name) for name in ("tiles", "windows"))
        for name, train_ids in tiles.items():
            np.testing.assert_array_equal(windows[name], train_ids)
        with (trained_on / "windows/manifest.csv").open() as file:
            assert {row["status"] for row in csv.DictReader(file)} == {"ok"}


def test_what_does_not_work_ends_with_one_sentence(trained_on):
    done = run(trained_on, "model.py", "export", "run/iter_2.pth", code=2)
    assert "E-input-export" in done.stderr
    done = run(trained_on, "dataset.py", "pack", "set/dataset.yaml", "--out", "packed", code=2)
    assert "E-data-bands" in done.stderr
    done = run(trained_on, "infer.py", "run/iter_2.pth", "set/images/val", "--bits", 12, code=2)
    assert "E-input-no-effect" in done.stderr


def test_weights_for_rgb_are_fitted_to_the_bands(tmp_path, trained):
    write_set(tmp_path / "set", "tiff16")
    checkpoint = next(trained.glob("iter_*.pth"))
    command = ["train.py", CONFIG, "--data", "set/dataset.yaml", "--work-dir"]
    run(tmp_path, *command, "whole", "--load-from", checkpoint, *SHORT, FROZEN)
    options = [
        "model.backbone.init_cfg.type=Pretrained",
        f"model.backbone.init_cfg.checkpoint={checkpoint}",
        "model.backbone.init_cfg.prefix=backbone.",
    ]
    run(tmp_path, *command, "part", *SHORT, FROZEN, *options)
    expected = widen(weights_of(checkpoint)[STEM], 4, rgb=[0, 1, 2])
    for name in ("whole", "part"):
        torch.testing.assert_close(weights_of(tmp_path / name / "iter_2.pth")[STEM], expected)
        assert f"{STEM}: pretrained on 3 channels, fitted to 4" in log_of(tmp_path / name)
