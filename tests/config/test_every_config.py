"""Every config in `configs/` learns, predicts and is restored from a checkpoint; every backbone and head is exported.

A folder or a file that is added later is tried as well: nothing here is a list of names. The pictures have 64x64
pixels, ResNet-50 and -101 a quarter of their channels, and SegFormer-B3 to -B5 at most six blocks in each stage; all
other networks are as they are. Exporting takes most of the time, so configs are exported until every type of backbone
and head was part of one, first the small ones for ToyCity, and with fewer of the blocks that repeat.
"""

import collections
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from mmseg.registry import MODELS

from semseg.checkpoints.loading import load_strictly
from semseg.checkpoints.reading import read_checkpoint
from semseg.config import for_inference, load_config
from semseg.config.classes import classes_of
from semseg.config.recipes import recipes, recipes_dir
from semseg.config.tree import counting_heads, inner_datasets, inner_datasets_with_keys
from semseg.errors import InvalidConfigError
from semseg.export.model_file import export, facts_of
from semseg.export.traceable import Traceable
from semseg.inference import Predictor
from semseg.inference.onnx_predictor import OnnxPredictor
from semseg.labels import distinct_colors
from semseg.training import for_training
from tests.checkpoints.described import checkpoint, save
from tests.config.test_model_zoo import narrow_options, offline_options, size_options

CONFIGS = sorted(recipes().values())
SPLITS = ("train", "val", "test")
SIDE = 64  # of pictures and crops
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SHORT = {  # by backbone: a second block of the same kind makes an export slower, and no different
    "CGNet": ["model.backbone.num_blocks=(2,2)"],
    "MixVisionTransformer": ["model.backbone.num_layers=[1,1,1,1]"],
    "SwinTransformer": ["model.backbone.depths=[2,1,1,1]"],
}


def test_the_configs_are_all_files_outside_base_and_their_names_are_unique():
    files = {path for path in recipes_dir().rglob("*.py") if "_base_" not in path.parts}
    names = collections.Counter(path.stem for path in files)
    assert [name for name, count in names.items() if count > 1] == []
    assert set(CONFIGS) == files
    assert len(CONFIGS) > 50


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """What a data set passes to its pipeline: the paths of two pictures and of their masks of train ids 0 and 1."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    samples = []
    for name in "ab":
        train_ids = np.kron(rng.integers(0, 2, (4, 4), np.uint8), np.ones((SIDE // 4, SIDE // 4), np.uint8))
        photo = (train_ids[..., None] * 150 + rng.integers(0, 60, (SIDE, SIDE, 3))).astype(np.uint8)
        paths = dict(img_path=str(folder / f"{name}.png"), seg_map_path=str(folder / f"{name}_mask.png"))
        cv2.imwrite(paths["img_path"], photo)
        cv2.imwrite(paths["seg_map_path"], train_ids)
        samples.append(dict(paths, label_map=None, reduce_zero_label=False))
    return samples


def load_small(path, folder, options=()):
    """Return a config for small pictures, as a training gets it.

    Args:
        path: of the config.
        folder: for the dataset.yaml of a set that is not here.
        options: `key=value` strings, after those for small pictures.

    Raises:
        ValueError: a package that it needs is not installed.
    """
    cfg = Config.fromfile(path, import_custom_modules=False)
    options = [*offline_options(path), *size_options(path, SIDE), *missing_dataset_options(cfg, folder), *options]
    if narrow_options(cfg.model) and "c1_in_channels" in cfg.model.decode_head:
        options.append(f"model.decode_head.c1_in_channels={cfg.model.decode_head.c1_in_channels // 4}")
    if cfg.model.backbone.type == "MixVisionTransformer":
        depths = [min(depth, 6) for depth in cfg.model.backbone.num_layers]
        options.insert(0, f"model.backbone.num_layers={depths}".replace(" ", ""))
    cfg = load_config(path, options)
    cfg.test_dataloader = cfg.val_dataloader  # whose pictures are small
    return for_training(cfg, dry_run=True)


def missing_dataset_options(cfg, folder):
    """Yield options that replace each `dataset_file` that does not exist by one with as many classes as the model."""
    for name in ("train", "val"):
        place = f"{name}_dataloader.dataset"
        for key, dataset in inner_datasets_with_keys(cfg[f"{name}_dataloader"].dataset, place):
            if "dataset_file" in dataset and not Path(dataset.dataset_file).is_file():
                _, head = next(counting_heads(cfg.model))
                splits = {split: dict(images=f"{split}/photos", masks=f"{split}/masks") for split in SPLITS}
                classes = [f"class {number}" for number in range(head["num_classes"])]
                file = folder / "dataset.yaml"
                file.write_text(yaml.safe_dump(dict(splits=splits, encoding="ids", classes=classes)))
                yield f"{key}.dataset_file={file}"


def batch_of(loader, samples):
    """Return a batch of pictures that went through the pipeline of a dataloader."""
    pipeline = Compose(inner_datasets(loader.dataset)[0].pipeline)
    return pseudo_collate([pipeline(dict(sample, seg_fields=[])) for sample in samples])


def save_weights(cfg, model, path):
    """Write a checkpoint of a model as a training does, with the classes of its data set."""
    classes = classes_of(cfg.train_dataloader)
    return save(path, checkpoint(cfg, model.state_dict(), classes=classes, palette=distinct_colors(len(classes))))


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_config_learns_predicts_and_is_restored(path, samples, tmp_path):
    try:
        cfg = load_small(path, tmp_path)
    except InvalidConfigError as error:
        assert_names_the_package(error)
        return
    init_default_scope("mmseg")
    set_random_seed(0)  # of the weights, and of the crops
    model = MODELS.build(cfg.copy().model).to(DEVICE)
    before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    for group in wrapper.param_groups:
        group["lr"] /= 100  # the rate is for a warm-up or pretrained weights, and for larger pictures
    losses = model.train_step(batch_of(cfg.train_dataloader, samples), wrapper)
    assert all(torch.isfinite(value).all() for value in losses.values())
    learnt = {name.partition(".")[0] for name, weights in model.named_parameters() if (weights != before[name]).any()}
    assert learnt == {name.partition(".")[0] for name in before}

    batch = batch_of(cfg.val_dataloader, samples[:1])
    (predicted,) = model.eval().val_step(batch)
    assert predicted.pred_sem_seg.data.shape == (1, SIDE, SIDE)
    assert torch.isfinite(predicted.seg_logits.data).all()
    assert len(predicted.seg_logits.data) == len(classes_of(cfg.val_dataloader))

    file = save_weights(cfg, model, tmp_path / "model.pth")
    restored = MODELS.build(for_inference(cfg, file).model)
    loaded = load_strictly(restored, read_checkpoint(file), file)
    assert loaded.keys() == model.state_dict().keys()
    (again,) = restored.to(DEVICE).eval().val_step(batch)
    assert torch.equal(again.seg_logits.data, predicted.seg_logits.data)


def assert_names_the_package(error):
    """Check the sentence about a package that is not installed, and that it is not."""
    found = re.search(r"needs (mm\w+), and the package \1 is not installed: pip install -e '\.\[\1\]'", str(error))
    assert found, str(error)
    with pytest.raises(ImportError):
        __import__(found[1])


def configs_to_export():
    """Yield configs that together have every type of backbone and head, with the type of the backbone."""
    seen = set()
    for path in sorted(CONFIGS, key=lambda path: (path.parent.name != "toycity", path)):
        model = Config.fromfile(path, import_custom_modules=False).model
        if not {model.backbone.type, model.decode_head.type} <= seen:
            seen |= {model.backbone.type, model.decode_head.type}
            yield path, model.backbone.type


@pytest.mark.slow
def test_every_backbone_and_every_head_is_exported(tmp_path):
    exported = []
    for path, backbone in configs_to_export():
        try:
            cfg = load_small(path, tmp_path, SHORT.get(backbone, ()))
        except InvalidConfigError as error:
            assert_names_the_package(error)
            continue
        init_default_scope("mmseg")
        set_random_seed(0)
        file = save_weights(cfg, MODELS.build(cfg.copy().model), tmp_path / "model.pth")
        cfg = for_inference(cfg, file)
        predictor = Predictor(cfg, file, "cpu")
        rng = np.random.default_rng(0)
        photo = cv2.resize(rng.integers(0, 256, (8, 8, 3), np.uint8), (SIDE, SIDE))
        scores, _ = predictor.scores(photo)
        predictor.model.decode_head.conv_seg.bias -= scores.flatten(1).median(dim=1).values  # several classes win
        facts = facts_of(predictor, cfg, read_checkpoint(file), file)
        network = Traceable(predictor.model, cfg)
        export(predictor, facts, tmp_path / "model.onnx", "onnx", [photo], network=network, size=(SIDE, SIDE))
        expected = predictor.predict([photo], confidence=True)[0]
        (found,) = OnnxPredictor(tmp_path / "model.onnx", "cpu").predict([photo], confidence=True)
        assert len(np.unique(expected.train_ids)) > 1, path
        assert np.quantile(np.abs(found.confidence - expected.confidence), 0.999) <= 1e-3, path
        exported.append(backbone)
    assert len(exported) >= 11
