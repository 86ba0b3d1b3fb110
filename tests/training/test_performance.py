"""What `performance='stock'` leaves out, and what stays."""

import os

import pytest
import torch
from mmengine.config import Config

from semseg.config import load_config
from semseg.training import for_training
from tests.config.test_dataset_files import write_set
from tests.conftest import CONFIG, raises
from tests.datasets.photograph_zoo import TWELVE, png
from tests.stock_models import write_config

SHORT = ["train_cfg.max_iters=4"]


def prepared(path, *options, data=None, **flags):
    cfg = load_config(path, options, data=data)
    return for_training(cfg, cfg_options=options, check=False, **flags)


def leaves(node, key=""):
    """Return all values of a config by dotted key; hooks are only named."""
    if key == "custom_hooks":
        return {key: sorted(hook["type"] for hook in node)}
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else None
    if items is None:
        return {key: node}
    return {k: v for name, child in items for k, v in leaves(child, f"{key}.{name}".lstrip(".")).items()}


def differences(ours, theirs):
    """Return the new values of the keys that differ."""
    ours, theirs = leaves(ours.to_dict()), leaves(theirs.to_dict())
    return {key: ours.get(key, "absent") for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)}


def as_written(path, *options):
    """Return the config as MMSegmentation's program uses it."""
    cfg = Config.fromfile(path)
    cfg.merge_from_dict({key: int(value) for key, _, value in (option.partition("=") for option in options)})
    return cfg


CHANGES_NO_NUMBER = {
    "custom_hooks", "default_hooks.checkpoint.by_epoch", "default_hooks.checkpoint.save_best",
    "default_hooks.checkpoint.type", "default_hooks.logger.log_metric_by_epoch", "launcher", "work_dir",
    "train_dataloader.worker_init_fn.type", "train_dataloader.worker_init_fn.seed",
    "train_dataloader.worker_init_fn.num_workers", "val_dataloader.worker_init_fn.type",
    "val_dataloader.worker_init_fn.seed", "val_dataloader.worker_init_fn.num_workers",
    "val_evaluator.type", "test_evaluator.type",  # the same scores, from exact counts
    "test_dataloader.dataset.pipeline.0.type", "tta_pipeline.0.type",  # not used by a training
}  # fmt: skip
"""Keys that may differ from the config file in a stock run; tests/cli/test_fidelity.py shows that no number does."""

HOOKS_OF_STOCK = ["ContinuationHook", "DescriptionHook", "FrozenPartsHook", "MonitorHook", "NotesHook", "OneCurveHook",
                  "StopHook"]  # fmt: skip


@pytest.mark.parametrize("options", [(), SHORT])
def test_a_stock_run_differs_from_its_config_file_only_in_what_changes_no_number(tmp_path, options):
    path = write_config(tmp_path, "pspnet")
    changed = differences(prepared(path, *options, performance="stock"), as_written(path, *options))
    assert changed.pop("custom_hooks") == HOOKS_OF_STOCK
    assert changed.keys() <= CHANGES_NO_NUMBER, changed


@pytest.mark.parametrize("split", ["train", "val"])
def test_stock_refuses_16_bits_that_a_test_would_read_in_another_way(tmp_path, split):
    data = write_set(tmp_path)
    photo = next((tmp_path / "photos" / split).glob("*.png"))
    photo.write_bytes(png(TWELVE, significant_bits=12))
    with raises(
        "E-config-conflict", f"`performance` stock: {photo} has 16 bits, .* bits: 12, or .* `performance` fast"
    ):
        prepared(CONFIG, data=data, performance="stock")
    prepared(CONFIG, data=data)
    data = write_set(tmp_path, bits=12)
    photo.write_bytes(png(TWELVE, significant_bits=12))
    loader = prepared(CONFIG, data=data, performance="stock")[f"{split}_dataloader"].dataset.pipeline[0]
    assert (loader.type, loader.bits) == ("LoadPhotograph", 12)


def test_stock_refuses_16_bits_in_a_data_set_of_mmsegmentation_too(tmp_path):
    path = write_config(tmp_path, "pspnet")
    photos, masks = (tmp_path / f"data/{part}/train/town" for part in ("leftImg8bit", "gtFine"))
    photos.mkdir(parents=True)
    masks.mkdir(parents=True)
    (photos / "town_000000_000000_leftImg8bit.png").write_bytes(png(TWELVE))
    root = f"train_dataloader.dataset.data_root={tmp_path / 'data'}"
    with raises("E-config-conflict", "leftImg8bit.png has 16 bits"):
        prepared(path, root, performance="stock")


def test_stock_reads_a_config_that_names_a_plugin_elsewhere(tmp_path):
    name = f"a_loss_for_stock_{os.getpid()}"
    plugin, path = tmp_path / f"elsewhere/{name}.py", tmp_path / "a.py"
    plugin.parent.mkdir()
    plugin.write_text("")
    path.write_text(
        f"_base_ = {str(CONFIG)!r}\ncustom_imports = dict(imports=['{name}'], allow_failed_imports=False)\n"
    )
    cfg = load_config(path, SHORT, plugins=[plugin])
    assert for_training(cfg, check=False, performance="stock", cfg_options=SHORT).param_scheduler[-1].end == 1000


def test_the_default_differs_from_stock_in_these_parts(tmp_path):
    """docs/training.md lists them; the batch is a quarter of the recipe's."""
    path = write_config(tmp_path, "pspnet")
    stock = prepared(path, *SHORT, performance="stock")
    changed = differences(for_training(load_config(path, SHORT), cfg_options=SHORT), stock)
    hooks = {"GuardHook", "PreflightHook", "SeedHook", "UnreadableFilesHook"}
    assert set(changed.pop("custom_hooks")) - set(HOOKS_OF_STOCK) == hooks
    assert {key: value for key, value in changed.items() if "dataset.dataset" not in key and value != "absent"} == {
        "optim_wrapper.optimizer.lr": 0.0025,
        "param_scheduler.0.eta_min": 2.5e-5,
        "param_scheduler.0.end": 4,
        "train_dataloader.sampler.type": "SeededSampler",
        "train_dataloader.dataset.type": "SeededDataset",
        "train_dataloader.dataset.fast": True,
        "val_dataloader.dataset.pipeline.0.type": "LoadPhotograph",
    }


def test_stock_uses_float32_in_the_usual_layout_unless_amp_is_asked_for():
    cfg = prepared(CONFIG, performance="stock")
    assert cfg.optim_wrapper.type == "OptimWrapper"
    assert "enabled" not in cfg.optim_wrapper
    assert "ChannelsLastHook" not in str(cfg.custom_hooks)
    fast = prepared(CONFIG)
    assert fast.optim_wrapper.type == "Bf16OptimWrapper"
    assert "ChannelsLastHook" in str(fast.custom_hooks)
    assert prepared(CONFIG, performance="stock", amp=True).optim_wrapper.type in ("AmpOptimWrapper", "Bf16OptimWrapper")


def test_stock_undoes_what_the_config_of_another_run_holds(tmp_path):
    path = write_config(tmp_path, "pspnet")
    dumped = tmp_path / "dumped.py"
    prepared(path).dump(dumped)
    cfg = prepared(dumped, performance="stock", scale_lr=False)
    assert cfg.train_dataloader.sampler.type == "InfiniteSampler"
    assert cfg.train_dataloader.dataset.type == "CityscapesDataset"
    assert sorted(hook.type for hook in cfg.custom_hooks) == HOOKS_OF_STOCK


def test_only_the_schedule_that_load_config_has_moved_is_moved_back(tmp_path):
    path = write_config(tmp_path, "pspnet")
    assert prepared(path, *SHORT, performance="stock").param_scheduler[0].end == 40000
    assert prepared(path, *SHORT, "param_scheduler.0.end=3", performance="stock").param_scheduler[0].end == 3
    cfg = load_config(path, SHORT)
    cfg.param_scheduler[0].end = 7
    assert for_training(cfg, check=False, performance="stock").param_scheduler[0].end == 7
    assert for_training(load_config(path, SHORT), check=False, performance="stock").param_scheduler[0].end == 40000


def test_an_option_that_asks_for_something_is_obeyed_in_stock_too(tmp_path):
    path = write_config(tmp_path, "pspnet")
    cfg = prepared(path, performance="stock", accumulate="auto", loss="ohem", rare_crops=0.5)
    assert cfg.optim_wrapper.accumulative_counts == 4
    assert cfg.optim_wrapper.optimizer.lr == 0.01
    assert cfg.model.decode_head.sampler.type == "OHEMPixelSampler"
    assert cfg.train_dataloader.dataset.type == "RareClassDataset"
    assert prepared(path, performance="stock", dry_run=False).get("custom_hooks")[-1].type != "PreflightHook"
    dry = for_training(load_config(path), performance="stock", dry_run=True)
    assert dry.custom_hooks[-1].type == "PreflightHook"


def test_epochs_of_stock_are_those_of_mmengine(tmp_path, town, monkeypatch):
    monkeypatch.chdir(town)
    cfg = prepared(write_config(tmp_path, "pspnet"), performance="stock", epochs=3)
    assert (cfg.train_cfg.type, cfg.train_dataloader.sampler.type) == ("ResumableEpochLoop", "DefaultSampler")
    assert cfg.param_scheduler[0].end == 3 * 4
    repeating = write_config(tmp_path, "unet")
    repeating.write_text(repeating.read_text() + "\ndefault_hooks['sampler_seed'] = None\n")
    assert prepared(repeating, performance="stock", epochs=3).train_cfg.type == "EpochBasedTrainLoop"


def test_a_seed_is_drawn_for_the_workers(tmp_path):
    path = write_config(tmp_path, "pspnet")
    path.write_text(path.read_text().replace("randomness = dict(seed=3)", ""))
    seeds = [prepared(path, performance="stock").randomness.seed for _ in range(2)]
    assert seeds[0] != seeds[1]
    given = for_training(load_config(path, seed=5), check=False, performance="stock")
    assert given.train_dataloader.worker_init_fn == dict(type="deaf_worker_init_fn", seed=5, num_workers=2)


def test_wrong_words_and_an_overfitting_run_are_refused(tmp_path):
    path = write_config(tmp_path, "pspnet")
    with raises("E-config-value", "`performance` slow: expected fast or stock"):
        prepared(path, performance="slow")
    with raises("E-config-no-effect", "`performance` would change nothing"):
        prepared(path, performance="stock", overfit=2)


def test_stock_loads_pretrained_weights_even_if_a_checkpoint_replaces_them(tmp_path):
    """Without them MMSegmentation would initialize the weights, and draw other numbers for the dropout."""
    path, checkpoint = write_config(tmp_path, "pspnet"), tmp_path / "weights.pth"
    torch.save({"state_dict": {}, "meta": {}}, checkpoint)
    path.write_text(path.read_text().replace("pretrained=None", "pretrained='open-mmlab://resnet18_v1c'"))
    kept = [
        prepared(path, performance=performance, load_from=str(checkpoint)).model.pretrained
        for performance in ("fast", "stock")
    ]
    assert kept == [None, "open-mmlab://resnet18_v1c"]
