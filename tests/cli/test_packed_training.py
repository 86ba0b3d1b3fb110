"""tools/dataset.py pack, and tools/train.py on what it has written."""

import json

import pytest

from semseg.config import load_config
from semseg.training import for_training
from tests.conftest import CONFIG, SHORT, raises, run
from tests.storage_server import BUCKET, SECRETS

pytestmark = pytest.mark.slow


def losses(town, work_dir):
    (scalars,) = (town / work_dir).glob("*/vis_data/scalars.json")
    return [row["loss"] for row in map(json.loads, scalars.read_text().splitlines()) if "loss" in row]


def test_a_training_on_a_packed_set_has_the_same_losses(town):
    run(town, "dataset.py", "pack", CONFIG, "--out", "packed/town")
    flags = [CONFIG, "--seed", 0, "--rare-crops", 0.5, *SHORT]
    run(town, "train.py", "--work-dir", "work_dirs/files", *flags)
    run(town, "train.py", "--work-dir", "work_dirs/packed", "--packed", "packed/town", *flags)
    assert len(losses(town, "work_dirs/files")) == 4
    assert losses(town, "work_dirs/packed") == losses(town, "work_dirs/files")


def test_a_training_on_a_packed_set_in_a_storage_has_the_same_losses(town, storage):
    run(town, "dataset.py", "pack", CONFIG, "--out", "packed/stored")
    for name in ("train.tiles", "train.npz", "pack.json"):
        storage.put(f"stored/{name}", (town / "packed/stored" / name).read_bytes())
    flags = [CONFIG, "--seed", 0, "--rare-crops", 0.5, *SHORT, "train_dataloader.num_workers=2"]
    run(town, "train.py", "--work-dir", "work_dirs/from_disk", "--packed", "packed/stored", *flags)
    run(town, "train.py", "--work-dir", "work_dirs/from_storage", "--packed", f"s3://{BUCKET}/stored", *flags)
    assert len(losses(town, "work_dirs/from_disk")) == 4
    assert losses(town, "work_dirs/from_storage") == losses(town, "work_dirs/from_disk")
    assert [path for method, path in storage.requests if path.endswith("train.tiles")]
    storage.always = "expired"
    address = f"s3://{BUCKET}/stored"
    done = run(town, "train.py", "--work-dir", "work_dirs/expired", "--packed", address, *flags, code=2)
    assert f"credentials for s3://{BUCKET} have expired (ExpiredToken)" in done.stderr
    assert [secret for secret in SECRETS.values() if secret in done.stdout + done.stderr] == []


def test_what_a_packed_set_cannot_be_used_with_is_an_error(town, monkeypatch):
    monkeypatch.chdir(town)
    cfg = load_config(CONFIG, work_dir="work_dirs/none")
    with raises("E-config-conflict", "`packed` and `performance` stock: .*; leave one out"):
        for_training(cfg, packed="packed/town", performance="stock")
    cfg.train_dataloader.sampler = dict(type="OwnSampler")
    with raises("E-config-unsupported", "`packed` needs the sampler InfiniteSampler or DefaultSampler, not OwnSampler"):
        for_training(cfg, packed="packed/town")
    done = run(town, "train.py", CONFIG, "--work-dir", "work_dirs/none", "--packed", "nowhere", *SHORT, code=2)
    assert "nowhere is no packed set; make one with tools/dataset.py pack" in done.stderr
