"""The four parts in examples/custom: what each one computes, and all of them in the programs."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmseg.registry import METRICS, MODELS, TRANSFORMS

from semseg import Segmenter
from semseg.config.plugin_files import import_plugins
from tests.conftest import REPO, SHORT, raises, results_in, run

FOLDER = REPO / "examples/custom"
PARTS = [FOLDER / f"{name}.py" for name in ("small_backbone", "edge_loss", "kappa_metric", "fog")]
FLAGS = [word for path in PARTS for word in ("--plugin", path)]


@pytest.fixture(scope="module")
def modules():
    """Name of a part to its module."""
    return {plugin.module: sys.modules[plugin.module] for plugin in import_plugins(PARTS)}


def test_the_backbone_gives_features_at_an_eighth_of_the_image_and_is_small(modules):
    backbone = MODELS.build(dict(type="SmallBackbone", channels=(8, 16, 24, 32)))
    features = backbone(torch.zeros(1, 3, 64, 128))
    assert [tuple(feature.shape[1:]) for feature in features] == [(8, 32, 64), (16, 16, 32), (24, 8, 16), (32, 8, 16)]
    whole = MODELS.build(dict(type="SmallBackbone"))
    assert sum(value.numel() for value in whole.parameters()) < 1e5


def test_a_pixel_near_a_border_counts_more_and_an_ignored_one_not_at_all(modules):
    train_ids = torch.tensor([[[0, 0, 0, 1, 1, 1, 1, 255, 255, 255, 0, 0]]])
    near = modules["edge_loss"].near_borders(train_ids, 1, 255)
    assert near.int().tolist() == [[[0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]]]
    scores = torch.randn(1, 2, 1, 12, generator=torch.Generator().manual_seed(0))
    each = torch.nn.functional.cross_entropy(scores, train_ids, reduction="none", ignore_index=255)
    weights = torch.tensor([1.0, 1, 4, 4, 1, 1, 1, 0, 0, 0, 1, 1])
    loss = MODELS.build(dict(type="EdgeWeightedLoss", edge_weight=3, distance_px=1, loss_weight=2))(scores, train_ids)
    assert torch.isclose(loss, 2 * (each[0, 0] * weights).sum() / weights.sum())
    ignored = MODELS.build(dict(type="EdgeWeightedLoss"))(scores, torch.full_like(train_ids, 255))
    assert ignored == 0


def test_kappa_is_that_of_cohens_formula(modules):
    kappa = modules["kappa_metric"].cohens_kappa
    # the agreement is 0.7, and by chance (25 * 30 + 25 * 20) / 50^2 = 0.5
    assert kappa(np.array([[20, 5], [10, 15]])) == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert kappa(np.eye(3, dtype=int)) == 1
    assert np.isnan(kappa(np.diag([5, 0])))
    metric = METRICS.build(dict(type="KappaMetric"))
    metric.dataset_meta = {"classes": ("a", "b")}
    for target, predicted in (([0, 1, 255], [0, 1, 0]), ([1, 1, 0], [0, 1, 0])):
        sample = {
            "gt_sem_seg": {"data": torch.tensor([[target]])},
            "pred_sem_seg": {"data": torch.tensor([[predicted]])},
        }
        metric.process({}, [sample])
    assert metric.evaluate(2) == {"kappa": pytest.approx(100 * kappa(np.array([[2, 0], [1, 2]])), abs=0.01)}


def test_fog_is_thickest_at_the_top_and_leaves_the_truth_alone(modules):
    np.random.seed(0)
    image, truth = np.zeros((100, 8, 3), np.uint8), np.arange(800).reshape(100, 8)
    fog = TRANSFORMS.build(dict(type="RandomFog", prob=1, horizon=0.4))
    results = fog({"img": image, "gt_seg_map": truth.copy()})
    rows = results["img"][:, 0, 0].astype(int)
    assert results["img"].dtype == np.uint8
    assert (np.diff(rows) <= 0).all()
    assert rows[0] == rows[39] > rows[70] > rows[-1] == 0
    assert (results["gt_seg_map"] == truth).all()
    assert not image.any()
    never = TRANSFORMS.build(dict(type="RandomFog", prob=0))
    assert never({"img": image})["img"] is image
    with pytest.raises(ValueError, match=r"max_density 2.* expected 0 to 1"):
        TRANSFORMS.build(dict(type="RandomFog", max_density=2))


@pytest.fixture(scope="module")
def own_run(town):
    """The work folder of a training with all parts; a spawned worker loads the pictures."""
    command = [REPO / "tools/train.py", FOLDER / "own_parts_toycity.py", "--seed", 0, "--work-dir", "own parts"]
    options = [*SHORT, "env_cfg.mp_cfg.mp_start_method=spawn", "val_dataloader.num_workers=0"]
    options += ["val_dataloader.persistent_workers=False"]
    words = [sys.executable, *map(str, command), "--no-check", *options]
    # not by `run`: in a spawned worker, MMSegmentation is imported before this project, and prints a line
    done = subprocess.run(words, cwd=town, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return town / "own parts"


@pytest.mark.slow
def test_a_checkpoint_is_used_with_the_plugins_and_without_its_config(town, own_run):
    checkpoint = own_run / "iter_4.pth"
    done = run(town, "test.py", checkpoint, *FLAGS, "--work-dir", "own test", "--no-report")
    (log_path,) = own_run.glob("*/*.log")
    validated, tested = (
        re.findall(r"aAcc: \S+  mIoU: \S+  mAcc: \S+  kappa: \S+", text) for text in (log_path.read_text(), done.stdout)
    )
    assert len(validated) == 2
    assert tested == validated[1:]
    assert results_in(town / "own test")["scores"]["mIoU"]["value"] is not None
    photographs = town / "data/toycity/leftImg8bit/test"
    run(town, "infer.py", checkpoint, photographs, *FLAGS[:4], "--out-dir", "own masks")
    assert len(list((town / "own masks/pred").rglob("*.png"))) == 1
    done = run(town, "infer.py", checkpoint, photographs, "--out-dir", "own masks", code=2)
    flags = "--plugin small_backbone.py --plugin edge_loss.py --plugin kappa_metric.py --plugin fog.py"
    assert "needs 'SmallBackbone' (model.backbone.type), which is registered by a file of yours" in done.stderr
    assert f"add {flags}, with the path of each file [E-checkpoint-plugin]" in done.stderr
    described = run(town, "model.py", "describe", checkpoint).stdout
    assert re.search(r"plugins +--plugin small_backbone\.py \(SHA-256 \w{8}\), --plugin edge_loss\.py", described)


@pytest.mark.slow
def test_the_data_programs_read_the_config(town, own_run):
    done = run(town, "dataset.py", "browse", FOLDER / "own_parts_toycity.py", "--out", "own sheet")
    assert "8 of 8 samples as the network receives them" in done.stdout


@pytest.mark.slow
def test_a_resumed_run_asks_for_its_plugins(town, own_run, tmp_path):
    (tmp_path / "config.py").write_text(
        (FOLDER / "own_parts_toycity.py").read_text().replace("../../configs", str(REPO / "configs")).replace(
            "custom_imports", "del_imports"
        )
    )  # fmt: skip
    command = ["train.py", tmp_path / "config.py", "--work-dir", own_run, "--resume", "--dry-run", *SHORT]
    done = run(town, *command, code=2)
    assert re.search(
        r"--resume: .*iter_4\.pth was trained with parts in files of yours, .*add --plugin small_backbone\.py .*"
        r" with the path of each file \[E-checkpoint-plugin\]",
        done.stderr,
    )
    done = run(town, *command[:2], *FLAGS, *command[2:])
    assert "dry run: nothing stands in the way" in done.stderr


@pytest.mark.slow
def test_a_segmenter_takes_plugins(own_run):
    segment = Segmenter(own_run / "iter_4.pth", device="cpu", plugins=PARTS[:2])
    assert segment(np.zeros((64, 128, 3), np.uint8)).train_ids.shape == (64, 128)
    with raises("E-config-plugin-missing", r"`plugins` none\.py"):
        Segmenter(own_run / "iter_4.pth", plugins="none.py")
