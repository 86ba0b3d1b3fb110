import sys
from pathlib import Path

import pytest

from semseg.system.cache_folder import cache_dir


def test_the_environment_names_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"


@pytest.mark.skipif(sys.platform != "linux", reason="the default of Linux")
def test_the_default_is_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("SEMSEG_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == Path(tmp_path, ".cache/semseg")
    monkeypatch.setenv("SEMSEG_CACHE", "")
    assert cache_dir() == Path(tmp_path, ".cache/semseg")
