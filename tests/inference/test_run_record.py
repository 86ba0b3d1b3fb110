"""What the results in a folder were made with."""

import pytest
import torch

from semseg.inference import find_images
from semseg.inference.run_record import OPTIONS, describe_run, find_difference, read_record, write_record
from semseg.inference.segmenter import Segmenter
from tests.checkpoints.described import small_config
from tests.inference.brightness import save
from tests.inference.test_predictor import lively_checkpoint


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.pth"
    torch.save(lively_checkpoint(small_config()), path)
    return path


def describe(path, image, **options):
    names = ("precision", "tta", "bits", "cfg_options")
    arguments = {name: value for name, value in options.items() if name in names}
    predictor = Segmenter(path, device="cpu", **{"precision": "fp32", **arguments}).predictor
    return describe_run(predictor, path, image, options)


def test_a_run_is_described_by_the_model_the_options_and_the_inputs(model, tmp_path):
    for name in ("a/b/c.png", "a/d.png"):
        save(tmp_path / name)
    first, second = find_images(tmp_path / "a")
    record = describe(model, first, opacity=0.6, batch="4")
    assert record["inputs"] == str(tmp_path / "a")
    assert record["precision"] == "fp32"
    assert set(OPTIONS) < set(record)
    assert "batch" not in record  # has no effect on results
    assert find_difference(record, describe(model, second, opacity=0.6)) == ""
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    changes = {
        "`opacity` 0.6 instead of 1.0": {"opacity": 1.0},
        "`tta` off instead of flip": {"opacity": 0.6, "tta": "flip"},
        "`precision` fp32 instead of bf16": {"opacity": 0.6, "precision": "bf16"},
        "another config": {"opacity": 0.6, "cfg_options": ["model.decode_head.align_corners=True"]},
    }
    for words, options in changes.items():
        assert find_difference(record, describe(model, first, **options)) == words


def test_a_copy_of_a_checkpoint_is_the_same_and_other_weights_are_not(model, tmp_path):
    image = find_images(save(tmp_path / "a.png"))[0]
    copy, other = tmp_path / "copy.pth", tmp_path / "other.pth"
    copy.write_bytes(model.read_bytes())
    content = torch.load(model, weights_only=True)
    next(iter(content["state_dict"].values())).add_(1)
    torch.save(content, other)
    record = describe(model, image)
    assert find_difference(record, describe(copy, image)) == ""
    assert find_difference(record, describe(other, image)).startswith("checkpoint best.pth (")


def test_a_file_that_is_no_record_is_none(tmp_path):
    assert read_record(tmp_path) is None
    for content in ("", "[]", '{"schema": "semseg.run/1"}', '{"schema": "other", "run": {}}'):
        (tmp_path / "run.json").write_text(content)
        assert read_record(tmp_path) is None
