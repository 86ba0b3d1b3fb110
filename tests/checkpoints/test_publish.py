import hashlib

import pytest
import torch

from semseg.checkpoints.description import classes_of, description_of
from semseg.checkpoints.fingerprint import weights_fingerprint
from semseg.checkpoints.publish import publish
from semseg.checkpoints.reading import read_checkpoint
from tests.checkpoints.described import checkpoint, save


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    content = checkpoint()
    for name, value in content["state_dict"].items():
        if value.dim() == 4:  # as a training in this layout leaves them
            content["state_dict"][name] = value.to(memory_format=torch.channels_last)
    return save(tmp_path_factory.mktemp("run") / "iter_4.pth", content)


def test_a_published_file_holds_weights_and_description_in_both_formats(path, tmp_path):
    before = read_checkpoint(path)
    done = publish(path, tmp_path / "new")
    assert (done.is_averaged, done.is_described) == (False, True)
    assert [file.suffix for file in done.paths] == [".pth", ".safetensors"]
    for file in done.paths:
        after = read_checkpoint(file)
        assert after.keys() == {"meta", "state_dict"}
        assert after["meta"].keys() == {"dataset_meta", "semseg", "iter", "epoch"}
        assert description_of(after) == description_of(before)  # the tuples too
        assert classes_of(after) == classes_of(before)
        assert after["state_dict"].keys() == before["state_dict"].keys()
        assert all(torch.equal(after["state_dict"][name], value) for name, value in before["state_dict"].items())
        assert file.stat().st_size < path.stat().st_size + 20_000


def test_names_hold_the_hash_and_publishing_twice_gives_the_same_bytes(path, tmp_path):
    first = publish(path, tmp_path / "a").paths
    second = publish(path, tmp_path / "b", read_checkpoint(path, mmap=True)).paths
    for path_a, path_b in zip(first, second, strict=True):
        digest = hashlib.sha256(path_a.read_bytes()).hexdigest()
        assert path_a.name == path_b.name == f"iter_4-{digest[:8]}{path_a.suffix}"
        assert path_a.read_bytes() == path_b.read_bytes()
    assert not list((tmp_path / "a").glob(".*"))


def test_published_weights_have_the_fingerprint_of_the_training(path, tmp_path):
    content = read_checkpoint(path)
    weights = content["state_dict"]
    expected = weights_fingerprint(weights)
    for file in (path, *publish(path, tmp_path).paths):
        for mmap in (False, True):
            assert weights_fingerprint(read_checkpoint(file, mmap=mmap)["state_dict"]) == expected
    assert weights_fingerprint(dict(reversed(weights.items()))) == expected
    name = next(name for name, value in weights.items() if value.is_floating_point())
    for changed in (
        weights[name] + 1e-3,
        weights[name].to(torch.bfloat16),
        weights[name].reshape(1, -1),
        torch.empty(0),
    ):
        assert weights_fingerprint({**weights, name: changed}) != expected
    assert weights_fingerprint({f"x.{name}": value for name, value in weights.items()}) != expected


def test_a_link_is_published_under_the_name_of_its_file(path, tmp_path):
    (path.parent / "best.pth").unlink(missing_ok=True)
    (path.parent / "best.pth").symlink_to(path.name)
    assert publish(path.parent / "best.pth", tmp_path).paths == publish(path, tmp_path).paths


def test_of_a_moving_average_the_average_is_published(path, tmp_path):
    content = read_checkpoint(path)
    raw = {f"module.{name}": value + 1 for name, value in content["state_dict"].items()}
    averaged = save(tmp_path / "ema.pth", {**content, "ema_state_dict": raw})
    done = publish(averaged)
    assert done.is_averaged
    assert done.paths[0].parent == tmp_path
    name = "decode_head.conv_seg.weight"
    assert torch.equal(read_checkpoint(done.paths[0])["state_dict"][name], content["state_dict"][name])


def test_a_checkpoint_without_description_keeps_its_meta_data(tmp_path):
    meta = {"dataset_meta": {"classes": ("a",), "palette": [[1, 2, 3]]}, "cfg": "x = 1", "mmengine_version": "0.10"}
    path = save(tmp_path / "a.pth", {"meta": meta, "state_dict": {"w": torch.ones(2)}, "optimizer": {}})
    done = publish(path)
    assert not done.is_described
    assert [read_checkpoint(file)["meta"] for file in done.paths] == [meta, meta]
