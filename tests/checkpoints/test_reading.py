import json

import pytest
import safetensors.torch
import torch
from mmengine.runner.checkpoint import CheckpointLoader

from semseg import compat
from semseg.checkpoints.description import classes_of, description_of, palette_of
from semseg.checkpoints.reading import METADATA_KEY, is_checkpoint, read_checkpoint
from tests.checkpoints.described import save
from tests.conftest import raises


def test_bare_weights_are_a_checkpoint_too(tmp_path):
    path = save(tmp_path / "a.pth", {"w": torch.ones(2)})
    assert read_checkpoint(path) == {"state_dict": {"w": pytest.approx(torch.ones(2))}, "meta": {}}
    assert read_checkpoint(path, mmap=True)["state_dict"]["w"].tolist() == [1, 1]


def test_the_format_before_pytorch_1_6_is_read(tmp_path):
    torch.save({"state_dict": {"w": torch.ones(2)}}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / "a.pth", mmap=True)["state_dict"]["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ([1, 2], "list"),
        ({"model": {"w": 1}}, "'model'"),
    ],
)
def test_a_file_without_weights_is_refused(tmp_path, content, value):
    with raises("E-checkpoint-no-weights", rf"a\.pth .* {value}"):
        read_checkpoint(save(tmp_path / "a.pth", content))


def test_a_safetensors_file_reads_as_a_checkpoint_also_for_mmengine(tmp_path):
    path = tmp_path / "a.safetensors"
    text = '{"dataset_meta":{"classes":{"__tuple__":["a","b"]},"palette":[[1,2,3],[4,5,6]]}}'
    safetensors.torch.save_file({"w": torch.ones(2)}, path, {METADATA_KEY: text})
    for content in (read_checkpoint(path), CheckpointLoader.load_checkpoint(str(path), "cpu", logger="silent")):
        assert content["state_dict"]["w"].tolist() == [1, 1]
        assert classes_of(content) == ("a", "b")
        assert palette_of(content) == ([1, 2, 3], [4, 5, 6])
    safetensors.torch.save_file({"w": torch.ones(2)}, path)  # without a description
    assert read_checkpoint(path)["meta"] == {}


@pytest.mark.parametrize("num_bytes", [0, 5, 60])
def test_a_truncated_safetensors_file_is_named(tmp_path, num_bytes):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"w": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:num_bytes])
    with raises("E-checkpoint-damaged", r"a\.safetensors .*\(.+\)"):
        read_checkpoint(path)


@pytest.mark.parametrize("text", ["{", "[1]", json.dumps({"__items__": 3})])
def test_a_safetensors_file_with_another_description_is_refused(tmp_path, text):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file({"w": torch.ones(2)}, path, {METADATA_KEY: text})
    with raises("E-checkpoint-description", r"a\.safetensors"):
        read_checkpoint(path)


@pytest.mark.parametrize("name", ["last.pth", "last.safetensors"])
def test_a_file_that_a_training_replaces_stays_the_same_within_a_program(tmp_path, name):
    def write(value):
        weights = {"w": torch.full((3,), float(value))}
        if name.endswith(".pth"):
            torch.save({"meta": {"iter": value}, "state_dict": weights}, tmp_path / "new")
        else:
            safetensors.torch.save_file(weights, tmp_path / "new", {METADATA_KEY: f'{{"iter": {value}}}'})
        (tmp_path / "new").replace(tmp_path / name)

    compat.repair()
    write(1)
    with compat.files_read_once():
        first = read_checkpoint(tmp_path / name, mmap=True)
        first["meta"]["iter"] = first["state_dict"]["w"] = None  # whoever reads it may change it
        write(2)
        for again in (read_checkpoint(tmp_path / name), CheckpointLoader.load_checkpoint(str(tmp_path / name), "cpu")):
            assert (again["meta"]["iter"], again["state_dict"]["w"].tolist()) == (1, [1.0] * 3)
    assert read_checkpoint(tmp_path / name)["meta"]["iter"] == 2


def test_a_missing_file_is_missing(tmp_path):
    for name in ("a.pth", "a.safetensors"):
        with pytest.raises(FileNotFoundError):
            read_checkpoint(tmp_path / name)
        assert is_checkpoint(name)
    assert not is_checkpoint("a.py")


def test_a_description_of_a_later_version_is_refused():
    assert description_of({"meta": {}}) == {}
    with raises("E-checkpoint-schema", r"a\.pth .*\b9\b.*\b1\b"):
        description_of({"meta": {"semseg": {"schema": 9}}}, "a.pth")
    for content in ("text", {}, {"schema": "1"}):
        with raises("E-checkpoint-description", r"a\.pth: meta\.semseg"):
            description_of({"meta": {"semseg": content}}, "a.pth")


def test_classes_of_mmsegmentation_0_are_found():
    meta = {"CLASSES": ["a"], "PALETTE": [[1, 2, 3]]}
    assert (classes_of({"meta": meta}), palette_of({"meta": meta})) == (("a",), ([1, 2, 3],))
    assert classes_of({"state_dict": {}}) is None
