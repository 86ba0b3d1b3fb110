"""Where object storage is not supported, every program says so, and makes no folder named `s3:`."""

import pytest

from semseg.cli.main import main
from tests.conftest import CONFIG, raises

STORED = "s3://bucket/set"
SET = "root: {root}\nsplits:\n  train: {train}\n  val: val\nencoding: ids\nclasses: [road, sky]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", CONFIG, "--work-dir", STORED],
        ["train", CONFIG, "--data", f"{STORED}/dataset.yaml"],
        ["train", CONFIG, "--data", "stored.yaml"],
        ["train", CONFIG, "--data", "stored_split.yaml"],
        ["train", CONFIG, "--cfg-options", f"train_dataloader.dataset.data_root={STORED}"],
        ["test", CONFIG, "best.pth", "--work-dir", STORED],
        ["test", CONFIG, "best.pth", "--out", STORED],
        ["plan", "stored.yaml"],
        ["plan", f"{STORED}/dataset.yaml"],
        ["evaluate", STORED, "."],
        ["data", "check", "stored.yaml"],
        ["data", "check", f"{STORED}/dataset.yaml"],
        ["data", "stats", "stored.yaml"],
        ["data", "pack", "stored.yaml", "--out", "packed"],
        ["data", "pack", "stored.yaml", "--out", STORED],
        ["data", "split", "stored.yaml", "--out", STORED, "--group-by", "folder"],
        ["data", "suspects", "stored.yaml", "--checkpoint", "best.pth"],
        ["explain", "best.pth", "a.jpg", "--out-dir", STORED],
        ["explain", "best.pth", f"{STORED}/a.jpg"],
        ["gap", "best.pth", ".", "--reference", ".", "--out-dir", STORED],
        ["gap", "best.pth", STORED, "--reference", "."],
        ["curves", STORED],
        ["report", STORED],
        ["compare", STORED, STORED],
    ],
    ids=lambda arguments: " ".join(map(str, arguments)).replace(str(CONFIG), "CONFIG"),
)
def test_an_address_is_refused_by_a_sentence(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stored.yaml").write_text(SET.format(root=STORED, train="train"))
    (tmp_path / "stored_split.yaml").write_text(SET.format(root=".", train=f"{STORED}/train.txt"))
    (tmp_path / "best.pth").write_bytes(b"")
    before = sorted(path.name for path in tmp_path.iterdir())
    with raises("E-storage-here", "s3://bucket/set.*object storage is not supported here"):
        main(list(map(str, arguments)))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
