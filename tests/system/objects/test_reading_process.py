"""A process of its own reads objects: for forked processes too, and it ends with the process that asks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from semseg.system.objects import reading_process as reading
from semseg.system.objects.addresses import Address
from tests.conftest import raises
from tests.storage_server import BUCKET

CONTENT = bytes(range(256)) * 3000
OBJECT = Address("s3", BUCKET, "sets/a b")


@pytest.fixture(autouse=True)
def stored(storage):
    storage.put("sets/a b", CONTENT)
    storage.put("empty", b"")


def child_ids():
    """Return the processes that were started by this one and run the file."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"reading_process" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def test_an_object_and_parts_of_it_are_read():
    assert reading.read_size(OBJECT) == len(CONTENT)
    assert reading.read_object(OBJECT) == CONTENT
    assert reading.read_object(Address("s3", BUCKET, "empty")) == b""
    starts, ends = [5, 100_000, 700_000, 0], [6, 100_300, len(CONTENT), 0 + 1]
    parts = reading.read_ranges(OBJECT, starts, ends)
    assert parts == [CONTENT[start:end] for start, end in zip(starts, ends, strict=True)]
    with raises("E-storage-missing", f"no object s3://{BUCKET}/gone"):
        reading.read_size(Address("s3", BUCKET, "gone"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_reads_too():
    assert reading.read_object(OBJECT) == CONTENT
    process = os.fork()
    if process == 0:
        os._exit(0 if reading.read_object(OBJECT) == CONTENT else 1)
    assert os.waitpid(process, 0)[1] == 0
    assert reading.read_object(OBJECT) == CONTENT


@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
def test_a_reader_that_was_killed_is_said_and_replaced():
    reading.read_object(OBJECT)
    (reader,) = child_ids()
    os.kill(reader, signal.SIGKILL)
    with raises("E-storage-unavailable", "the process that reads it was ended"):
        reading.read_object(OBJECT)
    assert reading.read_object(OBJECT) == CONTENT


def test_an_interruption_leaves_no_answer_for_the_next_question(storage):
    reading.read_object(OBJECT)
    storage.always = "slow"
    handler = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            reading.read_object(OBJECT)
    finally:
        signal.signal(signal.SIGALRM, handler)
    storage.always = "ok"
    assert reading.read_ranges(OBJECT, [3], [4]) == [CONTENT[3:4]]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "pass"])
def test_the_reader_ends_with_its_process(end):
    code = (
        "import os\nfrom semseg.system.objects import reading_process as reading\n"
        "from semseg.system.objects.addresses import parse_address\n"
        f"reading.read_size(parse_address('{OBJECT}'))\n"
        f"print(reading._reader._process.pid, flush=True)\n{end}"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{int(done.stdout)}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{int(done.stdout)}").exists() and done.stderr == ""
