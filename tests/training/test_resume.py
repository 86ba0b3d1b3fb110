"""The choice of the checkpoint that is continued."""

import shutil

import pytest
import torch
from mmengine.config import Config

from semseg.checkpoints.files import numbered_checkpoints
from semseg.training.resume import RESTARTED, resume_checkpoint
from tests.conftest import raises
from tests.training.asked import asked


@pytest.fixture
def work_dir(tmp_path):
    """Three checkpoints; last.pth points to the newest."""
    for number in (2, 4, 6):
        content = {
            "meta": {"seed": 7, "iter": number},
            "state_dict": {"a": torch.rand(999)},
            "optimizer": {},
            "message_hub": {},
        }
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


def test_the_checkpoint_that_was_written_last_is_the_newest(work_dir):
    (work_dir / "last.pth").unlink()
    (work_dir / "last.pth").symlink_to("iter_4.pth")  # iter_6.pth is of a run that was abandoned
    assert resumed(work_dir, "newest").load_from.endswith("iter_4.pth")


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(work_dir, damage, capsys):
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


def test_a_damaged_checkpoint_that_is_given_by_its_path_is_an_error(work_dir):
    (work_dir / "iter_6.pth").write_bytes(b"PK\x03\x04")
    with raises("E-checkpoint-damaged", r"iter_6\.pth .* \(its end is missing\)"):
        resumed(work_dir, str(work_dir / "iter_6.pth"))


def test_auto_starts_a_new_run_if_there_is_no_checkpoint(tmp_path):
    assert not resumed(tmp_path, "auto").resume


def test_no_checkpoint_is_an_error(tmp_path):
    with raises("E-checkpoint-missing", f"^`resume`: no checkpoint in {tmp_path}"):
        resumed(tmp_path, "newest")


def test_a_missing_checkpoint_names_those_beside_it(work_dir):
    with raises("E-checkpoint-missing", r"^`resume`: .*iter_9\.pth; .* iter_2\.pth, iter_4\.pth"):
        resumed(work_dir, str(work_dir / "iter_9.pth"))


def test_weights_alone_are_not_resumed(work_dir):
    torch.save({"meta": {}, "state_dict": {}}, work_dir / "best_mIoU_iter_4.pth")
    with raises("E-checkpoint-not-resumable", r"^`resume`: .*best_mIoU_iter_4\.pth .* optimizer; .* `load_from`$"):
        resumed(work_dir, str(work_dir / "best_mIoU_iter_4.pth"))


def test_another_seed_is_an_error(work_dir):
    with raises("E-config-resume-differs", r"^`seed` 1: .*iter_6\.pth .* seed 7; "):
        resumed(work_dir, "newest", randomness=dict(seed=1))


def test_epochs_are_ordered_as_they_were_trained(tmp_path):
    names = ["epoch_10.pth", "epoch_9_iter_95.pth", "epoch_9.pth", "epoch_2.pth"]
    for name in names[::-1]:
        torch.save({"meta": {"seed": 7}, "state_dict": {}, "optimizer": {}, "message_hub": {}}, tmp_path / name)
    assert [path.name for path in numbered_checkpoints(tmp_path)] == names
    assert resumed(tmp_path, "newest").load_from.endswith("epoch_10.pth")


def check(work_dir, wanted=None, **values):
    cfg = resumed(work_dir, wanted, **values)
    return asked(cfg, "work_folder", resume=wanted)


def test_a_folder_that_holds_another_run_is_refused(work_dir):
    with raises("E-config-used-folder", r" \(iter_2.pth, .* 1 more\): .* `resume`, .* `work_dir`$"):
        check(work_dir)
    check(work_dir, "newest")
    check(work_dir, "auto")
    check(work_dir, default_hooks=dict(checkpoint=None))  # it saves nothing


def test_a_folder_without_checkpoints_is_free(tmp_path):
    (tmp_path / "20250101_000000").mkdir()
    (tmp_path / "resnet50.pth").touch()  # no run names a checkpoint so
    check(tmp_path)
    check(tmp_path, "auto")


@pytest.mark.parametrize("name", ["best_mIoU_iter_4.pth", "best_IoU_person_epoch_3.pth", "best.pth", "epoch_1.pth"])
def test_one_file_of_a_run_is_enough(tmp_path, name):
    (tmp_path / name).touch()
    with raises("E-config-used-folder", f"another run .{name}"):
        check(tmp_path)


def test_auto_does_not_start_a_new_run_beside_checkpoints_that_cannot_be_resumed(work_dir):
    for path in work_dir.glob("iter_*.pth"):
        path.write_bytes(b"PK")
    with raises("E-config-used-folder", "`resume` auto can read none"):
        check(work_dir, "auto")
    assert not check(work_dir, RESTARTED).resume  # the launcher starts this same run again
    for path in work_dir.glob("iter_*.pth"):
        path.rename(work_dir / f"best_mIoU_{path.name}")
    with raises("E-config-used-folder", "none of them can be resumed"):
        check(work_dir)
    with raises("E-checkpoint-missing", r"^`resume`: nothing in .* \(best_mIoU_iter_2.pth, .* `load_from` "):
        check(work_dir, "newest")


def test_a_run_from_elsewhere_is_not_continued_among_the_files_of_another(work_dir, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(work_dir / "iter_4.pth", other)
    check(other / "new", str(work_dir / "iter_4.pth"))
    with raises("E-config-used-folder", r"^`resume` .*iter_4.pth: .*elsewhere\d+ .* `resume` alone"):
        check(other, str(work_dir / "iter_4.pth"))


def test_later_checkpoints_that_will_be_overwritten_are_named(work_dir):
    cfg = check(work_dir, str(work_dir / "iter_2.pth"))
    assert cfg.custom_hooks[0].lines == [
        "continues after iter_2.pth; later checkpoints will be overwritten: iter_6.pth, iter_4.pth"
    ]


def test_checkpoints_in_a_folder_of_their_own_are_found(work_dir):
    hooks = dict(checkpoint=dict(out_dir=str(work_dir.parent)))
    cfg = resumed(work_dir.parent / "runs" / work_dir.name, "newest", default_hooks=hooks)
    assert cfg.load_from == str(work_dir / "iter_6.pth")
