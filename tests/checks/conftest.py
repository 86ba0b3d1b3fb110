"""Where the broken sets lie."""

from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to stand in, so that sentences hold short paths."""
    monkeypatch.chdir(tmp_path)
    Path("x").mkdir()
    return Path("x")
