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
    told = []
    return index_classes(read, paths, paths, rules, 3, told.append).tolist(), told


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
def test_a_cache_that_means_nothing_is_written_anew(paths, content):
    index(paths)
    (file,) = cache_dir().glob("classes-*.json.gz")
    file.write_bytes(content)
    assert index(paths) == (COUNTS, [3])
    assert index(paths) == (COUNTS, [])


def test_where_nothing_can_be_written_it_counts_every_time(paths, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "file/cache"))
    assert [index(paths) for _ in range(2)] == [(COUNTS, [3])] * 2


def test_of_several_processes_one_reads(paths, tmp_path):
    with multiprocessing.get_context("fork").Pool(3) as pool:
        found = pool.starmap(index, [(paths, "ids", slow_read)] * 3)
    assert [counts for counts, _ in found] == [COUNTS] * 3
    assert sorted(told for _, told in found) == [[], [], [3]]
    assert [file.read_text() for file in sorted(tmp_path.glob("*.txt"))] == ["read\n"] * 3
