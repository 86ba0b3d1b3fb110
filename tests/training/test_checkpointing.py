"""The checkpoints that a run saves, and those that it deletes: only its own."""

from pathlib import Path

import pytest
import torch

from bench.crash_model import CrashModel
from bench.recording import record
from bench.system_calls import is_supported
from semseg import compat
from semseg.system.atomic import write_durably
from semseg.training import checkpointing
from tests.training.toy_runs import toy_runner


def trained(*args, keep=2, **kwargs):
    runner = toy_runner(*args, default_hooks=dict(checkpoint=dict(max_keep_ckpts=keep)), **kwargs)
    runner.train()
    return runner


def names(folder):
    return {path.name for path in Path(folder).glob("*.pth") if not path.is_symlink()}


def test_the_newest_and_the_best_are_kept(tmp_path):
    trained(tmp_path, 8, scores=[10, 40, 20, 30])
    assert names(tmp_path) == {"iter_6.pth", "iter_8.pth", "best_mIoU_iter_4.pth"}


def test_the_files_of_another_run_are_kept(tmp_path):
    others = {"best_mIoU_iter_80000.pth", "best_mIoU_iter_1.pth", "iter_1.pth", "iter_80000.pth"}
    for name in others:
        (tmp_path / name).touch()
    trained(tmp_path, 8, scores=[10, 20, 30, 40])
    assert names(tmp_path) == others | {"iter_6.pth", "iter_8.pth", "best_mIoU_iter_8.pth"}


def test_a_resumed_run_deletes_its_own_files_from_before_the_resume(tmp_path):
    trained(tmp_path, 4, scores=[10, 20])
    (tmp_path / "best_mIoU_iter_3.pth").touch()
    resumed = trained(tmp_path, 8, scores=[0, 0, 30, 20], resume=tmp_path / "iter_4.pth")
    assert names(tmp_path) == {"iter_6.pth", "iter_8.pth", "best_mIoU_iter_6.pth", "best_mIoU_iter_3.pth"}
    assert resumed.message_hub.get_info("own_checkpoints") == ["best_mIoU_iter_6.pth", "iter_6.pth", "iter_8.pth"]


@pytest.mark.slow
def test_all_files_beside_a_checkpoint_that_lists_no_files_count_as_its_runs(tmp_path):
    trained(tmp_path, 4, scores=[10, 20])
    content = compat.load_checkpoint_file(tmp_path / "iter_4.pth")
    del content["message_hub"]["runtime_info"]["own_checkpoints"]
    torch.save(content, tmp_path / "iter_4.pth")
    trained(tmp_path, 8, scores=[0, 0, 30, 20], resume=tmp_path / "iter_4.pth")
    assert names(tmp_path) == {"iter_6.pth", "iter_8.pth", "best_mIoU_iter_6.pth"}


@pytest.mark.slow
def test_a_run_that_is_continued_in_another_folder_changes_nothing_in_the_first_one(tmp_path):
    trained(tmp_path / "first", 4, scores=[10, 20])
    before = names(tmp_path / "first")
    trained(tmp_path / "second", 8, scores=[0, 0, 30, 20], resume=tmp_path / "first/iter_4.pth")
    assert names(tmp_path / "first") == before
    assert names(tmp_path / "second") == {"iter_6.pth", "iter_8.pth", "best_mIoU_iter_6.pth"}


@pytest.mark.skipif(not is_supported(), reason="needs seccomp of Linux on x86-64")
def test_after_a_power_cut_a_link_never_leads_to_a_deleted_checkpoint(tmp_path):
    for name in ("before", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "iter_1.pth").write_bytes(b"1")
        (tmp_path / name / "last.pth").symlink_to("iter_1.pth")

    def save():
        write_durably(tmp_path / "out/iter_2.pth", b"2")
        checkpointing._link(tmp_path / "out/last.pth", "iter_2.pth")
        (tmp_path / "out/iter_1.pth").unlink()

    code, operations = record(save, tmp_path / "out", tmp_path / "log")
    assert code == 0, (tmp_path / "log").read_text()
    states = list(CrashModel(tmp_path / "before", operations).states(num_random=5))
    assert {state.links["last.pth"] for state in states} == {"iter_1.pth", "iter_2.pth"}
    assert all(state.files.get(state.links["last.pth"]) in (b"1", b"2") for state in states)
