import json
import os
import subprocess
import sys
import time

import pytest

from bench.disk_faults import Failing
from bench.system_calls import is_supported, watch
from semseg.system import claims
from semseg.system.claims import holder_of, take_abandoned_claim, take_claim


@pytest.fixture
def path(tmp_path):
    return tmp_path / "work/a.claim"


def test_only_one_can_have_a_claim(path):
    with take_claim(path):
        assert take_claim(path) is None
        assert holder_of(path)
    assert not path.exists()
    assert holder_of(path) == ""
    take_claim(path).release()
    assert list(path.parent.iterdir()) == []


def claim_in_another_process(path):
    """Return a process that has the claim until it is killed."""
    code = f"""
from pathlib import Path
from semseg.system.claims import take_claim
claim = take_claim(Path({str(path)!r}))
print("taken", flush=True)
input()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "taken\n"
    return process


def test_the_claim_of_a_killed_process_can_be_taken(path):
    process = claim_in_another_process(path)
    assert take_claim(path) is None
    process.kill()
    process.communicate()
    with take_claim(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
        assert take_claim(path) is None
    assert list(path.parent.iterdir()) == []


def test_the_claim_of_another_machine_is_taken_when_it_is_no_longer_renewed(path):
    path.parent.mkdir()
    path.write_text(json.dumps({"host": "elsewhere", "processes": "", "pid": 1}))
    assert take_claim(path) is None
    assert holder_of(path) == "elsewhere"
    old = time.time() - claims.STALE_AFTER_S - 60
    os.utime(path, (old, old))
    with take_claim(path) as claim:
        assert claim.path == path


def test_a_claim_is_renewed(path, monkeypatch):
    monkeypatch.setattr(claims, "RENEWED_EVERY_S", 0.01)
    with take_claim(path):
        os.utime(path, (1, 1))
        while path.stat().st_mtime < 2:
            time.sleep(0.01)


def test_a_process_that_slept_leaves_the_claim_of_another_one_alone(path, monkeypatch):
    monkeypatch.setattr(claims, "RENEWED_EVERY_S", 0.01)
    with take_claim(path) as slept:
        os.utime(path, (1, 1))
        other = json.dumps({"host": "elsewhere", "processes": "", "pid": 1, "token": "other"})
        path.write_text(other)
        os.utime(path, (1, 1))
        time.sleep(0.1)  # several times to renew it
        assert path.stat().st_mtime == 1
    assert path.read_text() == other
    with take_claim(path) as own:
        slept.release()
        assert json.loads(path.read_text())["token"] == own.token


@pytest.mark.parametrize("content", ["3", "[]", "null", "{}", '{"pid": "x"}', "", b"\xff"])
def test_a_file_that_is_no_claim_is_taken_when_it_is_old(path, content):
    path.parent.mkdir()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert take_claim(path) is None
    assert holder_of(path) == ""
    os.utime(path, (1, 1))
    take_claim(path).release()
    assert not path.exists()


def test_one_process_at_a_time_takes_a_claim_over(path):
    path.parent.mkdir()
    path.write_text(json.dumps({"host": "elsewhere", "processes": "", "pid": 1}))
    os.utime(path, (1, 1))
    takeover = path.with_name("a.claim.takeover")
    takeover.write_text(json.dumps({"host": "elsewhere", "processes": "", "pid": 1}))
    assert take_claim(path) is None
    os.utime(takeover, (1, 1))
    with take_claim(path):
        assert not takeover.exists()


def claimed_elsewhere(path):
    """Write the claim of a process on another machine."""
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"host": "far", "processes": "", "pid": 1, "token": "t"}))


def test_a_claim_of_a_running_process_here_is_refused_at_once(path):
    waited = []
    with take_claim(path):
        assert take_abandoned_claim(path, waited.append) is None
    assert waited == []
    take_abandoned_claim(path, waited.append).release()


def test_a_claim_on_another_machine_is_refused_when_it_is_renewed(path, monkeypatch):
    claimed_elsewhere(path)
    monkeypatch.setattr(claims, "_LOOK_EVERY_S", 0.01)
    waited = []

    def renew(host):
        waited.append(host)
        os.utime(path, (time.time() + 1,) * 2)

    assert take_abandoned_claim(path, renew) is None
    assert waited == ["far"]


def test_a_claim_on_another_machine_is_taken_over_when_it_is_not_renewed(path, monkeypatch):
    claimed_elsewhere(path)
    monkeypatch.setattr(claims, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(claims, "STALE_AFTER_S", 0.1)
    waited = []
    with take_abandoned_claim(path, waited.append) as claim:
        assert claim is not None
        assert waited == ["far"]


def test_a_claim_from_before_a_restart_of_the_machine_is_free_even_if_its_number_runs_again(path):
    with take_claim(path):
        content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "boot": "another"}))
    take_claim(path).release()
    path.write_text(json.dumps(content))
    assert take_claim(path) is None


def test_a_claim_whose_content_was_lost_in_a_power_cut_is_soon_free(path):
    path.parent.mkdir()
    path.touch()
    assert take_claim(path) is None
    old = time.time() - 2 * claims.RENEWED_EVERY_S
    os.utime(path, (old, old))
    take_claim(path).release()


@pytest.mark.skipif(not is_supported(), reason="needs seccomp of Linux on x86-64")
def test_a_claim_that_the_disk_has_no_room_for_is_not_left(path):
    path.parent.mkdir()
    failing = Failing(path.parent, 2, "ENOSPC")  # the first call creates the file
    assert watch(lambda: take_claim(path), failing, path.parent.parent / "log") == 1
    assert failing.what == "write a.claim"
    assert list(path.parent.iterdir()) == []
