"""Packed sets in a storage: the same samples as from the disk, also when networks, servers and disks fail."""

import functools
import http.server
import os
import pickle
import shutil
import threading
import traceback
import urllib.request

import numpy as np
import pytest
from torch.utils.data import DataLoader

from semseg.datasets.packed import stored_tiles
from semseg.datasets.packed.store import PackedSplit
from semseg.system.cache_folder import cache_dir
from tests.conftest import raises
from tests.datasets.packed.test_packing import SIZES, pack, take, town_file, training_set  # noqa: F401
from tests.storage_server import BUCKET, SECRETS

ADDRESS = f"s3://{BUCKET}/sets/town"
NUM_DRAWS = 20


@pytest.fixture
def folder(storage, town_file, tmp_path, monkeypatch):  # noqa: F811
    """A packed set on the disk, of which the storage has a copy; the cache is empty."""
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    pack(town_file, tmp_path / "packed")
    copy_to(storage, tmp_path / "packed")
    storage.requests.clear()
    return tmp_path / "packed"


def copy_to(storage, folder):
    for name in ("train.tiles", "train.npz", "pack.json"):
        storage.put(f"sets/town/{name}", (folder / name).read_bytes())


def cached():
    return sorted(path for path in (cache_dir() / "tiles").rglob("*") if path.is_file())


def read_all(split):
    return [np.concatenate([picture[:, :].ravel() for picture in split.picture(i)]) for i in range(len(split))]


def assert_same(split, folder):
    for pixels, expected in zip(read_all(split), read_all(PackedSplit(folder, "train")), strict=True):
        assert np.array_equal(pixels, expected)


def tile_requests(storage):
    return [path for method, path in storage.requests if path.endswith("train.tiles") and method == "GET"]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


class Draws:
    """Samples of a training, by the number of the draw."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return NUM_DRAWS

    def __getitem__(self, number):
        sample = take(self.dataset, number % len(SIZES), number)
        return sample["inputs"].numpy(), sample["data_samples"].gt_sem_seg.data.numpy()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_samples_are_those_from_the_disk(storage, folder, town_file, num_workers):  # noqa: F811
    local, stored = (Draws(training_set(town_file, place)) for place in (folder, ADDRESS))
    context = "fork" if num_workers else None
    storage.faults = ["500", "cut", "half"]
    for is_cached in (False, True):
        storage.requests.clear()
        loader = DataLoader(stored, None, num_workers=num_workers, multiprocessing_context=context)
        samples = list(loader)
        assert len(samples) == NUM_DRAWS
        for sample, expected in zip(samples, local, strict=False):
            for array, expected_array in zip(sample, expected, strict=True):
                assert np.array_equal(array, expected_array)
        assert bool(tile_requests(storage)) is not is_cached
    assert storage.faults == []


def test_a_tile_is_read_once_and_then_from_the_cache(storage, folder):
    assert_same(PackedSplit(ADDRESS, "train"), folder)
    assert sum(path.stat().st_size for path in cached()) == (folder / "train.tiles").stat().st_size
    storage.requests.clear()
    assert_same(pickle.loads(pickle.dumps(PackedSplit(ADDRESS, "train"))), folder)
    assert len(tile_requests(storage)) == 1  # its size


def test_a_web_server_will_do_if_it_has_ranges(storage, folder):
    headers = {
        "x-amz-acl": "public-read",
        "Authorization": "AWS4-HMAC-SHA256 Credential=x/20240101/us-east-1/s3/aws4_request",
        "Content-Type": "application/octet-stream",
    }
    for path in folder.iterdir():
        url = f"{storage.moto_url}/{BUCKET}/public/{path.name}"
        urllib.request.urlopen(urllib.request.Request(url, path.read_bytes(), headers, method="PUT")).close()
    assert_same(PackedSplit(f"{storage.url}/{BUCKET}/public", "train"), folder)


def test_a_web_server_without_ranges_is_said(folder):
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with raises("E-storage-refused", "/pack.json: the server sends whole files only"):
            PackedSplit(f"http://127.0.0.1:{server.server_port}/", "train")
        server.shutdown()


def test_a_crop_reads_its_tiles_only(storage, folder):
    split = PackedSplit(ADDRESS, "train")
    storage.requests.clear()
    image, train_ids = split.picture(0)  # 2 x 3 tiles
    image[10:250, 10:250]
    assert (len(tile_requests(storage)), len(cached())) == (1, 1)
    train_ids[10:250, 10:250]
    assert len(tile_requests(storage)) == 1


def test_few_tiles_are_held_in_memory(storage, folder, monkeypatch):
    monkeypatch.setenv("SEMSEG_TILE_CACHE_GB", "0")
    monkeypatch.setattr(stored_tiles, "_NUM_HELD", 2)
    image, train_ids = PackedSplit(ADDRESS, "train").picture(0)
    storage.requests.clear()
    for column, num_requests in ((0, 1), (256, 2), (0, 2), (512, 3), (0, 3), (256, 4), (512, 5)):
        train_ids[:9, column : column + 5]
        assert len(tile_requests(storage)) == num_requests
    assert np.array_equal(image[:, :], PackedSplit(folder, "train").picture(0)[0][:, :])


@pytest.mark.parametrize("faults", [["cut"], ["500", "503"], ["half", "half"], ["slow"], ["cut", "500", "half"]])
def test_what_fails_for_a_moment_is_read_whole(storage, folder, faults):
    split = PackedSplit(ADDRESS, "train")
    storage.faults = list(faults)
    assert_same(split, folder)
    assert storage.faults == []


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("half", "E-storage-unavailable", "cut again"),
        ("slow", "E-storage-unavailable", "silent or slow"),
        ("503", "E-storage-unavailable", "answer 503"),
        ("expired", "E-storage-credentials", r"credentials for s3://pictures have expired \(ExpiredToken\)"),
    ],
)
def test_what_goes_on_to_fail_is_a_sentence_without_secrets(storage, folder, capfd, fault, code, words):
    split = PackedSplit(ADDRESS, "train")
    storage.always = fault
    with raises(code, words) as caught:
        read_all(split)
    shown = "".join(traceback.format_exception(caught.value)) + "".join(capfd.readouterr())
    assert "\n" not in str(caught.value) and not [secret for secret in SECRETS.values() if secret in shown]
    storage.always = "ok"
    assert_same(split, folder)


def test_an_expired_login_in_a_worker_is_said(storage, folder, town_file):  # noqa: F811
    stored = Draws(training_set(town_file, ADDRESS))
    storage.always = "expired"
    with pytest.raises(OSError, match=r"s3://pictures have expired \(ExpiredToken\); log in again") as caught:
        list(DataLoader(stored, None, num_workers=1, multiprocessing_context="fork"))
    assert not [secret for secret in SECRETS.values() if secret in str(caught.value)]


def test_objects_that_are_damaged_changed_or_missing_are_named(storage, folder):
    split = PackedSplit(ADDRESS, "train")
    tiles = (folder / "train.tiles").read_bytes()
    storage.put("sets/town/train.tiles", tiles[:1000] + b"?" + tiles[1001:])
    with raises("E-data-packed", rf"{ADDRESS}/train.tiles is damaged or was changed, .* at byte 0: copy"):
        read_all(split)
    assert cached() == []
    storage.put("sets/town/train.tiles", tiles[:-1])
    with raises("E-data-packed", rf"{ADDRESS} is damaged, train.tiles is not complete"):
        PackedSplit(ADDRESS, "train")
    storage.put("sets/town/train.npz", b"")
    with raises("E-data-packed", rf"{ADDRESS} is damaged, train.npz is not the file that was written"):
        PackedSplit(ADDRESS, "train")
    storage.request("DELETE", f"/{BUCKET}/sets/town/pack.json")
    with raises("E-data-packed", rf"{ADDRESS} is no packed set, pack.json is missing; copy"):
        PackedSplit(ADDRESS, "train")
    with raises("E-storage-no-bucket", "no bucket s3://nowhere"):
        PackedSplit("s3://nowhere/town", "train")
    with raises("E-storage-here", "memory:// is in one process"):
        PackedSplit("memory://town", "train")


def test_a_damaged_file_of_the_cache_is_read_again(storage, folder):
    assert_same(PackedSplit(ADDRESS, "train"), folder)
    paths = cached()
    paths[0].write_bytes(b"")
    paths[1].write_bytes(bytes(paths[1].stat().st_size))
    storage.requests.clear()
    assert_same(PackedSplit(ADDRESS, "train"), folder)
    assert len(tile_requests(storage)) == 3  # the size, and two tiles
    assert cached() == paths and paths[0].stat().st_size > 0


def test_the_cache_may_be_small_or_not_writable(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("SEMSEG_TILE_CACHE_GB", "0")
    assert_same(PackedSplit(ADDRESS, "train"), folder)
    assert cached() == []
    for text in ("-1", "0.5", "much", "inf", "nan"):
        monkeypatch.setenv("SEMSEG_TILE_CACHE_GB", text)
        with raises("E-input-value", f"SEMSEG_TILE_CACHE_GB is {text}; expected"):
            PackedSplit(ADDRESS, "train")
    monkeypatch.delenv("SEMSEG_TILE_CACHE_GB")
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="tiles are not kept in .*file/tiles"):
        assert_same(PackedSplit(ADDRESS, "train"), folder)


def test_the_photographs_may_be_elsewhere_than_when_they_were_packed(folder, town_file, tmp_path):  # noqa: F811
    shutil.copytree(town_file.parent, tmp_path / "elsewhere/town")  # with the time of the copy
    for path in (tmp_path / "elsewhere").rglob("*.png"):
        os.utime(path)
    here = training_set(town_file, folder)
    shutil.rmtree(town_file.parent)
    moved = training_set(tmp_path / "elsewhere/town/dataset.yaml", ADDRESS)
    assert np.array_equal(take(moved, 3)["inputs"], take(here, 3)["inputs"])
    (tmp_path / "elsewhere/town/images/3.png").write_bytes(b"?")
    with raises("E-data-packed", rf"1 pictures have changed since they were packed to {ADDRESS}"):
        training_set(tmp_path / "elsewhere/town/dataset.yaml", ADDRESS)
