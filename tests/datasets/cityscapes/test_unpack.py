"""Archives become files inside the folder, whole, and nowhere else."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from semseg.datasets.cityscapes.unpack import check_disk, find_lost, format_bytes, unpack
from tests.cityscapes_site import make_zip
from tests.conftest import raises

FILES = {"README": b"read", "gtFine/train/ulm/a.json": b"{}", "gtFine/val/bonn/b.json": b"[]"}


def write(path, files, links=None):
    path.write_bytes(make_zip(files, links))
    return path


def contents(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix not in (".zip", ".unpacked")
    }


def test_files_are_unpacked_beside_those_that_are_there(tmp_path):
    (tmp_path / "gtFine/train/ulm").mkdir(parents=True)
    (tmp_path / "gtFine/train/ulm/a_labelTrainIds.png").write_bytes(b"ours")
    (tmp_path / "gtFine/train/ulm/a.json").write_bytes(b"old")
    calls = []
    assert unpack(write(tmp_path / "gt.zip", FILES), tmp_path, lambda *call: calls.append(call)) == 3
    assert contents(tmp_path) == FILES | {"gtFine/train/ulm/a_labelTrainIds.png": b"ours"}
    assert calls[-1] == (8, 8)
    assert not list(tmp_path.glob(".*.unpacking"))


def test_missing_files_of_an_archive_are_found(tmp_path):
    assert find_lost(tmp_path, "gt") is None
    unpack(write(tmp_path / "gt.zip", FILES), tmp_path)
    assert find_lost(tmp_path, "gt") == (3, [])
    (tmp_path / "gtFine/val/bonn/b.json").unlink()
    assert find_lost(tmp_path, "gt") == (3, ["gtFine/val/bonn/b.json"])


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "gtFine/../../evil", "gtFine\\..\\evil", ".."])
def test_entries_outside_of_the_folder_are_refused_before_anything_is_written(tmp_path, name):
    root = tmp_path / "root"
    root.mkdir()
    archive_path = write(root / "gt.zip", {**FILES, name: b"evil"})
    with raises("E-data-archive", rf"gt.zip: .*outside of {root}; nothing was unpacked"):
        unpack(archive_path, root)
    assert [path.name for path in root.iterdir()] == ["gt.zip"]
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_links_are_refused(tmp_path):
    archive_path = write(tmp_path / "gt.zip", {"gtFine/a": b""}, links={"gtFine/link": "/etc"})
    with raises("E-data-archive", r"'gtFine/link' is a link"):
        unpack(archive_path, tmp_path)
    assert not (tmp_path / "gtFine").exists()


def test_files_that_are_not_archives_are_refused(tmp_path):
    (tmp_path / "gt.zip").write_bytes(b"PK and no more")
    with raises("E-data-archive", r"gt.zip .*\(File is not a zip"):
        unpack(tmp_path / "gt.zip", tmp_path)


def test_an_archive_with_a_damaged_file_leaves_nothing(tmp_path):
    content = bytearray(make_zip({"a": os.urandom(1000)}))
    content[200] ^= 1
    (tmp_path / "gt.zip").write_bytes(content)
    with raises("E-data-archive", r"gt.zip"):
        unpack(tmp_path / "gt.zip", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["gt.zip"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "gtFine").write_text("")
    with pytest.raises(FileExistsError, match=r"gtFine is a file and the archive has a folder there; move it"):
        unpack(write(tmp_path / "gt.zip", FILES), tmp_path)


def test_the_disk_is_looked_at_first(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    check_disk(tmp_path, free // 2, "a")
    with raises("E-data-disk", r"\d+\.\d GB for a, b and has [\d.]+ [GM]B"):
        check_disk(tmp_path, 2 * free + 10**9, "a, b")


def test_sizes_read_as_on_the_download_page():
    assert [format_bytes(size) for size in (300_000, 241_000_000, 11_600_000_000)] == [
        "0.3 MB",
        "241 MB",
        "11.6 GB",
    ]


def test_a_disk_that_is_full_in_the_middle_leaves_nothing(tmp_path):
    archive_path = write(tmp_path / "gt.zip", {"gtFine/small": b"x", "gtFine/zeros": bytes(3_000_000)})

    def limit_file_size():  # as a full disk does it: the writing itself fails
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    program = "import sys, pathlib; from semseg.datasets.cityscapes.unpack import unpack;"
    program += "unpack(*map(pathlib.Path, sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, archive_path, tmp_path],
        preexec_fn=limit_file_size,
        capture_output=True,
        text=True,
    )
    assert "File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["gt.zip"]


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs two file systems")  # noqa: PTH112
def test_a_folder_that_is_linked_to_another_disk_is_filled(tmp_path):
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as other_disk:
        if os.stat(other_disk).st_dev == tmp_path.stat().st_dev:  # noqa: PTH116
            pytest.skip("needs two file systems")
        (tmp_path / "gtFine").symlink_to(other_disk)
        assert unpack(write(tmp_path / "gt.zip", FILES), tmp_path) == 3
        assert (tmp_path / "gtFine").is_symlink()
        assert (tmp_path / "gtFine/train/ulm/a.json").read_bytes() == b"{}"
        assert find_lost(tmp_path, "gt") == (3, [])


@pytest.mark.slow
def test_killed_at_random_moments_it_shows_only_whole_files_and_completes(tmp_path):
    files = {f"gtFine/train/city{index % 7}/{index}": os.urandom(20_000) for index in range(1500)}
    archive_path = write(tmp_path / "gt.zip", {**files, "README": b"read"})
    (tmp_path / "gtFine/train/city3").mkdir(parents=True)  # so that this one is merged file by file
    program = (
        "import sys, pathlib; from semseg.datasets.cityscapes.unpack import unpack; print(1, flush=True);"
        "unpack(*map(pathlib.Path, sys.argv[1:]))"
    )
    rng = random.Random(0)
    for _ in range(10):
        process = subprocess.Popen([sys.executable, "-c", program, archive_path, tmp_path], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for path in (tmp_path / "gtFine").rglob("*"):
            assert path.is_dir() or path.read_bytes() == files[path.relative_to(tmp_path).as_posix()]
        lost = find_lost(tmp_path, "gt")
        assert lost is None or lost == (1501, [])
    unpack(archive_path, tmp_path)
    assert contents(tmp_path) == files | {"README": b"read"}
    assert {path.name for path in tmp_path.iterdir()} == {"gt.zip", "gtFine", "README", ".gt.unpacked"}
