"""`tools/infer.py` with a checkpoint, photographs and results in a storage."""

import io
import sys
import traceback

import numpy as np
import pytest
from PIL import Image

from semseg import Segmenter, StorageError
from semseg.cli.infer import main
from semseg.cli.program import run_tool
from tests.checkpoints.described import save, small_config
from tests.conftest import raises
from tests.inference.lively import picture
from tests.inference.test_predictor import lively_checkpoint
from tests.storage_server import BUCKET, SECRETS, SIGNATURE

ROOT = f"s3://{BUCKET}"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "best.pth"
    save(path, lively_checkpoint(small_config()))
    return path.read_bytes()


@pytest.fixture
def photo(storage, model):
    """A bucket with a model and two photographs; the bytes of one of them."""
    for seed, name in enumerate("ab"):
        file = io.BytesIO()
        Image.fromarray(picture(96, 128, seed)).save(file, "PNG")
        storage.put(f"photos/{name}.png", file.getvalue())
    storage.put("models/best.pth", model)
    return file.getvalue()


def test_everything_may_be_in_a_storage(storage, photo, model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = [f"{ROOT}/models/best.pth", f"{ROOT}/photos", "--device", "cpu", "--precision", "fp32"]
    assert main([*command, "--out-dir", f"{ROOT}/out"]) == 0
    assert f"2 of 2 images segmented: {ROOT}/out/pred, {ROOT}/out/vis" in capsys.readouterr().out
    (tmp_path / "best.pth").write_bytes(model)
    (tmp_path / "b.png").write_bytes(photo)
    result = Segmenter("best.pth", device="cpu", precision="fp32")("b.png")
    stored = np.asarray(Image.open(io.BytesIO(storage.get("out/pred/b.png"))))
    assert (stored == result.train_ids).all() and len(np.unique(stored)) > 1
    segment = Segmenter(f"{ROOT}/models/best.pth", device="cpu", precision="fp32")
    again = segment(f"{ROOT}/photos/b.png")
    assert (again.train_ids == stored).all() and str(again.path) == f"{ROOT}/photos/b.png"
    assert [str(found.path) for found in segment(f"{ROOT}/photos")] == [f"{ROOT}/photos/{name}.png" for name in "ab"]
    assert main([*command, "--out-dir", f"{ROOT}/out", "--skip-existing"]) == 0
    assert "0 of 2 images segmented, 2 were there" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["best.pth", "b.png"]  # no folder s3:


def test_a_checkpoint_is_downloaded_once_until_it_changes(storage, photo, model, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    command = [f"{ROOT}/models/best.pth", f"{ROOT}/photos/a.png", "--device", "cpu", "--out-dir", str(tmp_path / "out")]

    def copies():
        return [path.read_bytes() for path in (tmp_path / "cache").rglob("best.pth")]

    main(command)
    assert copies() == [model]
    (copy,) = (tmp_path / "cache").rglob("best.pth")
    changed = copy.stat().st_mtime_ns
    main(command)
    assert copy.stat().st_mtime_ns == changed
    storage.put("models/best.pth", b"PK\x03\x04 and nothing more")
    with raises("E-checkpoint-damaged", "best.pth"):
        main(command)
    assert copies() == [b"PK\x03\x04 and nothing more"]


def program(monkeypatch, capfd, *arguments):
    """Run the program as from a shell, and return its exit code and what it printed."""
    monkeypatch.setattr(sys, "argv", ["tools/infer.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run_tool(main)
    return ended.value.code, "".join(capfd.readouterr())


def test_a_wrong_address_ends_with_a_sentence_and_no_secret(storage, photo, tmp_path, monkeypatch, capfd):
    here = tmp_path / "out"
    model, photos = f"{ROOT}/models/best.pth", f"{ROOT}/photos"
    signed = f"{storage.url}/{BUCKET}/models/gone.pth?X-Amz-Signature={SIGNATURE}"
    for arguments, code, words in (
        ([f"{ROOT}/models/gone.pth", photos], 2, "[E-storage-missing]"),
        ([signed, photos], 2, "[E-storage-missing]"),
        ([model, "s3://nowhere/photos"], 2, "[E-storage-no-bucket]"),
        ([model, photos, "--out-dir", "s3://nowhere/out"], 2, "[E-storage-no-bucket]"),
        ([model, photos, "--out-dir", "https://example.org/out"], 2, "[E-storage-address]"),
        ([model, photos, "--geojson", f"{ROOT}/map.json"], 2, "[E-storage-here]"),
        ([model, f"{ROOT}/a.mp4"], 2, "[E-input-kind]"),
        (["http://127.0.0.1:9/config.py", model, photos], 2, "http:// does not protect"),
    ):
        arguments = arguments if "--out-dir" in arguments else [*arguments, "--out-dir", here]
        ended, said = program(monkeypatch, capfd, *arguments, "--device", "cpu")
        assert (ended, words in said, said.count("\n")) == (code, True, 1), said
        assert [secret for secret in (*SECRETS.values(), SIGNATURE) if secret in said] == []
    storage.always = "expired"
    ended, said = program(monkeypatch, capfd, model, photos, "--out-dir", here)
    assert (ended, "[E-storage-credentials]" in said, said.count("\n")) == (2, True, 1)
    monkeypatch.setattr(sys, "argv", ["tools/infer.py", model, photos, "--out-dir", str(here), "--debug"])
    with pytest.raises(StorageError) as caught:
        run_tool(main)
    said += "".join(traceback.format_exception(caught.value))
    assert [secret for secret in SECRETS.values() if secret in said] == []


def test_a_storage_without_its_package_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "obstore", None)
    with raises("E-storage-package", r"s3://a/best.pth .* pip install -e '\.\[s3\]'"):
        main(["s3://a/best.pth", str(tmp_path)])
