"""A small labelled set and a checkpoint that fits it."""

import pytest

from tests.analysis.suspects.small_set import write_labelled_set


@pytest.fixture(scope="package")
def labelled_set(tmp_path_factory):
    return write_labelled_set(tmp_path_factory.mktemp("set"))
