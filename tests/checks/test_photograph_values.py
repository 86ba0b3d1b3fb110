"""Photographs whose bands, bits or values need a setting, or cannot be converted to RGB of 8 bits."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from semseg.checks.config import check_config
from semseg.config import load_config
from semseg.datasets.transforms import bits_of
from semseg.errors import DataError
from tests.checks.sets import check_set, image_of, photograph, plain_config, write_set

RECIPE = Path(__file__).parents[2] / "configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py"


def deepen(path, numbers, highest):
    """Store photographs of a set in 16 bits, up to a value."""
    for number in numbers:
        values = np.asarray(photograph(number)).astype(np.float64)
        values = np.rint((values - values.min()) / np.ptp(values) * highest).astype(np.uint16)
        cv2.imwrite(str(image_of(path, number)), values)


@pytest.mark.parametrize(("highest", "bits"), [(255, 8), (1023, 10), (4095, 12), (16383, 14)])
@pytest.mark.parametrize("deep", [False, True])
def test_photographs_that_use_few_of_16_bits_are_an_error_that_names_the_key(here, highest, bits, deep):
    path = write_set(here, {"train": 4})
    deepen(path, (0, 1), highest)
    line = check_set(path, deep=deep)["image-bits"]
    assert line.startswith(
        f"error train: all 2 photographs of 16 bits never exceed {highest} (highest value {highest}, x/images/train/0"
    )
    assert f"set bits: {bits} in x/dataset.yaml (16 if they are only dark)" in line
    content = path.read_text()
    for given in (bits, 16):
        path.write_text(content + f"bits: {given}\n")
        assert check_set(path, deep=deep) == {}


def test_values_are_remembered(here):
    path = write_set(here, {"train": 2})
    deepen(path, (0, 1), 4095)
    first = check_set(path)
    assert check_set(path) == first


def test_photographs_of_16_bits_in_full_are_fine(here):
    path = write_set(here, {"train": 2})
    deepen(path, (0, 1), 65535)
    assert check_set(path) == {}
    path.write_text(path.read_text() + "bits: 12\n")
    line = check_set(path)["image-above-bits"]
    assert "all 2 photographs of 16 bits do not fit bits: 12" in line
    assert "it holds values up to 65535, and 12 bits end at 4095" in line


def test_bits_without_effect_are_a_warning(here):
    path = write_set(here, {"train": 2}, bits=12)
    assert check_set(path) == {
        "bits-unused": "warning train: bits: 12 has no effect: none of 2 photographs stores 16 bits; leave it out"
    }
    path.write_text(path.read_text().replace("bits: 12", "bits: 12.5"))
    with pytest.raises(DataError, match=r"dataset\.yaml: bits 12\.5: "):
        check_set(path)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    ("values", "options", "what"),
    [
        (np.zeros((32, 48, 8), np.uint16), {"photometric": "minisblack"}, "holds 8 bands of 16 bits marked as grey"),
        (np.zeros((32, 48, 4), np.uint8), {"photometric": "minisblack"}, "holds 4 bands of 8 bits marked as grey"),
        (
            np.zeros((32, 48, 4), np.uint8),
            {"photometric": "rgb", "extrasamples": ["unspecified"]},
            "holds 4 bands of 8 bits; expected 1 or 3",
        ),
        (
            np.zeros((32, 48, 3), np.float32),
            {"photometric": "rgb"},
            "holds 3 bands of floating-point numbers of 32 bits",
        ),
    ],
)
def test_unsupported_kinds_are_named(here, values, options, what, deep):
    path = write_set(here, {"train": 3})
    path.write_text(path.read_text() + "image_suffix: [.png, .tif]\n")
    image_of(path).unlink()
    tifffile.imwrite(image_of(path, suffix=".tif"), values, planarconfig="contig", **options)
    lines = check_set(path, deep=deep)
    assert list(lines) == ["image-kind"]
    assert lines["image-kind"].startswith(
        f"error train: 1 of 3 photographs cannot be read as RGB, first x/images/train/00.tif: it {what}"
    )


def test_a_config_can_set_the_bits_at_its_loader(here):
    path = write_set(here)
    deepen(path, range(2), 4095)
    cfg = plain_config(here)
    codes = {finding.code: finding.message for finding in check_config(cfg, ["train"]).findings}
    assert "set it at LoadPhotograph in the config" in codes["image-bits"]
    loader = {"type": "LoadPhotograph", "bits": 12}
    cfg.train_dataloader.dataset.pipeline[0] = loader
    assert not check_config(cfg, ["train"]).findings
    cfg.train_dataloader.dataset.pipeline[0] = {"type": "LoadMyBands"}  # other code loads them
    assert not check_config(cfg, ["train"]).findings


def test_the_bits_of_a_set_reach_every_loader_of_photographs(here):
    path = write_set(here, bits=12)
    cfg = load_config(RECIPE, data=path)
    for name in ("train", "val", "test"):
        step = cfg[f"{name}_dataloader"].dataset.pipeline[0]
        assert (step.type, step.bits) == ("LoadPhotograph", 12)
    assert cfg.tta_pipeline[0].bits == 12


def test_a_built_set_has_its_bits(here):
    init_default_scope("mmseg")
    path = write_set(here, {"train": 2}, bits=12)
    deepen(path, (0, 1), 4095)
    pipeline = [{"type": "LoadPhotograph", "bits": 12}, {"type": "LoadTrainIds"}]
    dataset = DATASETS.build(dict(type="FolderSegDataset", dataset_file=str(path), split="train", pipeline=pipeline))
    assert bits_of(dataset) == 12
    assert dataset[0]["img"].max() == 255
