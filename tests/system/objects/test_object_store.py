import pickle
import traceback
import tracemalloc

import pytest

from semseg.errors import UnavailableStorageError
from semseg.system.objects import object_store as store
from semseg.system.objects.addresses import Address, parse_address
from tests.conftest import raises
from tests.storage_server import BUCKET, SECRETS, SIGNATURE

PICTURE = bytes(range(256)) * 1200
ROOT = Address("s3", BUCKET, "")


def read(key, folder):
    store.download(parse_address(key) if "://" in key else ROOT / key, folder / "copy")
    return (folder / "copy").read_bytes()


def test_an_object_is_written_listed_and_read(storage, tmp_path):
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    store.upload(tmp_path / "a.jpg", ROOT / "photos/ä b/a.jpg")
    store.upload(b"12", ROOT / "photos/b.jpg")
    store.upload(b"3", ROOT / "photos2/c.jpg")
    assert sorted((str(found), size) for found, size in store.list_objects(ROOT / "photos")) == [
        (f"s3://{BUCKET}/photos/b.jpg", 2),
        (f"s3://{BUCKET}/photos/ä b/a.jpg", len(PICTURE)),
    ]
    assert read("photos/ä b/a.jpg", tmp_path) == PICTURE == storage.get("photos/ä b/a.jpg")
    assert store.object_facts(ROOT / "photos/b.jpg").num_bytes == 2
    assert store.exists(ROOT / "photos/b.jpg") and not store.exists(ROOT / "photos/gone.jpg")
    assert list(store.list_objects(ROOT / "none")) == []


@pytest.mark.parametrize("faults", [["cut"], ["500", "503"], ["half", "half"], ["slow"], ["cut", "500", "half"]])
def test_what_fails_for_a_moment_is_read_whole(storage, tmp_path, faults):
    storage.put("a.jpg", PICTURE)
    storage.faults = list(faults)
    assert read("a.jpg", tmp_path) == PICTURE
    assert storage.faults == []


@pytest.mark.parametrize("faults", [["cut"], ["500", "503"], ["half"]])
def test_what_fails_for_a_moment_is_written_and_listed_whole(storage, faults):
    storage.faults = list(faults)
    store.upload(PICTURE, ROOT / "a.jpg")
    assert storage.get("a.jpg") == PICTURE
    storage.faults = [*faults[:-1], "503"]
    assert [str(found) for found, _ in store.list_objects(ROOT)] == [f"s3://{BUCKET}/a.jpg"]


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("cut", "E-storage-unavailable", "cut again"),
        ("half", "E-storage-unavailable", "cut again"),
        ("slow", "E-storage-unavailable", "silent or slow"),
        ("503", "E-storage-unavailable", "answer 503"),
    ],
)
def test_retries_end(storage, tmp_path, fault, code, words):
    storage.put("a.jpg", PICTURE)
    storage.requests.clear()
    storage.always = fault
    with raises(code, f"s3://{BUCKET}/a.jpg: .*{words}") as caught:
        read("a.jpg", tmp_path)
    assert isinstance(caught.value, OSError)
    assert len(storage.requests) == 1 + store.PATIENCE.num_retries


@pytest.mark.parametrize(
    ("fault", "words"), [("expired", r"have expired \(ExpiredToken\)"), ("unknown key", "does not accept")]
)
def test_credentials_that_are_refused_are_not_tried_again_and_appear_nowhere(storage, tmp_path, capfd, fault, words):
    storage.put("a.jpg", PICTURE)
    storage.requests.clear()
    storage.always = fault
    for attempt in (
        lambda: read("a.jpg", tmp_path),
        lambda: store.upload(b"1", ROOT / "b.jpg"),
        lambda: list(store.list_objects(ROOT)),
    ):
        with raises("E-storage-credentials", words) as caught:
            attempt()
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + "".join(capfd.readouterr())
        assert [secret for secret in SECRETS.values() if secret in shown] == []
    assert len(storage.requests) == 3


def test_what_is_not_there_is_said_and_not_tried_again(storage, tmp_path):
    with raises("E-storage-missing", f"no object s3://{BUCKET}/gone.jpg$"):
        read("gone.jpg", tmp_path)
    for attempt in (
        lambda: read("s3://nowhere/a.jpg", tmp_path),
        lambda: store.upload(b"", Address("s3", "nowhere", "a")),
        lambda: list(store.list_objects(Address("s3", "nowhere", "photos"))),
        lambda: store.exists(Address("s3", "nowhere", "a")),
    ):
        with raises("E-storage-no-bucket", "no bucket s3://nowhere;"):
            attempt()
    assert len(storage.requests) == 5


def test_no_credentials_and_no_host_are_said(storage, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for change in (lambda name: monkeypatch.setenv(name, ""), monkeypatch.delenv):
        for name in SECRETS:
            change(name)
        with raises("E-storage-credentials", f"no credentials for s3://{BUCKET}; set AWS_ACCESS_KEY_ID"):
            read("a.jpg", tmp_path)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with raises("E-storage-credentials", r"no credentials for .* \(ProfileNotFound\)"):
        read("a.jpg", tmp_path)
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with raises("E-storage-unreachable", "the host 127.0.0.1:9 cannot be reached"):
        read("a.jpg", tmp_path)


def test_credentials_of_a_profile_are_found(storage, tmp_path, monkeypatch):
    storage.put("a.jpg", PICTURE)
    for name in SECRETS:
        monkeypatch.delenv(name)
    keys = f"aws_access_key_id = {SECRETS['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = a\n"
    (tmp_path / "credentials").write_text(f"[mine]\n{keys}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert read("a.jpg", tmp_path) == PICTURE


def test_a_signed_web_address_is_read_and_its_signature_shown_nowhere(storage, tmp_path):
    storage.put("a b.jpg", PICTURE)
    signed = f"{storage.url}/{BUCKET}/a%20b.jpg?X-Amz-Signature={SIGNATURE}"
    address = parse_address(signed)
    assert read(signed, tmp_path) == PICTURE
    assert storage.requests[-1] == ("GET", f"/{BUCKET}/a%20b.jpg?X-Amz-Signature={SIGNATURE}")
    assert SIGNATURE not in f"{address} {address!r}"
    with raises("E-storage-missing") as caught:
        read(signed.replace("a%20b", "c"), tmp_path)
    assert SIGNATURE not in "".join(traceback.format_exception(caught.value))
    for attempt in (lambda: store.upload(b"", address), lambda: list(store.list_objects(address))):
        with raises("E-storage-address", "web address"):
            attempt()


def test_memory_belongs_to_the_process(monkeypatch, tmp_path):
    pytest.importorskip("obstore")
    store.upload(b"12", Address("memory", "x", "a/b"))
    monkeypatch.setenv("AWS_REGION", "elsewhere")
    assert [(str(found), size) for found, size in store.list_objects(Address("memory", "x", ""))] == [
        ("memory://x/a/b", 2)
    ]
    assert read("memory://x/a/b", tmp_path) == b"12"


def test_google_storage_is_listed_by_its_own_client(storage, tmp_path, monkeypatch):
    storage.put("photos/a.jpg", PICTURE)
    account = f'{{"gcs_base_url": "{storage.url}", "disable_oauth": true, "client_email": "", "private_key": "", '
    (tmp_path / "account.json").write_text(f'{account}"private_key_id": ""}}')
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "account.json"))
    found = [str(found) for found, _ in store.list_objects(Address("gs", BUCKET, "photos"))]
    assert found == [f"gs://{BUCKET}/photos/a.jpg"]


def test_a_long_listing_is_read_page_by_page(many_names):
    peaks = []
    for _ in range(3):  # what other threads allocate meanwhile counts too
        many_names.num_pages = 0
        tracemalloc.start()
        try:
            count = sum(1 for _ in store.list_objects(Address("s3", "many", "photos")))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert (count, many_names.num_pages) == (many_names.num_names, many_names.num_names // 1000)
    assert min(peaks) < 2e6


def test_errors_reach_other_processes():
    error = UnavailableStorageError("x", code="E-storage-unavailable")
    assert str(pickle.loads(pickle.dumps(error))) == "x"
