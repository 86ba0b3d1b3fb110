"""A fixture for folders of tests that read configs: their work folders are relative to the working folder."""

import pytest


@pytest.fixture(autouse=True)
def empty_folder(tmp_path_factory, monkeypatch):
    """Run each test where there is no `work_dirs`: an earlier run of the user there, such as the demo, is refused."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))
