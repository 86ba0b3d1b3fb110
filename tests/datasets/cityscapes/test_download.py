"""Download, verify, unpack, against a server on this machine that speaks the site's forms."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cityscapes_site import PASSWORD, USERNAME, make_zip, serve

pytest.importorskip("requests")

from semseg.datasets.cityscapes.account import Account
from semseg.datasets.cityscapes.download import PACKAGES, Outcome, download
from tests.conftest import raises

GT, IMAGES = "gtFine_trainvaltest", "leftImg8bit_trainvaltest"


@pytest.fixture(scope="module")
def archives():
    noise = random.Random(0).randbytes
    gt = {
        "README": b"read",
        "license.txt": b"you may",
        "gtFine/val/bonn/b_gtFine_polygons.json": noise(200_000),
    }
    images = {
        "README": b"read",
        "license.txt": b"you may",
        "leftImg8bit/val/bonn/b_leftImg8bit.png": noise(400_000),
    }
    return {f"{GT}.zip": make_zip(gt), f"{IMAGES}.zip": make_zip(images), "odd.zip": b"<html>"}


@pytest.fixture
def site(archives):
    with serve(dict(archives)) as site:
        yield site


def right(host):
    return Account(USERNAME, PASSWORD, "that was entered")


def fetch(site, root, *packages, account=right, **more):
    return download(root, packages or [GT], account, url=site.url, retry_s=0.001, **more)


def names(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


FETCHED = [f".{GT}.unpacked", "README", "gtFine/val/bonn/b_gtFine_polygons.json", "license.txt"]


def test_packages_are_downloaded_verified_and_unpacked(site, tmp_path):
    steps = {}
    done = fetch(site, tmp_path, *PACKAGES, on_progress=lambda what, done, total: steps.update({what: (done, total)}))
    assert done == {GT: Outcome(3, True), IMAGES: Outcome(3, True)}
    assert names(tmp_path) == sorted([*FETCHED, f".{IMAGES}.unpacked", "leftImg8bit/val/bonn/b_leftImg8bit.png"])
    assert list(steps) == [f"{step} {name}" for name in PACKAGES for step in ("downloading", "verifying", "unpacking")]
    assert all(done == total for done, total in steps.values())


def test_the_second_time_nothing_is_done_and_no_account_is_needed(site, tmp_path):
    fetch(site, tmp_path)
    num_requests = len(site.requests)
    assert fetch(site, tmp_path, f"{GT}.zip", account=None) == {GT: Outcome(3, False)}
    assert len(site.requests) == num_requests


def test_missing_files_are_downloaded_again(site, tmp_path):
    fetch(site, tmp_path)
    shutil.rmtree(tmp_path / "gtFine")
    assert fetch(site, tmp_path) == {GT: Outcome(3, True)}
    assert names(tmp_path) == FETCHED


def test_kept_archives_are_used_again(site, tmp_path):
    fetch(site, tmp_path, keep_archives=True)
    assert (tmp_path / f"{GT}.zip").read_bytes() == site.archives[f"{GT}.zip"]
    shutil.rmtree(tmp_path / "gtFine")
    fetch(site, tmp_path)
    assert len(site.num_bytes_asked()) == 1
    assert names(tmp_path) == FETCHED


def test_a_wrong_password_is_reported_and_not_shown(site, tmp_path):
    def wrong(host):
        return Account(USERNAME, "hunter2", "from CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD")

    with pytest.raises(PermissionError) as caught:
        fetch(site, tmp_path, account=wrong)
    assert str(caught.value) == (
        "127.0.0.1 does not accept the account from CITYSCAPES_USERNAME and CITYSCAPES_PASSWORD; check "
        f"name and password, or register at {site.url}/register/"
    )
    assert not names(tmp_path)


def test_an_unknown_package_is_named_with_the_known_ones(site, tmp_path):
    with raises("E-input-value", rf"'gtFin' .* {GT}, {IMAGES}, odd$"):
        fetch(site, tmp_path, GT, "gtFin")
    with raises("E-input-value", r"'../gtFin'"):
        fetch(site, tmp_path, "../gtFin")
    assert not site.num_bytes_asked()


def test_a_page_instead_of_the_archive_is_not_kept(site, tmp_path):
    site.pages_for = {f"{GT}.zip"}
    with pytest.raises(PermissionError, match=rf"^127.0.0.1 sent a page instead of {GT}.zip; sign in there with"):
        fetch(site, tmp_path)
    with pytest.raises(PermissionError, match=r"^127.0.0.1 sent something else than a zip archive as odd.zip$"):
        fetch(site, tmp_path, "odd")
    assert not names(tmp_path)


def test_an_interrupted_download_continues(site, tmp_path):
    site.cuts = [100_000, 70_000]
    fetch(site, tmp_path)
    first, second, third = site.num_bytes_asked()
    assert first is None
    assert 0 < int(second[6:-1]) <= 100_000 < int(third[6:-1]) <= 170_000
    assert names(tmp_path) == FETCHED


def test_a_cut_without_a_length_is_noticed_too(site, tmp_path):
    site.cuts, site.says_length = [100_000], False
    fetch(site, tmp_path)
    assert site.num_bytes_asked() == [None, "bytes=100000-"]
    assert names(tmp_path) == FETCHED


def test_tries_without_new_bytes_end_the_download_and_the_next_call_continues(site, tmp_path):
    site.cuts = [131_072, *[0] * 5]
    with raises("E-data-download", rf"^{GT}.zip .*5 times: the connection to 127.0.0.1 was cut; .*\(0.1 MB\)"):
        fetch(site, tmp_path)
    assert names(tmp_path) == [f"{GT}.zip.part"]
    fetch(site, tmp_path)
    assert site.num_bytes_asked()[-1] == "bytes=131072-"
    assert names(tmp_path) == FETCHED


def test_a_server_that_cannot_continue_starts_over(site, tmp_path):
    site.cuts, site.continues = [100_000], False
    fetch(site, tmp_path)
    assert len(site.num_bytes_asked()) == 2
    assert names(tmp_path) == FETCHED


def test_a_part_that_is_complete_or_too_long_needs_no_more_bytes(site, tmp_path):
    part_path = tmp_path / f"{GT}.zip.part"
    for more in (b"", b"and more"):
        part_path.write_bytes(site.archives[f"{GT}.zip"] + more)
        assert fetch(site, tmp_path) == {GT: Outcome(3, True)}
        assert names(tmp_path) == FETCHED
        shutil.rmtree(tmp_path / "gtFine")


def test_a_damaged_download_is_removed(site, tmp_path):
    site.md5_sums = {f"{GT}.zip": "0" * 32}
    with raises("E-data-download", rf"^{GT}.zip .*\(md5 sum [0-9a-f]{{32}}, 127.0.0.1 says 0{{32}}\)"):
        fetch(site, tmp_path)
    assert not names(tmp_path)


def test_a_wrong_archive_of_the_user_is_named_and_kept(site, tmp_path):
    (tmp_path / f"{GT}.zip").write_bytes(b"PK mine")
    with raises("E-data-archive", rf"{GT}.zip has the md5 sum [0-9a-f]{{32}}, 127.0.0.1 says [0-9a-f]{{32}}"):
        fetch(site, tmp_path)
    assert names(tmp_path) == [f"{GT}.zip"]


def test_archives_that_would_write_elsewhere_are_refused(site, tmp_path):
    site.archives[f"{GT}.zip"] = make_zip({"../evil": b"evil"})
    with raises("E-data-archive", rf"'../evil' .*outside of {tmp_path}/root"):
        fetch(site, tmp_path / "root")
    site.archives[f"{IMAGES}.zip"] = make_zip({}, links={"leftImg8bit": "/"})
    with raises("E-data-archive", "'leftImg8bit' is a link"):
        fetch(site, tmp_path / "root", IMAGES)
    assert names(tmp_path) == [f"root/{GT}.zip", f"root/{IMAGES}.zip"]


def test_too_little_space_is_reported_before_the_first_byte(site, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with raises("E-data-disk", rf"^{tmp_path} needs 1.2 MB for {GT} and has 1.0 MB"):
        fetch(site, tmp_path)
    assert not site.num_bytes_asked()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_sentence_and_nothing_has_the_final_name(site, tmp_path):
    (tmp_path / f"{GT}.zip.part").symlink_to("/dev/full")
    with raises("E-data-download", rf"^{GT} .*{tmp_path}: No space left on device"):
        fetch(site, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{GT}.zip.part"]


def test_two_downloads_into_one_folder_do_not_mix(site, tmp_path):
    def meanwhile(host):
        with raises("E-data-download", str(tmp_path)):
            fetch(site, tmp_path)
        return right(host)

    fetch(site, tmp_path, account=meanwhile)


@pytest.mark.slow
def test_killed_at_random_moments_it_completes(site, tmp_path):
    site.chunk_s = 0.05
    program = (
        "import sys\n"
        "from semseg.datasets.cityscapes.account import find_account\n"
        "from semseg.datasets.cityscapes.download import download\n"
        f"download({str(tmp_path / 'root')!r}, {PACKAGES!r}, find_account, url={site.url!r})"
    )
    environment = {**os.environ, "CITYSCAPES_USERNAME": USERNAME, "CITYSCAPES_PASSWORD": PASSWORD}
    rng = random.Random(0)
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", program], env=environment)
        time.sleep(rng.uniform(0.4, 1.2))
        process.kill()
        process.wait()
        for name in names(tmp_path):
            if name.endswith(".zip"):
                assert (tmp_path / name).read_bytes() == site.archives[Path(name).name]
    site.chunk_s = 0
    fetch(site, tmp_path / "root", *PACKAGES)
    assert names(tmp_path / "root") == sorted(
        [*FETCHED, f".{IMAGES}.unpacked", "leftImg8bit/val/bonn/b_leftImg8bit.png"]
    )
