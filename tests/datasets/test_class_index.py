import gzip
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.datasets.class_index import index_classes
from semseg.system.cache_folder import cache_dir

MASKS = [[0, 0, 1, 255], [2, 2, 2, 2], [255, 255, 255, 255]]
COUNTS = [[2, 1, 0], [0, 0, 4], [0, 0, 0]]


def read(path):
    return np.asarray(Image.open(path))


def slow_read(path):
    with Path(path).with_suffix(".txt").open("a") as file:  # one line per reading
        file.write("read\n")
    return read(path)


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    for number, mask in enumerate(MASKS):
        write(tmp_path / f"{number}.png", mask)
    return [str(tmp_path / f"{number}.png") for number in range(len(MASKS))]


def write(path, mask):
    Image.fromarray(np.array([mask], np.uint8)).save(path)


def index(paths, rules="ids", read=read):
    num_read = []
    return index_classes(read, paths, paths, rules, 3, num_read.append).tolist(), num_read


def test_only_masks_that_changed_are_read_again(paths):
    assert index(paths) == (COUNTS, [3])
    assert index(paths) == (COUNTS, [])
    write(paths[1], [1] * 9)
    assert index(paths) == ([COUNTS[0], [0, 9, 0], COUNTS[2]], [1])
    os.utime(paths[0], ns=(0, 0))
    assert index(paths)[1] == [1]
    assert index(paths[1:])[1] == []  # a part of the set
    assert index(paths, rules="colours") == ([COUNTS[0], [0, 9, 0], COUNTS[2]], [3])


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"[1, 2]"), gzip.compress(b'{"version": 0}')])
def test_a_damaged_cache_is_rewritten(paths, content):
    index(paths)
    (file,) = cache_dir().glob("classes-*.json.gz")
    file.write_bytes(content)
    assert index(paths) == (COUNTS, [3])
    assert index(paths) == (COUNTS, [])


def test_without_a_writable_cache_masks_are_counted_every_time(paths, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "file/cache"))
    assert [index(paths) for _ in range(2)] == [(COUNTS, [3])] * 2


def test_only_one_of_several_processes_reads_the_masks(paths, tmp_path):
    with multiprocessing.get_context("fork").Pool(3) as pool:
        results = pool.starmap(index, [(paths, "ids", slow_read)] * 3)
    assert [counts for counts, _ in results] == [COUNTS] * 3
    assert sorted(num_read for _, num_read in results) == [[], [], [3]]
    assert [file.read_text() for file in sorted(tmp_path.glob("*.txt"))] == ["read\n"] * 3
