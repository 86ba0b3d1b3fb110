"""The cache stays below its limit, and keeps what was read last."""

import os
import subprocess
import sys
import zlib

import pytest

from semseg.system.bounded_cache import NUM_FOLDERS, BoundedCache


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def names_of_one_folder(count):
    names = (f"tile-{number}" for number in range(100_000))
    return [name for name in names if zlib.crc32(name.encode()) % NUM_FOLDERS == 7][:count]


def test_a_file_is_kept_replaced_and_removed(tmp_path):
    cache = BoundedCache(tmp_path / "cache", 1e9)
    assert cache.get("a") is None
    cache.put("a", b"1")
    cache.put("a", b"22")
    assert cache.get("a") == b"22" and size_of(tmp_path) == 2
    cache.remove("a")
    cache.remove("a")
    assert cache.get("a") is None and size_of(tmp_path) == 0


def test_what_was_not_read_for_the_longest_time_is_removed_first(tmp_path):
    cache = BoundedCache(tmp_path, 10_000 * NUM_FOLDERS)
    names = names_of_one_folder(12)
    for age, name in enumerate(names[:10]):
        cache.put(name, bytes(900))
        (path,) = tmp_path.rglob(name)
        os.utime(path, (1_000_000 + age, 1_000_000 + age))
    assert cache.get(names[0]) is not None  # so it is the newest now
    for name in names[10:]:
        cache.put(name, bytes(900))
    kept = [name for name in names if cache.get(name) is not None]
    assert names[0] in kept and set(names[10:]) <= set(kept)
    removed = [name for name in names if name not in kept]
    assert removed and removed == names[1 : 1 + len(removed)]


def test_the_limit_holds_for_all_processes_and_what_they_left(tmp_path):
    code = (
        "import sys; from pathlib import Path; from semseg.system.bounded_cache import BoundedCache\n"
        "cache = BoundedCache(Path(sys.argv[1]), 2_000_000)\n"
        "for i in range(1500): cache.put(f'{sys.argv[2]}-{i}', bytes(1000 + i % 500))"
    )
    (tmp_path / "07").mkdir()
    (tmp_path / "07/.a.tmp").write_bytes(bytes(6000))  # of a process that was killed
    os.utime(tmp_path / "07/.a.tmp", (1, 1))
    writers = [subprocess.Popen([sys.executable, "-c", code, tmp_path, str(number)]) for number in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert 1_000_000 < size_of(tmp_path) < 2_000_000
    assert not (tmp_path / "07/.a.tmp").exists()


def test_what_is_too_large_is_not_kept(tmp_path):
    cache = BoundedCache(tmp_path / "cache", 1000 * NUM_FOLDERS)
    cache.put("a", bytes(1001))
    BoundedCache(tmp_path / "cache", 0).put("b", b"1")
    assert not (tmp_path / "cache").exists()


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = BoundedCache(tmp_path / "file", 1e9)
    assert cache.get("a") is None
    with pytest.raises(OSError, match="file"):
        cache.put("a", b"1")
