import random

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from semseg.config import load_config
from semseg.datasets import samples
from tests.conftest import CONFIG, raises

COLORS = [(200, 30, 10), (20, 180, 60)]  # red and blue differ: swapped channels would show


@pytest.fixture
def data(tmp_path):
    """A set of four pictures: the left half is class a and of one colour, the right half class b."""
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    train_ids = np.repeat([[0, 1]], 64, axis=0).repeat(64, axis=1).astype(np.uint8)
    for number in range(4):
        Image.fromarray(np.array(COLORS, np.uint8)[train_ids]).save(tmp_path / f"images/{number}.png")
        Image.fromarray(train_ids).save(tmp_path / f"masks/{number}.png")
    content = {
        "splits": {"train": {"images": "images", "masks": "masks"}},
        "encoding": "ids",
        "classes": ["a", "b"],
    }
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "dataset.yaml"


def test_pairs_of_a_dataset_file_come_as_they_are(data):
    found = samples.from_dataset_file(data, "train", 3)
    assert (len(found.samples), found.num_all, found.classes) == (3, 4, ("a", "b"))
    for image, train_ids, name in found.samples:
        np.testing.assert_array_equal(image, np.array(COLORS, np.uint8)[train_ids])
        assert name.endswith(".png")
    assert len({sample.name for sample in found.samples}) == 3


@pytest.mark.slow
def test_a_config_gives_what_its_pipeline_makes_in_rgb_and_padded(data):
    cfg = load_config(CONFIG, ["model.data_preprocessor.size=(150,256)"], data=data)
    steps = cfg.train_dataloader.dataset.pipeline
    steps[:] = [step for step in steps if step.type != "PhotoMetricDistortion"]  # which changes colours
    found = samples.from_config(cfg, "train", 10)
    assert len(found.samples) == 4
    for image, train_ids, _ in found.samples:
        assert train_ids.shape == (150, 256)
        assert (train_ids[128:] == 255).all()  # below the crop of 128x256
        for train_id, color in enumerate(COLORS):
            of_class = image[train_ids == train_id]
            assert np.abs(np.median(of_class, axis=0) - color).max() <= 1
    assert len(samples.from_config(cfg, "train", 1).samples) == 1


@pytest.mark.slow
def test_the_same_seed_gives_the_same_samples_and_the_global_random_state_stays(data):
    cfg = load_config(CONFIG, data=data)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    expected = random.random(), np.random.rand(), torch.rand(1)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    first, second = (samples.from_config(cfg, "train", 3, seed=2).samples for _ in range(2))
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected
    for sample, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(sample.image, again.image)
        assert sample.name == again.name
    others = samples.from_config(cfg, "train", 3, seed=3).samples
    assert any((sample.image != other.image).any() for sample, other in zip(first, others, strict=True))


def test_wrong_requests_are_refused(data):
    cfg = load_config(CONFIG, data=data)
    with raises("E-input-range", "got 0"):
        samples.from_config(cfg, "train", 0)
    cfg.val_dataloader = None
    with raises("E-config-key", "val_dataloader"):
        samples.from_config(cfg, "val", 1)
    Image.new("L", (5, 4)).save(data.parent / "masks/0.png")
    with raises("E-data-size", r"masks/0\.png is 5x4, its image .*images/0\.png is 128x64"):
        samples.from_dataset_file(data, "train", 4)


def test_pixels_without_data_in_all_bands_are_ignored_as_in_training(tmp_path):
    values = np.random.default_rng(0).uniform(1, 9, (8, 8, 2)).astype(np.float32)
    values[0] = np.nan
    values[1, :, 0] = np.nan  # the other band has data
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "images/0.npy", values)
    Image.fromarray(np.ones((8, 8), np.uint8)).save(tmp_path / "masks/0.png")
    content = {
        "splits": {"train": {"images": "images", "masks": "masks"}},
        "encoding": "ids",
        "classes": ["a", "b"],
        "bands": [1, 2],
        "range": [0, 10],
    }
    (tmp_path / "dataset.yaml").write_text(yaml.safe_dump(content))
    (sample,) = samples.from_dataset_file(tmp_path / "dataset.yaml", "train", 1).samples
    assert (sample.train_ids[0] == 255).all()
    assert (sample.train_ids[1:] == 1).all()
    assert sample.image.shape == (8, 8, 3)
