"""Trainings, tests and predictions compared with MMSegmentation's own programs, bit for bit, in fp32 on a CPU.

docs/fidelity.md lists what is compared. MMSegmentation's programs run as they are installed, without this project.
"""

import functools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from PIL import Image

from semseg import Segmenter, compat
from semseg.labels import CITYSCAPES
from tests.conftest import run, run_code
from tests.inference.lively import make_lively, picture
from tests.stock_models import ARCHITECTURES, log_of, run_stock, table_of, write_config

pytestmark = pytest.mark.slow

LENGTH = ["train_cfg.max_iters=4"]  # the schedule of the config ends at 40000
SIZES = [(128, 256), (127, 255), (97, 61), (75, 333)]  # height, width: no multiples of 32, odd, tall, wide


@pytest.fixture(scope="module")
def trained_by_stock(town):
    """A function that returns a config, and the work folder of a training with it by MMSegmentation's program."""

    @functools.cache
    def train(name):
        config, folder = write_config(town, name), town / f"{name}_stock"
        run_stock(town, "train.py", config, "--work-dir", folder, "--cfg-options", *LENGTH)
        return config, folder

    return train


@pytest.fixture(scope="module", params=ARCHITECTURES)
def runs(request, town, trained_by_stock):
    """A config, and the work folders of two trainings with it: by MMSegmentation's program and by ours."""
    config, stock_dir = trained_by_stock(request.param)
    our_dir = town / f"{request.param}_ours"
    command = [config, "--work-dir", our_dir, "--performance", "stock", "--cfg-options", *LENGTH]
    run(town, "train.py", *command)
    return config, stock_dir, our_dir


def finished(folder, name="iter_4.pth"):
    return compat.load_checkpoint_file(folder / name)


def curves(checkpoint):
    """Return the values of every iteration by name: losses, accuracies, learning rate."""
    records = checkpoint["message_hub"]["log_scalars"].items()
    return {
        name: record.data[0].tolist()
        for name, record in records
        if name.startswith("train/") and not name.endswith("time")
    }


def assert_same_training(stock, ours):
    """Assert that two checkpoints hold the same curves, weights, running statistics and state of the optimizer."""
    assert {"train/loss", "train/lr", "train/decode.loss_ce", "train/aux.loss_ce"} <= curves(stock).keys()
    assert curves(ours) == curves(stock)
    assert ours["state_dict"].keys() == stock["state_dict"].keys()
    for name, weights in stock["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], weights), name
    momenta = [[state["momentum_buffer"] for state in each["optimizer"]["state"].values()] for each in (stock, ours)]
    assert all(map(torch.equal, *momenta))


def test_performance_stock_trains_as_mmsegmentation_bit_for_bit(runs):
    _, stock_dir, our_dir = runs
    stock = finished(stock_dir)
    assert len(set(curves(stock)["train/loss"])) == 4
    assert_same_training(stock, finished(our_dir))


EPOCHS = """
train_cfg = dict(_delete_=True, type="EpochBasedTrainLoop", max_epochs=2, val_interval=1)
train_dataloader = dict(batch_size=3, sampler=dict(type="DefaultSampler", shuffle=True), **train_dataloader)
default_hooks = dict(checkpoint=dict(by_epoch=True, interval=1), logger=dict(interval=1))
log_processor = dict(by_epoch=True)
"""


def test_performance_stock_trains_epochs_as_mmsegmentation_bit_for_bit(town):
    config = write_config(town, "pspnet").with_name("epochs.py")
    config.write_text(write_config(town, "pspnet").read_text() + EPOCHS)
    run_stock(town, "train.py", config, "--work-dir", "epochs_stock")
    run(town, "train.py", config, "--work-dir", "epochs_ours", "--performance", "stock")
    stock, ours = (finished(town / f"epochs_{side}", "epoch_2.pth") for side in ("stock", "ours"))
    assert len(curves(stock)["train/loss"]) == 2 * 3  # of 8 images, 3 in a batch
    assert_same_training(stock, ours)


GUARDED = """
custom_imports = dict(imports=["semseg.plugins"])
custom_hooks = [dict(type="GuardHook"), dict(type="PreflightHook"), dict(type="ContactSheetHook", num_samples=2),
                dict(type="PanelHook", num_images=2)]
"""


def test_the_guard_the_trial_and_the_pictures_change_no_number_of_a_run(town, trained_by_stock):
    config, plain_dir = trained_by_stock("pspnet")
    guarded, guarded_dir = config.with_name("guarded.py"), town / "guarded"
    guarded.write_text(config.read_text() + GUARDED)
    run_stock(town, "train.py", guarded, "--work-dir", guarded_dir, "--cfg-options", *LENGTH)
    assert "preflight: training step" in log_of(guarded_dir)
    assert list(guarded_dir.rglob("panels/*.jpg"))
    assert_same_training(finished(plain_dir), finished(guarded_dir))


def test_a_checkpoint_has_the_same_table_in_both_programs(runs, town):
    config, stock_dir, our_dir = runs
    checkpoint = stock_dir / "iter_4.pth"
    folders = [path.with_name(f"{path.name}_test") for path in (stock_dir, our_dir)]
    run_stock(town, "test.py", config, checkpoint, "--work-dir", folders[0])
    run(town, "test.py", config, checkpoint, "--work-dir", folders[1], "--no-report")
    rows, means = table_of(log_of(folders[0]))
    assert len(rows) == 19
    assert table_of(log_of(folders[1])) == (rows, means)
    assert table_of(log_of(stock_dir)) == table_of(log_of(our_dir)) == (rows, means)  # of the last validation


PREDICT = """
import numpy as np
from mmseg.apis import inference_model, init_model
model = init_model({config!r}, {checkpoint!r}, device="cpu")
masks = [inference_model(model, path).pred_sem_seg.data.squeeze(0).numpy().astype(np.uint8) for path in {paths!r}]
np.savez({out!r}, *masks)
"""


def lively_checkpoint(config, path):
    """Write a checkpoint with which all classes are likely."""
    init_default_scope("mmseg")
    model = MODELS.build(Config.fromfile(config).model).eval()
    make_lively(model)
    names = {"classes": CITYSCAPES.classes, "palette": CITYSCAPES.palette}
    torch.save({"meta": {"dataset_meta": names}, "state_dict": model.state_dict()}, path)


def test_a_segmenter_predicts_as_inference_model_bit_for_bit_and_by_default_except_for_ties(runs):
    config, folder, _ = runs
    checkpoint, out = str(folder / "lively.pth"), str(folder / "masks.npz")
    lively_checkpoint(config, checkpoint)
    paths = [str(folder / f"{height}x{width}.png") for height, width in SIZES]
    for path, size in zip(paths, SIZES, strict=True):
        cv2.imwrite(path, picture(*size))
    done = run_code(folder, PREDICT.format(config=str(config), checkpoint=checkpoint, paths=paths, out=out))
    assert done.returncode == 0, done.stderr
    segment = Segmenter(checkpoint, config=config, device="cpu", precision="fp32", performance="stock")
    segment_fast = Segmenter(checkpoint, config=config, device="cpu", precision="fp32")
    num_other = 0
    for path, mask in zip(paths, np.load(out).values(), strict=True):
        found = segment(path).train_ids
        assert found.shape == mask.shape
        assert len(np.unique(mask)) > 9
        assert int((found != mask).sum()) == 0, path
        num_other += int((segment_fast(path).train_ids != mask).sum())
    assert num_other <= 5e-5 * sum(height * width for height, width in SIZES)
    if config.stem.startswith("deeplab"):  # where the default gives another class to one pixel
        command = [config, checkpoint, *paths, "--performance", "stock", "--device", "cpu", "--no-vis"]
        run(folder, "infer.py", *command)
        for path, mask in zip(paths, np.load(out).values(), strict=True):
            (predicted,) = (folder / "outputs").rglob(f"{Path(path).stem}.png")
            assert np.array_equal(np.asarray(Image.open(predicted)), mask)
