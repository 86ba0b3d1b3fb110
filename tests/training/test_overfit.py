import pytest
import torch

from semseg.config import load_config
from semseg.training import for_training
from tests.conftest import CONFIG, REPO, raises

RECIPE = REPO / "configs/pspnet/pspnet_r101-d8_4xb2-80k_cityscapes-512x1024.py"


def overfit(path, num_images, *options, **more):
    return for_training(load_config(path, options, work_dir="run"), overfit=num_images, cfg_options=options, **more)


def set_of(loader):
    dataset = loader.dataset
    return dataset.dataset if dataset.type == "SeededDataset" else dataset


def test_training_and_validation_read_the_same_images_uncropped_and_without_augmentation():
    cfg = overfit(RECIPE, 3)
    train, val = set_of(cfg.train_dataloader), set_of(cfg.val_dataloader)
    assert train == val
    assert train.indices == 3
    assert train.data_prefix.img_path == "leftImg8bit/train"
    assert [step.type for step in train.pipeline] == ["LoadPhotograph", "LoadTrainIds", "Resize", "PackSegInputs"]
    assert (train.pipeline[2].scale, train.pipeline[2].keep_ratio) == ((1024, 512), False)  # width, height of a crop
    assert not cfg.train_dataloader.sampler.shuffle


def test_model_and_optimizer_are_kept_except_dropout():
    plain, cfg = for_training(load_config(RECIPE, work_dir="run"), scale_lr=False), overfit(RECIPE, 3)
    assert cfg.optim_wrapper.optimizer == plain.optim_wrapper.optimizer
    assert (plain.model.decode_head.dropout_ratio, cfg.model.decode_head.dropout_ratio) == (0.1, 0)
    for head in (cfg.model.decode_head, plain.model.decode_head, cfg.model.auxiliary_head, plain.model.auxiliary_head):
        del head["dropout_ratio"]
    assert cfg.model == plain.model


@pytest.mark.parametrize(("num_images", "batch_size"), [(1, 2), (2, 2), (3, 3), (9, 4)])
def test_a_batch_has_all_images_but_at_least_two_and_at_most_the_batch_size_of_the_recipe(num_images, batch_size):
    assert overfit(CONFIG, num_images).train_dataloader.batch_size == batch_size


def test_the_run_has_its_own_schedule_which_options_change():
    cfg = overfit(RECIPE, 2)
    assert cfg.train_cfg == dict(type="IterBasedTrainLoop", max_iters=500, val_interval=25)
    assert [(s.type, s.begin, s.end) for s in cfg.param_scheduler] == [("LinearLR", 0, 25), ("PolyLR", 25, 500)]
    assert overfit(RECIPE, 2, "train_cfg.max_iters=800").train_cfg.max_iters == 800
    assert overfit(RECIPE, 2, "train_cfg.val_interval=10").train_cfg.val_interval == 10


def test_it_writes_below_the_work_folder_and_saves_no_checkpoints():
    cfg = overfit(CONFIG, 2)
    assert cfg.work_dir == "run/overfit"
    assert cfg.default_hooks.checkpoint is None
    types = [hook.type for hook in cfg.custom_hooks]
    assert "MonitorHook" not in types
    assert types.count("PanelHook") == types.count("OverfitHook") == 1


def test_crops_around_rare_classes_are_removed_as_augmentation():
    plain = load_config(CONFIG, work_dir="run")
    plain.train_dataloader.dataset = dict(type="RareClassDataset", dataset=plain.train_dataloader.dataset)
    assert set_of(for_training(plain, overfit=2).train_dataloader).type == "CityscapesDataset"


def test_images_are_taken_from_the_part_of_the_set_that_the_config_selects():
    of_list = overfit(CONFIG, 2, "train_dataloader.dataset.indices=[7,5,3]")
    assert set_of(of_list.train_dataloader).indices == [7, 5]
    assert set_of(overfit(CONFIG, 9, "train_dataloader.dataset.indices=6").train_dataloader).indices == 6


def test_a_config_without_crop_size_is_refused():
    with raises("E-config-missing-key", r"^`overfit` .* model\.data_preprocessor\.size=\("):
        overfit(CONFIG, 2, "model.data_preprocessor.size=None", "train_dataloader.dataset.pipeline=[]")


def test_wrong_use_is_refused(tmp_path):
    with raises("E-config-range", r"^`overfit` 0: .* 1 or more"):
        overfit(CONFIG, 0)
    torch.save({"state_dict": {}, "optimizer": {}, "message_hub": {}}, tmp_path / "iter_2.pth")
    with raises("E-config-conflict", "^`overfit` .* `resume` "):
        overfit(CONFIG, 2, resume=str(tmp_path / "iter_2.pth"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ema", 0.01),
        ("early_stop", 3),
        ("monitor", "IoU/person"),
        ("val_loss", True),
        ("rare_crops", 0.5),
        ("accumulate", "2"),
    ],
)
def test_options_that_would_have_no_effect_are_refused(name, value):
    with raises("E-config-no-effect", rf"^`overfit` .* so `{name}` would .* it out$"):
        overfit(CONFIG, 2, **{name: value})
    if name != "ema":
        with raises("E-config-no-effect", rf" so .*`{name}`.* would .* them out$"):
            overfit(CONFIG, 2, **{"ema": 0.01, name: value})
