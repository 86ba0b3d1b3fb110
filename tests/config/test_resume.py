"""Which checkpoint is continued."""

import pytest
import torch
from mmengine.config import Config

from semseg.config.resume import resume_checkpoint


@pytest.fixture
def work_dir(tmp_path):
    """Three checkpoints; last.pth points to the newest."""
    for number in (2, 4, 6):
        content = {"meta": {"seed": 7, "iter": number}, "state_dict": {"a": torch.rand(999)}, "optimizer": {}}
        torch.save(content, tmp_path / f"iter_{number}.pth")
    (tmp_path / "last.pth").symlink_to("iter_6.pth")
    return tmp_path


def resumed(work_dir, wanted, **values):
    cfg = Config(dict(work_dir=str(work_dir), **values))
    resume_checkpoint(cfg, wanted)
    return cfg


def test_the_newest_is_continued_with_its_seed(work_dir):
    cfg = resumed(work_dir, "newest")
    assert (cfg.resume, cfg.load_from, cfg.randomness.seed) == (True, str(work_dir / "iter_6.pth"), 7)


def test_the_one_that_was_written_last_is_the_newest(work_dir):
    (work_dir / "last.pth").unlink()
    (work_dir / "last.pth").symlink_to("iter_4.pth")  # iter_6.pth is of a run that was given up
    assert resumed(work_dir, "newest").load_from.endswith("iter_4.pth")


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_one_is_named_and_the_one_before_it_used(work_dir, damage, capsys):
    content = bytearray((work_dir / "iter_6.pth").read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 2] ^= 1
    (work_dir / "iter_6.pth").write_bytes(content)
    assert resumed(work_dir, "newest").load_from.endswith("iter_4.pth")
    warned = capsys.readouterr().err
    assert "iter_6.pth is damaged" in warned
    assert "the one before it is used" in warned


def test_a_damaged_one_that_was_asked_for_is_an_error(work_dir):
    (work_dir / "iter_6.pth").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"iter_6\.pth is damaged \(its end is missing\)"):
        resumed(work_dir, str(work_dir / "iter_6.pth"))


def test_auto_starts_fresh_where_there_is_none(tmp_path):
    assert not resumed(tmp_path, "auto").resume


def test_no_checkpoint_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"--resume: no checkpoint in .*; leave it out to start a new run"):
        resumed(tmp_path, "newest")


def test_a_missing_one_names_those_beside_it(work_dir):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*iter_9\.pth; .* holds iter_2\.pth, iter_4\.pth"):
        resumed(work_dir, str(work_dir / "iter_9.pth"))


def test_weights_alone_are_not_resumed(work_dir):
    torch.save({"meta": {}, "state_dict": {}}, work_dir / "best_mIoU_iter_4.pth")
    with pytest.raises(ValueError, match="holds weights without the state of the optimizer; resume an iter_"):
        resumed(work_dir, str(work_dir / "best_mIoU_iter_4.pth"))


def test_another_seed_is_an_error(work_dir):
    with pytest.raises(ValueError, match=r"--seed 1: .* was trained with seed 7; leave --seed out"):
        resumed(work_dir, "newest", randomness=dict(seed=1))
