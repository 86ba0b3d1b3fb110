"""Photographs in a storage, and results in it, with a predictor that needs no model."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semseg.inference import Outputs, find_images, infer, is_video
from semseg.inference.sources import LeftOut
from semseg.inference.stored_results import local_folder
from semseg.system.objects.addresses import parse_address
from semseg.system.stopping import Stopped
from tests.conftest import raises
from tests.inference.brightness import CLASSES, PALETTE, Brightness, save
from tests.storage_server import BUCKET, SECRETS

ROOT = f"s3://{BUCKET}"


@pytest.fixture
def photos(storage, tmp_path):
    """The photographs, in a folder and in the bucket."""
    for name in ("img10.png", "img2.png", "north/ä b.jpg"):
        path = save(tmp_path / "photos" / name)
        storage.put(f"photos/{name}", path.read_bytes())
    storage.put("photos/notes.md", b"x")
    storage.put("photos/.hidden/c.png", b"x")
    storage.put("photos2/d.png", path.read_bytes())
    return tmp_path / "photos"


def segment(source, out_dir, predictor=None, **options):
    out_dir = parse_address(out_dir) if "://" in str(out_dir) else out_dir
    with local_folder(out_dir) as (folder, stored):
        outputs = Outputs(folder, CLASSES, PALETTE)
        summary = infer(predictor or Brightness(), find_images(source), outputs, stored=stored, **options)
        assert stored is None or [path.name for path in folder.rglob("*.*") if path.suffix in (".png", ".jpg")] == []
    return summary


def table(storage, name="manifest"):
    rows = csv.DictReader(io.StringIO(storage.get(f"out/{name}.csv").decode()))
    return {row["name"]: row for row in rows}


def test_a_folder_of_a_bucket_is_found_as_one_on_a_disk(photos):
    left_out = LeftOut()
    found = find_images(f"{ROOT}/photos", left_out=left_out)
    assert [str(image.name) for image in found] == [str(image.name) for image in find_images(photos)]
    assert [str(image.path) for image in found][:2] == [f"{ROOT}/photos/img2.png", f"{ROOT}/photos/img10.png"]
    assert [str(path) for path in left_out.other_files] == [f"{ROOT}/photos/notes.md"]
    assert [str(image.name) for image in find_images(f"{ROOT}/photos/img2.png")] == ["img2"]
    assert len(find_images(ROOT)) == 4


def test_lists_name_objects_on_a_disk_and_in_a_bucket(photos, storage, tmp_path):
    (tmp_path / "list.txt").write_text(f"# chosen\n{ROOT}/photos/north/ä b.jpg\n{ROOT}/photos2/d.png\n")
    assert [str(image.name) for image in find_images(tmp_path / "list.txt")][1].endswith("photos2/d")
    storage.put("photos/list.txt", f"img2.png\nnorth/ä b.jpg\n{ROOT}/photos2/d.png".encode())
    found = [str(image.path) for image in find_images(f"{ROOT}/photos/list.txt")]
    assert found == [f"{ROOT}/photos/img2.png", f"{ROOT}/photos/north/ä b.jpg", f"{ROOT}/photos2/d.png"]
    storage.put("photos/list.txt", b"/etc/passwd.png")
    with raises("E-input-list", "/etc/passwd.png"):
        find_images(f"{ROOT}/photos/list.txt")


def test_wrong_addresses_say_what_was_expected(photos, storage):
    with raises("E-input-missing", rf"no image {ROOT}/photos/gone\.jpg"):
        find_images(f"{ROOT}/photos/gone.jpg")
    with raises("E-input-missing", rf"no image in {ROOT}/none \(there is nothing\)"):
        find_images(f"{ROOT}/none")
    with raises("E-input-list", "patterns"):
        find_images(f"{ROOT}/photos/*.png")
    with raises("E-input-kind", rf"{ROOT}/a\.mp4: videos"):
        find_images(f"{ROOT}/a.mp4")
    with raises("E-storage-address", "web address"):
        find_images("https://example.org/photos/")
    with raises("E-storage-address", r"\.\."):
        find_images(f"{ROOT}/../a.jpg")
    assert is_video("https://example.org/stream") and not is_video("https://example.org/a.jpg?width=3")


def test_photographs_of_a_bucket_give_the_masks_of_those_of_a_disk(photos, storage, tmp_path):
    segment(photos, tmp_path / "here")
    segment(f"{ROOT}/photos", f"{ROOT}/out")
    names = sorted(str(path.relative_to(tmp_path / "here")) for path in (tmp_path / "here").rglob("*.*"))
    for name in names:
        if not name.endswith(".csv"):
            assert storage.get(f"out/{name}") == (tmp_path / "here" / name).read_bytes()
    assert {name: row["status"] for name, row in table(storage).items()} == dict.fromkeys(table(storage), "ok")
    assert table(storage)["north/ä b"]["source"] == f"{ROOT}/photos/north/ä b.jpg"
    assert len(table(storage, "stats")) == 3


def test_a_second_run_completes_what_is_missing(photos, storage, monkeypatch, tmp_path):
    segment(f"{ROOT}/photos", f"{ROOT}/out")
    storage.request("DELETE", f"/{BUCKET}/out/pred/img2.png")
    monkeypatch.chdir(tmp_path)
    predictor = Brightness()
    summary = segment(f"{ROOT}/photos", f"{ROOT}/out", predictor, skip_existing=True)
    assert (len(predictor.batches), summary.num_done, summary.num_left, summary.num_replaced) == (1, 1, 2, 0)
    assert storage.get("out/pred/img2.png") and len(table(storage)) == 3
    # results are no photographs
    assert len(find_images(ROOT)) == 4


def test_masks_of_another_model_in_a_bucket_are_never_kept_and_the_message_names_the_bucket(photos, storage):
    run = {"checkpoint": {"name": "best.pth", "sha256": "ab" * 32}, "tta": None}
    segment(photos, f"{ROOT}/out", run=run)
    before = storage.get("out/manifest.csv")
    with raises("E-input-mixed", f"^{ROOT}/out holds results with `tta` off instead of flip"):
        segment(photos, f"{ROOT}/out", run={**run, "tta": "flip"}, skip_existing=True)
    assert storage.get("out/manifest.csv") == before
    assert segment(photos, f"{ROOT}/out", run=run, skip_existing=True).num_left == 3


def test_an_object_that_fails_is_recorded_and_the_others_go_on(photos, storage):
    storage.always = ("photos/img2.png", "half")
    summary = segment(f"{ROOT}/photos", f"{ROOT}/out")
    assert [str(path) for path in summary.failed] == [f"{ROOT}/photos/img2.png"]
    assert "cut again" in table(storage)["img2"]["status"]
    assert (table(storage)["img10"]["status"], summary.num_done) == ("ok", 2)


def test_failures_of_a_moment_change_nothing(photos, storage):
    images = find_images(f"{ROOT}/photos")
    storage.faults = ["ok", "ok", "ok", "cut", "500", "half", "503", "cut"]
    with local_folder(parse_address(f"{ROOT}/out")) as (folder, stored):
        summary = infer(Brightness(), images, Outputs(folder, CLASSES, PALETTE), stored=stored)
    assert (summary.num_done, summary.failed, storage.faults) == (3, [], [])
    mask = np.asarray(Image.open(io.BytesIO(storage.get("out/pred/img2.png"))))
    assert (mask[:16] == 1).all() and (mask[16:] == 0).all()


class ExpiringBrightness(Brightness):
    """A predictor during whose work the credentials expire."""

    def __init__(self, storage):
        super().__init__()
        self.storage = storage

    def predict(self, images, **options):
        self.storage.always = "expired"
        return super().predict(images, **options)


def test_a_run_whose_credentials_expire_ends_and_another_completes_it(photos, storage, capfd):
    with pytest.raises(Stopped, match=r"have expired .*E-storage-credentials.*--skip-existing") as caught:
        segment(f"{ROOT}/photos", f"{ROOT}/out", ExpiringBrightness(storage))
    assert caught.value.exit_code == 1
    said = str(caught.value) + "".join(capfd.readouterr())
    assert [secret for secret in SECRETS.values() if secret in said] == []
    storage.always = "ok"
    assert segment(f"{ROOT}/photos", f"{ROOT}/out", skip_existing=True).num_done == 3
    assert len(table(storage)) == 3


def test_what_cannot_be_written_ends_the_run_before_the_first_image(photos, storage):
    storage.always = ("/out/", "503")
    predictor = Brightness()
    with raises("E-storage-unavailable", "answer 503"):
        segment(f"{ROOT}/photos", f"{ROOT}/out", predictor)
    assert predictor.batches == []


def test_a_geotiff_of_a_bucket_keeps_its_place(storage, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tags = [(33550, 12, 3, (2.0, 2.0, 0.0), True), (33922, 12, 6, (0.0, 0.0, 0.0, 500000.0, 5600000.0, 0.0), True)]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((32, 48, 3), np.uint8), photometric="rgb", extratags=tags)
    storage.put("photos/a.tif", Path(tmp_path / "a.tif").read_bytes())
    segment(f"{ROOT}/photos", f"{ROOT}/out")
    with tifffile.TiffFile(io.BytesIO(storage.get("out/pred/a.tif"))) as file:
        assert file.pages[0].tags[33550].value == (2.0, 2.0, 0.0)
