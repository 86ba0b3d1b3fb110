"""A set with `bands` changes the loader, the first convolution and the normalisation of a config, and nothing else."""

import pytest
import yaml

from semseg.config import for_inference, load_config
from semseg.config.bands import bands_in_checkpoint
from semseg.config.tree import datasets_of, inner_datasets
from semseg.datasets.bands import Bands
from semseg.training import for_training
from tests.conftest import CONFIG, REPO, raises
from tests.datasets.drawn_bands import write_set


def described(cfg):
    """Return the content of a checkpoint that a run of the config would have written."""
    return {"meta": {"semseg": {"schema": 1, "config": cfg.to_dict()}}, "state_dict": {}}


def first_steps(cfg):
    loaders = ("train_dataloader", "val_dataloader", "test_dataloader")
    return [dataset["pipeline"][0] for dataset in datasets_of(cfg, *loaders)] + [cfg.tta_pipeline[0]]


@pytest.mark.parametrize("kind, count", [("tiff16", 4), ("float", 1), ("npy", 6)])
def test_every_pipeline_and_the_model_get_the_bands(tmp_path, kind, count):
    cfg = load_config(CONFIG, data=write_set(tmp_path, kind))
    steps = first_steps(cfg)
    assert all(step == steps[0] for step in steps)
    bands = Bands.from_step(steps[0])
    assert bands.num_channels == count
    preprocessor = cfg.model.data_preprocessor
    assert tuple(preprocessor.mean) == bands.fill
    assert len(preprocessor.std) == count
    assert not preprocessor.bgr_to_rgb
    assert cfg.model.backbone.in_channels == count


def test_three_bands_are_swapped_as_rgb_and_keep_the_first_convolution(tmp_path):
    cfg = load_config(CONFIG, data=write_set(tmp_path, "three"))
    assert cfg.model.data_preprocessor.bgr_to_rgb
    assert cfg.model.backbone.get("in_channels", 3) == 3


def test_photographs_leave_the_config_as_it_is(town, monkeypatch):
    monkeypatch.chdir(town)
    cfg = load_config(CONFIG)
    assert [step["type"] for step in first_steps(cfg)] == ["LoadPhotograph"] * 4
    assert cfg.model.data_preprocessor.mean == [123.675, 116.28, 103.53]


@pytest.mark.parametrize(
    "name, place",
    [
        ("bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py", "backbone"),
        ("segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py", "backbone"),
        ("stdc/stdc1_in1k-pre_4xb12-80k_cityscapes-512x1024.py", "backbone_cfg"),
        ("unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024.py", "backbone"),
    ],
)
def test_families_get_their_channels(tmp_path, name, place):
    cfg = load_config(REPO / "configs" / name, data=write_set(tmp_path, "tiff16"))
    backbone = cfg.model.backbone
    part = backbone if place == "backbone" else backbone.backbone_cfg
    assert part.in_channels == 4


def test_a_backbone_of_three_channels_is_refused(tmp_path):
    config = tmp_path / "mobile.py"
    config.write_text(f"_base_ = ['{CONFIG}']\nmodel = dict(backbone=dict(_delete_=True, type='MobileNetV2'))\n")
    with raises("E-config-bands", "MobileNetV2 reads three channels, and the set has 4 bands"):
        load_config(config, data=write_set(tmp_path, "tiff16"))


def test_changes_of_colours_are_replaced_or_refused(tmp_path):
    config = tmp_path / "colours.py"
    steps = "dict(type='LoadImageFromFile'), dict(type='LoadTrainIds'), {}, dict(type='PackSegInputs')"
    text = f"_base_ = ['{CONFIG}']\ntrain_dataloader = dict(dataset=dict(pipeline=[{steps}]))\n"
    path = write_set(tmp_path, "tiff16")
    config.write_text(text.format("dict(type='PhotoMetricDistortion', brightness_delta=16, hue_delta=9)"))
    step = load_config(config, data=path).train_dataloader.dataset.pipeline[2]
    assert step == {"type": "BandDistortion", "brightness_delta": 16}
    config.write_text(text.format("dict(type='CLAHE')"))
    with raises("E-config-bands", "CLAHE"):
        load_config(config, data=path)


def test_a_test_takes_the_numbers_of_the_training(tmp_path):
    path = write_set(tmp_path, "float")
    content = described(load_config(CONFIG, data=path))
    (known,) = bands_in_checkpoint(content).values()
    other = write_set(tmp_path / "other", "float", counts=(("test", 2),))
    cfg = load_config(CONFIG, data=other, content=content)
    assert Bands.from_step(cfg.test_dataloader.dataset.pipeline[0]) == known
    assert list(cfg.model.data_preprocessor.mean) == list(known.fill)
    assert cfg.model.data_preprocessor.std == content["meta"]["semseg"]["config"]["model"]["data_preprocessor"]["std"]


def test_each_set_of_a_training_keeps_its_own_percentiles_in_a_test(tmp_path):
    first = write_set(tmp_path / "a", "three")
    second = write_set(tmp_path / "b", "three", range={"percentiles": [20, 80]})
    content = described(load_config(CONFIG, data=[first, second]))
    known = bands_in_checkpoint(content)
    assert known[str(first)].range != known[str(second)].range
    cfg = load_config(CONFIG, data=second, content=content)
    assert Bands.from_step(cfg.test_dataloader.dataset.pipeline[0]) == known[str(second)]
    with raises("E-config-bands", "different ranges"):
        load_config(CONFIG, data=write_set(tmp_path / "c", "three"), content=content)


def test_a_checkpoint_on_bands_does_not_read_photographs(tmp_path, town):
    content = described(load_config(CONFIG, data=write_set(tmp_path, "three")))
    photographs = yaml.safe_dump(
        {"encoding": "ids", "classes": ["dark", "bright"], "splits": {"val": {"images": "a", "masks": "b"}}}
    )
    (tmp_path / "photographs.yaml").write_text(photographs)
    with raises("E-config-bands", "trained on bands"):
        load_config(CONFIG, data=tmp_path / "photographs.yaml", content=content)
    (tmp_path / "best.pth").touch()
    cfg = load_config(CONFIG)
    cfg.model.decode_head.num_classes = cfg.model.auxiliary_head.num_classes = 2
    with raises("E-config-bands", "bands 4, 3, 2"):
        for_inference(cfg, tmp_path / "best.pth", content)


def test_a_checkpoint_on_photographs_does_not_read_bands(tmp_path):
    with raises("E-config-bands", "does not say"):
        load_config(CONFIG, data=write_set(tmp_path, "three"), content=described(load_config(CONFIG)))


def test_sets_that_are_used_together_have_as_many_bands(tmp_path):
    first = write_set(tmp_path / "a", "tiff16")
    same = write_set(tmp_path / "b", "tiff16", range=[[0, 9000]] * 4)
    cfg = load_config(CONFIG, data=[first, same])
    ranges = [inner["pipeline"][0]["range"][0] for inner in inner_datasets(cfg.train_dataloader.dataset)]
    assert ranges == [[0, 10000], [0, 9000]]
    with raises("E-config-bands", "4 bands and .* has 6"):
        load_config(CONFIG, data=[first, write_set(tmp_path / "c", "npy")])
    plain = write_set(tmp_path / "d", "three", bands=None, range=None)
    with raises("E-config-bands", "has none"):
        load_config(CONFIG, data=[first, plain])


def test_a_config_that_loads_bands_as_photographs_is_refused(tmp_path):
    from semseg.datasets.labelled_dataset import FolderSegDataset

    path = write_set(tmp_path, "three")
    with raises("E-data-bands", "LoadPhotograph"):
        FolderSegDataset(str(path), "train", pipeline=[{"type": "LoadPhotograph"}])


def test_a_training_fits_pretrained_weights_unless_there_are_three_channels(tmp_path):
    def hooks(kind):
        cfg = load_config(CONFIG, data=write_set(tmp_path / kind, kind), work_dir=tmp_path / "run")
        return [dict(hook) for hook in for_training(cfg).custom_hooks if hook["type"] == "InputChannelsHook"]

    assert hooks("tiff16") == [{"type": "InputChannelsHook", "num_channels": 4, "rgb": [0, 1, 2]}]
    assert hooks("npy") == [{"type": "InputChannelsHook", "num_channels": 6, "rgb": None}]
    assert hooks("three") == []
