import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from bench.crash_model import CrashModel
from bench.recording import record
from bench.system_calls import is_supported
from semseg.errors import DiskError
from semseg.system.atomic import _START, atomic_path, check_folder, disk_error, naming_disk_errors, write_durably
from tests.conftest import REPO, raises

needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
needs_filter = pytest.mark.skipif(not is_supported(), reason="needs seccomp of Linux on x86-64")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "folder" / "a.b.txt"
    with atomic_path(path) as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_can_be_created_unless_a_file_or_a_dangling_link_is_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    check_folder(tmp_path / "new/folder", "out_dir")
    assert not (tmp_path / "new").exists()
    with raises("E-input-folder", r"`out_dir` .*file/inside: .*file is a file"):
        check_folder(tmp_path / "file/inside", "out_dir")
    with raises("E-input-folder", r"`out_dir` .*link: .*link is a dangling link"):
        check_folder(tmp_path / "link", "out_dir")


def test_processes_with_the_same_id_write_to_different_temporary_files(tmp_path):
    code = "from pathlib import Path\nfrom semseg.system import atomic\natomic.os.getpid = lambda: 7\n"
    code += "with atomic.atomic_path(Path('a.txt')) as temporary:\n    print(temporary.name)\n    temporary.touch()"
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    names = {
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True).stdout
        for _ in range(2)
    }
    assert len(names) == 2
    assert all(name.startswith(b".a.7-") for name in names)


def crash_states(folder, program):
    """Return the legal states of a folder after a power cut at any moment of a program."""
    folder.mkdir(exist_ok=True)
    (folder / "old").write_text("old")
    before = CrashModel(folder, [])
    code, operations = record(program, folder, folder.parent / "output")
    assert code == 0, (folder.parent / "output").read_text()
    (folder.parent / "before").mkdir()
    for name, content in before.final().files.items():
        (folder.parent / "before" / name).write_bytes(content)
    return list(CrashModel(folder.parent / "before", operations).states(3))


@needs_filter
def test_after_a_power_cut_a_file_is_the_old_one_or_the_new_one(tmp_path):
    def replace():
        with atomic_path(tmp_path / "out/old") as temporary:
            temporary.write_text("new")

    found = {state.files["old"] for state in crash_states(tmp_path / "out", replace)}
    assert found == {b"old", b"new"}


@needs_filter
def test_the_name_of_a_durable_file_and_of_its_folder_outlive_a_power_cut(tmp_path):
    def write_two():
        write_durably(tmp_path / "out/new/a", b"a")
        write_durably(tmp_path / "out/new/b", b"b")

    states = crash_states(tmp_path / "out", write_two)
    assert {"new/a", "new/b"} <= set(states[-1].files)
    assert all(state.files["new/a"] == b"a" for state in states if "new/b" in state.files)


@needs_full_device
def test_a_full_disk_is_one_sentence_with_the_file_whatever_the_writer_says(tmp_path):
    path = tmp_path / "a.png"

    def fail(write):
        temporary = path.with_name(f".a.{os.getpid()}-{_START}.tmp.png")
        temporary.symlink_to("/dev/full")
        sentence = r"cannot write .*/a.png \(no space left on device\): make room there"
        with raises("E-disk-full", sentence) as caught, atomic_path(path) as given:
            write(given)
        assert caught.value.errno == errno.ENOSPC
        assert list(tmp_path.iterdir()) == []

    def write_without_reason(given):
        raise RuntimeError("file write failed")  # as PyTorch's writer

    fail(lambda given: given.write_bytes(b"x"))
    fail(Image.new("RGB", (64, 64)).save)  # Pillow does not say that the disk is full
    fail(write_without_reason)


def test_errors_that_are_not_of_the_disk_stay_what_they_are(tmp_path):
    for error in (RuntimeError("x"), OSError("x"), OSError(errno.EIO, "x", "photo.png"), PermissionError(13, "x")):
        with pytest.raises(type(error)) as caught, atomic_path(tmp_path / "a") as temporary:
            temporary.touch()
            raise error
        assert caught.value is error


def test_an_error_of_the_disk_names_the_file_and_comes_whole_from_another_process():
    with pytest.raises(DiskError) as caught, naming_disk_errors(Path("out")):
        raise OSError(errno.EIO, "Input/output error")
    assert caught.value.code == "E-disk-write"
    assert str(caught.value) == (
        "cannot write out (input/output error): check the disk, then run the same command again"
    )
    full = pickle.loads(pickle.dumps(disk_error(OSError(errno.ENOSPC, "No space left on device"), "a.pth")))
    assert (full.errno, full.filename, full.code) == (errno.ENOSPC, "a.pth", "E-disk-full")
    assert str(full).startswith("cannot write a.pth (no space left on device)")
