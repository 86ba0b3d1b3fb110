"""By default a training has the learning rates, weight decays and augmentations of MMSegmentation."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import ks_2samp

from semseg.config import load_config
from semseg.training import for_training
from tests.conftest import run_code
from tests.stock_models import BASES
from tests.training import drawn

pytestmark = pytest.mark.slow

ZOO = BASES.parent
SCHEDULES = {  # config of MMSegmentation, batch of its recipe, iterations that are compared
    "pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py": (8, 2000),
    "segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py": (16, 2000),  # warm-up until 1500; custom_keys
    "norms.py": (8, 100),
}
NORMS = f"""
_base_ = {str(ZOO / "unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024.py")!r}
optim_wrapper = dict(paramwise_cfg=dict(norm_decay_mult=0.0, bias_lr_mult=2.0, bypass_duplicate=True,
                                        custom_keys=dict(decode_head=dict(lr_mult=10.0))))
train_dataloader = dict(batch_size=2)
param_scheduler = [dict(type="CosineAnnealingLR", T_max=100, eta_min=1e-5, begin=0, end=100, by_epoch=False)]
train_cfg = dict(max_iters=100)
"""
GEOMETRY = """[
    dict(type="RandomResize", scale=(96, 64), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type="RandomCrop", crop_size=(32, 32), cat_max_ratio=0.75),
    dict(type="RandomFlip", prob=0.5),
]"""
PHOTOMETRIC = """[dict(type="RandomFlip", prob=0.5), dict(type="PhotoMetricDistortion")]"""
LOADER = """
_set = dict(type="BaseSegDataset", data_prefix=dict(img_path={folder!r}, seg_map_path={folder!r}), img_suffix=".png",
            seg_map_suffix="_mask.png", metainfo=dict(classes=("a", "b"), palette=[[0, 0, 0], [1, 1, 1]]),
            ann_file={listed!r}, pipeline=[dict(type="LoadImageFromFile"), dict(type="LoadAnnotations"), *{steps},
                                           dict(type="PackSegInputs")])
_base_ = {base!r}
model = dict(decode_head=dict(num_classes=2), auxiliary_head=dict(num_classes=2))
train_dataloader = dict(batch_size=8, num_workers=1, persistent_workers=False, dataset=dict(_delete_=True, **{dataset}))
val_dataloader = dict(dataset=dict(_delete_=True, **_set))
test_dataloader = val_dataloader
"""
SETS = {
    "geometry": (GEOMETRY, "ramps", "_set"),
    "photometric": (PHOTOMETRIC, "plain", "_set"),
    "wrapped": (GEOMETRY, "ramps", 'dict(type="ConcatDataset", datasets=[dict(type="RepeatDataset", times=2,'
                " dataset=_set), _set])"),
}  # fmt: skip


def write_pictures(folder):
    """Write pictures whose blue is the column and green the row, and a plain one, with masks of two halves."""
    rows, columns = np.mgrid[:64, :96]
    pictures = {f"ramps{i}": np.stack([np.full_like(rows, 40 * i), 2 * rows, 2 * columns], axis=2) for i in range(3)}
    pictures["plain"] = np.full((8, 8, 3), (180, 120, 60))
    for name, picture in pictures.items():
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{name}.png")
        halves = np.arange(picture.shape[1]) >= picture.shape[1] // 2
        Image.fromarray(np.broadcast_to(halves, picture.shape[:2]).astype(np.uint8)).save(folder / f"{name}_mask.png")
    (folder / "ramps.txt").write_text("ramps0\nramps1\nramps2\n")
    (folder / "plain.txt").write_text("plain\n")


@pytest.fixture(scope="module")
def configs(tmp_path_factory):
    """By name the paths of configs, for schedules and for data."""
    folder = tmp_path_factory.mktemp("settings")
    write_pictures(folder)
    paths = {name: folder / name if name == "norms.py" else ZOO / name for name in SCHEDULES}
    paths["norms.py"].write_text(NORMS)
    base = str(ZOO / "pspnet/pspnet_r18-d8_4xb2-80k_cityscapes-512x1024.py")
    for name, (steps, listed, dataset) in SETS.items():
        paths[name] = folder / f"{name}_1xb8.py"
        paths[name].write_text(
            LOADER.format(
                folder=str(folder), listed=str(folder / f"{listed}.txt"), steps=steps, dataset=dataset, base=base
            )
        )
    return paths


@pytest.fixture(scope="module")
def stock(configs, tmp_path_factory):
    """What MMEngine and MMSegmentation draw and schedule with these configs, without this project."""
    folder = tmp_path_factory.mktemp("stock")
    code = (
        Path(drawn.__file__).read_text()
        + f"""
from mmengine.config import Config
paths = { ({name: str(path) for name, path in configs.items()})!r}
found = {{name: drawn(Config.fromfile(paths[name])) for name in {list(SETS)!r}}}
for name, (_, num_iters) in {SCHEDULES!r}.items():
    cfg = Config.fromfile(paths[name])
    found[name] = dict(groups=groups(cfg), rates=rates(cfg, num_iters))
write({str(folder / "found.json")!r}, found)
"""
    )
    done = run_code(folder, code)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "found.json").read_text())


def prepared(path, *options):
    return for_training(load_config(path, options), check=False, cfg_options=options)


@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rates_and_weight_decays_are_those_of_mmsegmentation_at_the_batch_of_the_recipe(configs, stock, name):
    batch, num_iters = SCHEDULES[name]
    cfg = prepared(configs[name], f"train_dataloader.batch_size={batch}")
    rates, groups = drawn.rates(cfg, num_iters), drawn.groups(cfg)
    assert rates == stock[name]["rates"]
    assert {name: list(pair) for name, pair in groups.items()} == stock[name]["groups"]
    assert len(set(rates)) > num_iters / 2
    num_kinds = {"norms.py": 4, "segformer": 3, "pspnet": 1}[name.partition("/")[0]]
    assert len(set(map(tuple, groups.values()))) == num_kinds


@pytest.mark.parametrize("share", [0.25, 2])
def test_another_batch_multiplies_every_learning_rate_by_its_share_and_nothing_else(configs, stock, share):
    name = "segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py"
    cfg = prepared(configs[name], f"train_dataloader.batch_size={int(16 * share)}")
    assert drawn.rates(cfg, 2000) == pytest.approx([rate * share for rate in stock[name]["rates"]], rel=1e-12)
    decays = {name: decay for name, (_, decay) in drawn.groups(cfg).items()}
    assert decays == {name: decay for name, (_, decay) in stock[name]["groups"].items()}


VARIED = {
    "geometry": ("flip", "height", "left", "top", "red"),  # red: which of the pictures
    "wrapped": ("flip", "height", "left", "top", "red"),
    "photometric": ("blue", "green", "red"),
}


@pytest.fixture(scope="module")
def ours(configs):
    """What our trainings draw with these configs, by default."""
    found = {}
    for name in SETS:
        cfg = prepared(configs[name])
        assert cfg.train_dataloader.dataset.type == "SeededDataset"
        found[name] = drawn.drawn(cfg)
    return found


@pytest.mark.parametrize("name", SETS)
def test_augmentations_are_distributed_as_those_of_mmsegmentation(stock, ours, name):
    """Both sides have fixed seeds, so this passes always or never; four standard errors are allowed."""
    names = VARIED[name]
    for feature in names:
        assert len(ours[name][feature]) == len(stock[name][feature]) == drawn.NUM_DRAWS
        assert np.std(stock[name][feature]) > 0
        assert ks_2samp(ours[name][feature], stock[name][feature]).pvalue > 1e-3, feature
    table, expected = (np.array([side[name][feature] for feature in names]) for side in (ours, stock))
    error = 1 / np.sqrt(drawn.NUM_DRAWS)
    apart = np.corrcoef(table) - np.corrcoef(expected)  # such as of scale and offset, which depend on each other
    assert np.abs(apart).max() < 4 * np.sqrt(2) * error
    following = np.corrcoef(table[:, :-1], table[:, 1:])[: len(table), len(table) :]
    is_random = np.array([feature != "red" or name == "photometric" for feature in names])  # pictures are shuffled
    assert np.abs(following[np.ix_(is_random, is_random)]).max() < 4 * error  # a draw says nothing of the next one


@pytest.mark.parametrize("name", ["geometry", "wrapped"])
def test_both_draw_the_same_pictures_in_the_same_order(stock, ours, name):
    assert ours[name]["red"] == stock[name]["red"]
    assert len(set(ours[name]["red"])) == 3
