"""One or several dataset.yaml files replace the data sets of a config."""

import collections
import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from PIL import Image

from semseg import config
from semseg.checks.config import check_config
from semseg.config.classes import classes_of
from semseg.config.dataset_files import dataset_name
from semseg.config.tree import inner_datasets
from semseg.datasets.built_sets import names_of_set
from semseg.evaluation import for_testing
from semseg.training import for_training
from semseg.training.resume_agreement import _describe_data, _option_values
from tests.config.test_classes import RECIPE, write_checkpoint
from tests.conftest import CONFIG, raises

CLASSES = ["sand", "water"]


def write_set(folder, splits=("train", "val"), count=2, size=(64, 48), **more):
    """Write photographs and masks `001.png`, `002.png`, …; every mask holds both classes."""
    values = more.pop("values", (0, 1))
    for split in splits:
        for number in range(1, count + 1):
            for kind in ("photos", "masks"):
                (folder / kind / split).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(len(str(folder)) + number).integers(0, 256, (*size[::-1], 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"photos/{split}/{number:03}.png")
            mask = np.full(size[::-1], values[0], np.uint8)
            mask[:10] = values[1]
            mask = Image.fromarray(mask)
            if "palette" in more:
                mask.putpalette(more["palette"])
            mask.save(folder / f"masks/{split}/{number:03}.png")
    more.pop("palette", None)
    places = {split: {"images": f"photos/{split}", "masks": f"masks/{split}"} for split in splits}
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump({"splits": places, "encoding": "ids", "classes": CLASSES} | more))
    return path


@pytest.fixture
def coast(tmp_path):
    return write_set(tmp_path / "coast")


def files_in(cfg, name):
    return [part.dataset_file for part in inner_datasets(cfg[f"{name}_dataloader"].dataset)]


@pytest.mark.slow
def test_two_sets_are_read_as_one_and_their_results_stay_separate(tmp_path, coast):
    lake = write_set(tmp_path / "lake", count=3)
    cfg = config.load_config(RECIPE, data=[coast, lake])
    for name, num_images in (("train", 5), ("val", 5), ("test", 5)):
        assert files_in(cfg, name) == [str(coast), str(lake)]
        init_default_scope("mmseg")
        dataset = DATASETS.build({**cfg[f"{name}_dataloader"].dataset})
        assert len(dataset) == num_images
        assert dataset.metainfo["classes"] == tuple(CLASSES)
    assert sorted(map(str, names_of_set(dataset).values())) == [
        "coast/photos/val/001",
        "coast/photos/val/002",
        "lake/photos/val/001",
        "lake/photos/val/002",
        "lake/photos/val/003",
    ]
    assert cfg.model.decode_head.num_classes == 2
    assert [f.line() for f in check_config(cfg, ("train", "val")).findings if f.kind == "error"] == []


@pytest.fixture
def num_reads(monkeypatch):
    """Count how often each dataset.yaml is read, and how often YAML is parsed (None)."""
    counts = collections.Counter()
    read_bytes, safe_load = Path.read_bytes, yaml.safe_load

    def count_read(path):
        counts.update([path] if path.name == "dataset.yaml" else [])
        return read_bytes(path)

    def count_parse(text):
        counts[None] += 1
        return safe_load(text)

    monkeypatch.setattr(Path, "read_bytes", count_read)
    monkeypatch.setattr(yaml, "safe_load", count_parse)
    return counts


def test_each_file_is_read_and_parsed_once(tmp_path, coast, num_reads):
    lake = write_set(tmp_path / "lake")
    for_training(config.load_config(RECIPE, data=[coast, lake]))
    assert num_reads == {coast: 1, lake: 1, None: 2}


def test_an_edited_file_is_read_again(coast, num_reads):
    text = coast.read_text()
    versions = [
        ("sand", 1_000_000_000),
        ("salt", 1_000_000_001),  # the same size
        ("gravel", 1_000_000_001),  # the same time
    ]
    for number, (name, mtime_ns) in enumerate(versions, 1):
        coast.write_text(text.replace("sand", name))
        os.utime(coast, ns=(mtime_ns, mtime_ns))
        for _ in range(2):
            cfg = config.load_config(RECIPE, data=coast)
            assert classes_of(cfg.train_dataloader) == (name, "water")
        assert num_reads == {coast: number, None: number}


def test_one_file_in_a_list_is_the_file_alone(coast):
    assert config.load_config(RECIPE, data=[coast]).to_dict() == config.load_config(RECIPE, data=coast).to_dict()


@pytest.mark.slow
def test_colours_and_stored_values_may_differ_from_set_to_set(tmp_path, coast):
    red_green, green_red = (255, 0, 0, 0, 255, 0), (0, 255, 0, 255, 0, 0)
    for folder, values, palette, more in (
        ("a", (0, 1), red_green, {}),
        ("b", (1, 0), green_red, {"label_map": {1: "sand", 0: "water"}}),
    ):
        named = [{"name": name, "color": [9, 9, i + len(more)]} for i, name in enumerate(CLASSES)]
        write_set(tmp_path / folder, values=values, palette=palette, classes=named, **more)
    cfg = config.load_config(RECIPE, data=[tmp_path / "a/dataset.yaml", tmp_path / "b/dataset.yaml"])
    init_default_scope("mmseg")
    dataset = DATASETS.build({**cfg.val_dataloader.dataset})
    truths = [dataset[i]["data_samples"].gt_sem_seg.data.numpy() for i in (0, 2)]
    assert np.array_equal(*truths)
    assert [f.line() for f in check_config(cfg, ("train", "val")).findings if f.kind == "error"] == []


@pytest.mark.parametrize(
    ("classes", "difference"),
    [
        (["sand", "boat"], "only the first has water; only the second has boat"),
        (["water", "sand"], "the same names in another order"),
    ],
)
def test_sets_of_other_classes_are_refused(tmp_path, coast, classes, difference):
    other = write_set(tmp_path / "other", classes=classes)
    with raises("E-config-classes", rf"^`data`: .*coast/dataset\.yaml and .*other/dataset\.yaml .*: {difference}; "):
        config.load_config(RECIPE, data=[coast, other])


def test_a_file_given_twice_is_refused(tmp_path, coast):
    with raises("E-config-repeated", r"^`data` .*dataset\.yaml is given twice$"):
        config.load_config(RECIPE, data=[coast, coast])
    with raises("E-config-repeated", r"^`data` .*link\.yaml .*coast/dataset\.yaml"):
        (tmp_path / "link.yaml").symlink_to(coast)
        config.load_config(RECIPE, data=[coast, tmp_path / "link.yaml"])


def test_a_set_without_val_is_used_for_training_only_with_a_warning(tmp_path, coast, caplog):
    more = write_set(tmp_path / "more", splits=("train",))
    cfg = config.load_config(RECIPE, data=[more, coast])
    assert (files_in(cfg, "train"), files_in(cfg, "val")) == ([str(more), str(coast)], [str(coast)])
    for_training(cfg)
    assert re.search(r"validating on .*coast.* only: .*more.* has neither 'val' nor 'test'", caplog.text)
    with raises("E-config-split", r"more/dataset\.yaml .* 'test', only train; testing .*'val'"):
        for_testing(cfg, write_checkpoint(tmp_path, CLASSES))


def test_every_set_needs_a_split_to_train_on(tmp_path, coast):
    cfg = config.load_config(RECIPE, data=[coast, write_set(tmp_path / "more", splits=("val",))])
    with raises("E-config-split", r"more/dataset\.yaml .* 'train', only val; training "):
        for_training(cfg)


def test_views_turn_photographs_as_each_set_says(tmp_path, coast):
    stored = write_set(tmp_path / "stored", exif="ignore")
    checkpoint = write_checkpoint(tmp_path, CLASSES)
    for order in ([coast, stored], [stored, coast]):
        cfg = for_testing(config.load_config(RECIPE, data=order), checkpoint, tta=True)
        types = {part.dataset_file: part.pipeline[0].get("color_type") for part in cfg.test_dataloader.dataset.datasets}
        assert types == {str(coast): None, str(stored): "color_ignore_orientation"}


def test_the_folder_of_results_names_all_sets_also_those_of_one_name(tmp_path, coast):
    checkpoint = write_checkpoint(tmp_path, CLASSES)

    def folder(*paths):
        return for_testing(config.load_config(RECIPE, data=paths, work_dir="w"), checkpoint).work_dir

    twin = write_set(tmp_path / "elsewhere/coast")
    assert folder(coast) == "w/test/model-coast_val"
    assert folder(coast, write_set(tmp_path / "lake")) == "w/test/model-coast+lake_val"
    assert folder(coast, twin) == "w/test/model-coast+coast_val"
    many = [write_set(tmp_path / f"set{number}") for number in range(6)]
    assert re.fullmatch(r"w/test/model-set0\+set1\+set2\+3_more-[0-9a-f]{8}_val", folder(*many))


def test_a_set_is_named_by_its_file_or_by_the_folder_of_its_data(tmp_path):
    assert dataset_name({"dataset_file": str(tmp_path / "coast/dataset.yaml")}) == "coast"
    assert dataset_name({"type": "RepeatDataset", "dataset": {"data_root": "data/lake/"}}) == "lake"
    assert dataset_name({"datasets": [{"data_root": "data/lake"}, {}]}) == "lake+data"
    assert dataset_name({}) == dataset_name({"data_root": "/"}) == "data"


def test_overfitting_takes_the_first_set_and_says_so(tmp_path, coast, caplog):
    cfg = config.load_config(RECIPE, data=[coast, write_set(tmp_path / "lake")])
    cfg = for_training(cfg, overfit=2)
    assert files_in(cfg, "train") == files_in(cfg, "val") == [str(coast)]
    assert f"overfit takes images from the first of the data sets only, {coast}" in caplog.text


def test_joined_sets_of_other_classes_in_a_config_are_refused(tmp_path, coast):
    other = write_set(tmp_path / "other", classes=["sand", "boat"])
    path = tmp_path / "joined.py"
    path.write_text(
        f"_base_ = {str(RECIPE)!r}\n"
        f"_one = dict(type='FolderSegDataset', dataset_file={str(coast)!r}, split='val')\n"
        f"_two = dict(type='FolderSegDataset', dataset_file={str(other)!r}, split='val')\n"
        "val_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=[_one, _two]))\n"
    )
    with raises("E-config-classes", r"joined\.py: val_dataloader .*coast.* .*other.*: only the first has water"):
        config.load_config(path)


def test_a_run_is_continued_with_all_its_sets():
    sets = [{"dataset_file": "a.yaml"}, {"dataset_file": "b.yaml"}]
    assert _describe_data(sets) == "the data of a.yaml, b.yaml"
    assert _option_values("tools/train.py c.py --data a.yaml --amp --data=b.yaml", "--data") == ["a.yaml", "b.yaml"]


def test_a_metric_for_one_data_set_becomes_the_iou(tmp_path, coast, caplog):
    recipe = tmp_path / "recipe.py"
    metric = "dict(type='CityscapesMetric', output_dir='x', format_only=True)"
    recipe.write_text(f"_base_ = [{str(RECIPE)!r}]\ntest_evaluator = dict(_delete_=True, **{metric})\n")
    assert config.load_config(recipe, data=coast).test_evaluator == dict(type="ConfusionMetric", iou_metrics=["mIoU"])
    assert "test_evaluator counts IoU instead of CityscapesMetric" in caplog.text


def test_the_normalisation_of_16_bits_is_told(tmp_path, coast, caplog):
    config.load_config(RECIPE, data=coast)
    assert "normalised" not in caplog.text
    for path in (coast.parent / "photos/train").iterdir():
        Image.fromarray(np.full((48, 64), 60000, np.uint16)).save(path)
    config.load_config(RECIPE, data=coast)
    assert (
        "photographs of 16 bits or one band are read as RGB from 0 to 255, and normalised with the mean" in caplog.text
    )


MOSAIC = """
_base_ = {base!r}
loading = [dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")]
mixing = [dict(type="RandomMosaic", prob=1, img_scale=(32, 32)), dict(type="RandomCrop", crop_size=(48, 48)),
          dict(type="PackSegInputs")]
mixed = dict(type="MultiImageMixDataset", pipeline=mixing,
             dataset=dict(type="CityscapesDataset", data_root="x", pipeline=loading))
train_dataloader = dict(dataset=dict(_delete_=True, {dataset}))
"""


@pytest.mark.parametrize("count", [1, 2])
def test_a_pipeline_that_mixes_pictures_stays_around_the_sets(tmp_path, caplog, count):
    paths = [write_set(tmp_path / f"set {number}") for number in range(count)]
    path = tmp_path / "mosaic.py"
    path.write_text(MOSAIC.format(base=str(CONFIG), dataset="type='RepeatDataset', times=2, dataset=mixed"))
    cfg = config.load_config(path, data=paths)
    dataset = cfg.train_dataloader.dataset
    assert (dataset.type, len(inner_datasets(dataset))) == ("MultiImageMixDataset", count)
    assert (
        "all sizes of the config stay, as a pipeline outside of the sets uses them: train_dataloader (" in caplog.text
    )
    validated = [
        inner_datasets(part.val_dataloader.dataset)[0].pipeline[1] for part in (cfg, config.load_config(CONFIG))
    ]
    assert validated[0] == validated[1]
    init_default_scope("mmseg")
    sample = DATASETS.build(for_training(cfg, check=False).train_dataloader.dataset)[0]
    assert sample["inputs"].shape == (3, 48, 48)


def test_a_pipeline_that_mixes_some_of_the_sets_is_refused(tmp_path, coast):
    path = tmp_path / "mosaic.py"
    path.write_text(MOSAIC.format(base=str(CONFIG), dataset="type='ConcatDataset', datasets=[mixed, mixed]"))
    with raises("E-config-unsupported", r"train_dataloader\.dataset\.datasets\.0 \(MultiImageMixDataset\)"):
        config.load_config(path, data=coast)
