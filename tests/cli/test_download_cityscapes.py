"""tools/dataset.py download-cityscapes, run as a person runs it, against a server on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cityscapes_site import PASSWORD, USERNAME, make_zip, serve

pytest.importorskip("requests")

TOOL = [sys.executable, str(Path(__file__).parents[2] / "tools/dataset.py"), "download-cityscapes"]
ACCOUNT = {"CITYSCAPES_USERNAME": USERNAME, "CITYSCAPES_PASSWORD": PASSWORD}


@pytest.fixture
def site():
    gt = make_zip({"README": b"read", "gtFine/val/bonn/b.json": b"{}"})
    images = make_zip({"README": b"read", "leftImg8bit/val/bonn/b.png": os.urandom(300_000)})
    with serve({"gtFine_trainvaltest.zip": gt, "leftImg8bit_trainvaltest.zip": images}) as site:
        yield site


def environment(site, tmp_path, account=ACCOUNT):
    ours = {"SEMSEG_CITYSCAPES_URL": site.url, "NETRC": str(tmp_path / "netrc"), **account}
    return {**{k: v for k, v in os.environ.items() if k not in ACCOUNT}, **ours}


def run(site, tmp_path, *arguments, account=ACCOUNT):
    return subprocess.run(
        [*TOOL, "data", *arguments],
        cwd=tmp_path,
        env=environment(site, tmp_path, account),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_it_says_what_it_did_and_the_second_time_that_nothing_was_to_do(site, tmp_path):
    first = run(site, tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == (
        "data: gtFine_trainvaltest downloaded, verified and unpacked, 2 files\n"
        "data: leftImg8bit_trainvaltest downloaded, verified and unpacked, 2 files\n"
    )
    second = run(site, tmp_path, account={})
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout == (
        "data: gtFine_trainvaltest already present, 2 files\ndata: leftImg8bit_trainvaltest already present, 2 files\n"
    )


def test_a_wrong_password_is_one_sentence_and_shown_nowhere(site, tmp_path):
    account = {**ACCOUNT, "CITYSCAPES_PASSWORD": "hunter2"}
    done = run(site, tmp_path, account=account)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: 127.0.0.1 does not accept the account from CITYSCAPES_USERNAME and ")
    assert done.stderr.count("\n") == 1
    debug = run(site, tmp_path, "--debug", account=account)
    assert "Traceback" in debug.stderr
    for text in (done.stderr, debug.stderr, *(str(path.read_bytes()) for path in tmp_path.rglob("*.*"))):
        assert "hunter2" not in text
        assert USERNAME not in text


def test_the_netrc_file_is_used(site, tmp_path):
    netrc_path = tmp_path / "netrc"
    netrc_path.write_text(f"machine 127.0.0.1 login {USERNAME} password {PASSWORD}\n")
    netrc_path.chmod(0o600)
    done = run(site, tmp_path, "--packages", "gtFine_trainvaltest", account={})
    assert (done.returncode, done.stderr) == (0, "")


def test_without_an_account_and_a_terminal_it_is_one_sentence(site, tmp_path):
    done = run(site, tmp_path, account={})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no account for 127.0.0.1: set CITYSCAPES_USERNAME and ")
    assert done.stderr.count("\n") == 1


def test_a_failed_download_is_one_sentence_and_exit_code_1(site, tmp_path):
    site.md5_sums = {"leftImg8bit_trainvaltest.zip": "0" * 32}
    done = run(site, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: leftImg8bit_trainvaltest.zip arrived damaged (md5 sum ")
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "data/gtFine/val/bonn/b.json").is_file()


def test_a_missing_package_is_one_sentence(site, tmp_path):
    (tmp_path / "requests.py").write_text("raise ModuleNotFoundError('no', name='requests')")
    done = run(site, tmp_path, account={**ACCOUNT, "PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: downloads need requests, which is not installed: pip install -e .[download] [E-data-package]\n"
    )


def test_a_terminal_is_asked_and_sees_progress_but_no_password(site, tmp_path):
    pty = pytest.importorskip("pty")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(TOOL[0], [*TOOL, "data"], {**environment(site, tmp_path, {}), "TERM": "xterm"})
    seen = b""
    answers = {b"name or e-mail address: ": USERNAME, b"password: ": PASSWORD}
    while True:
        try:
            new = os.read(terminal, 10_000)
        except OSError:  # the end, on Linux
            new = b""
        if not new:
            break
        seen += new
        for question in list(answers):
            if seen.endswith(question):
                os.write(terminal, answers.pop(question).encode() + b"\n")
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    assert not answers
    assert PASSWORD.encode() not in seen
    assert b"downloading leftImg8bit_trainvaltest" in seen
    assert (tmp_path / "data/leftImg8bit/val/bonn/b.png").is_file()
