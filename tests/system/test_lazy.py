"""Names of a package that are imported when they are used."""

import sys

import pytest

from semseg.system.lazy import lazy_attributes


def test_a_name_is_imported_from_its_module_when_it_is_used(tmp_path, monkeypatch):
    (tmp_path / "parcel").mkdir()
    (tmp_path / "parcel/__init__.py").touch()
    (tmp_path / "parcel/inside.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    get = lazy_attributes("parcel", {"answer": "inside"})
    assert "parcel.inside" not in sys.modules
    assert get("answer") == 42
    assert sys.modules["parcel.inside"].answer == 42
    with pytest.raises(AttributeError, match="module 'parcel' has no attribute 'question'"):
        get("question")
