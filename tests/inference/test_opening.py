"""A checkpoint is read once per program, for its description, its classes and its weights."""

import builtins
import io
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image

from semseg import Segmenter
from semseg.checkpoints import reading
from semseg.checkpoints.publish import publish
from semseg.cli import infer
from tests.checkpoints.described import SMALL, save, small_config
from tests.conftest import CONFIG
from tests.inference.test_predictor import lively_checkpoint, picture


@pytest.fixture(scope="module")
def checkpoint_path(tmp_path_factory):
    return save(tmp_path_factory.mktemp("trained") / "best.pth", lively_checkpoint(small_config()))


@pytest.fixture
def counts(monkeypatch):
    """How often functions were called with each file: `open` of Python, and the readers of PyTorch and safetensors."""
    counts = Counter()

    def count_calls(module, name):
        original = getattr(module, name)

        def counting(path, *args, **options):
            if isinstance(path, (str, Path)):
                counts[name, Path(path).name] += 1
            return original(path, *args, **options)

        monkeypatch.setattr(module, name, counting)

    count_calls(builtins, "open")
    count_calls(io, "open")
    count_calls(torch, "load")
    count_calls(reading, "safe_open")
    return counts


def test_a_segmenter_opens_its_checkpoint_once(checkpoint_path, counts):
    Segmenter(checkpoint_path, device="cpu")
    assert (counts["open", "best.pth"], counts["load", "best.pth"]) == (1, 1)


def test_a_segmenter_with_a_config_opens_its_checkpoint_once(checkpoint_path, counts):
    Segmenter(checkpoint_path, CONFIG, device="cpu", cfg_options=SMALL)
    assert (counts["open", "best.pth"], counts["load", "best.pth"]) == (1, 1)


def test_a_safetensors_file_is_read_once(checkpoint_path, counts, tmp_path):
    publish(checkpoint_path, tmp_path)
    counts.clear()
    (path,) = (path for path in tmp_path.iterdir() if path.suffix == ".safetensors")
    Segmenter(path, device="cpu")
    assert counts["safe_open", path.name] == 1


def test_the_program_opens_its_checkpoint_once(checkpoint_path, counts, tmp_path):
    Image.fromarray(picture(64, 96)).save(tmp_path / "a.png")
    assert infer.main([str(checkpoint_path), str(tmp_path / "a.png"), "--out-dir", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out/pred/a.png").is_file()
    assert (counts["open", "best.pth"], counts["load", "best.pth"]) == (1, 1)
