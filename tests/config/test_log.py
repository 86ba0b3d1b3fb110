import pytest

from semseg.config.log import warn


@pytest.mark.parametrize(("rank", "lines"), [(None, ["2 of a"]), ("0", ["2 of a"]), ("1", [])])
def test_only_the_first_process_warns(monkeypatch, caplog, rank, lines):
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    warn("%s of %s", 2, "a")
    assert caplog.messages == lines
    assert {(record.name, record.levelname) for record in caplog.records} <= {("semseg", "WARNING")}
