"""The folder of the broken sets."""

from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder `x`, in the current folder, so that messages have short paths."""
    monkeypatch.chdir(tmp_path)
    Path("x").mkdir()
    return Path("x")
