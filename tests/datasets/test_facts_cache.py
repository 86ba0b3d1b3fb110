import os

import pytest
from PIL import Image

from semseg.checks.dataset import check_dataset_file
from semseg.datasets.facts_cache import cache_dir
from tests.checks.sets import photograph, train_ids, write_set


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def path(tmp_path):
    (tmp_path / "x").mkdir()
    return write_set(tmp_path / "x")


def counts(path, **options):
    report = check_dataset_file(path, **options)
    return report.num_read, report.num_remembered


def test_the_second_time_no_file_is_opened(path):
    assert counts(path) == (12, 0)
    before = check_dataset_file(path)
    assert (before.num_read, before.num_remembered) == (0, 12)
    for file in path.parent.rglob("*.png"):  # so that reading one would fail
        status = file.stat()
        file.write_bytes(bytes(status.st_size))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert check_dataset_file(path).findings == before.findings == ()


def test_faults_are_remembered_as_they_were(path):
    (path.parent / "masks/train/00.png").write_bytes(b"")
    photograph(7, (20, 20)).save(path.parent / "images/val/01.png")
    first = check_dataset_file(path, deep=True)
    second = check_dataset_file(path, deep=True)
    assert first.findings == second.findings != ()
    assert second.num_read == 0


def test_a_changed_file_is_read_again(path):
    counts(path)
    Image.fromarray(train_ids(99)).save(path.parent / "masks/val/00.png")
    assert counts(path) == (1, 11)


def test_with_other_rules_no_file_is_read_again(path):
    counts(path)
    path.write_text(path.read_text().replace("- sky\n", ""))
    report = check_dataset_file(path)
    assert report.num_read == 0
    assert {finding.code for finding in report.findings} == {"mask-values"}


def test_what_was_read_deeply_serves_the_quick_check_and_not_the_other_way(path):
    assert counts(path) == (12, 0)
    assert counts(path, deep=True) == (6, 6)
    assert counts(path) == (0, 12)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b\x08"])
def test_a_corrupt_cache_is_no_cache(path, content):
    counts(path)
    for file in cache_dir().iterdir():
        file.write_bytes(content)
    assert counts(path) == (12, 0)
    assert counts(path) == (0, 12)


def test_a_cache_that_cannot_be_written_costs_only_time(path, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "file/inside"))
    assert counts(path) == counts(path) == (12, 0)
