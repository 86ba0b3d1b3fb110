"""What SECURITY.md says about files of strangers, as far as no other test shows it, and the tests that it names."""

import re

import numpy as np
import pytest

from semseg.datasets.dataset_file import read_dataset_file
from semseg.datasets.stored_bands import read_stored
from semseg.inference.openvino_predictor import parse
from semseg.system.objects.local_copies import cached_model
from tests.conftest import REPO, raises

TEXT = (REPO / "SECURITY.md").read_text()


def test_every_test_and_file_that_is_named_exists():
    paths = set(re.findall(r"`((?:tests|semseg|tools)/[\w./]*)`", TEXT))
    assert len(paths) >= 12
    assert [path for path in sorted(paths) if not (REPO / path).exists()] == []
    names = set(re.findall(r"`(test_\w+)`", TEXT))
    sources = "".join(path.read_text() for path in (REPO / "tests").rglob("test_*.py"))
    assert len(names) >= 5
    assert [name for name in sorted(names) if f"def {name}(" not in sources] == []


class RunsCode:
    """Its pickle would exit with this text."""

    def __reduce__(self):
        return SystemExit, ("code was run",)


def test_an_array_with_a_pickle_is_refused(tmp_path):
    np.save(tmp_path / "evil.npy", np.array([[RunsCode()]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="object"):
        read_stored(tmp_path / "evil.npy")


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir [made]", "!!python/name:os.system ''"])
def test_yaml_builds_no_objects(tmp_path, monkeypatch, tag):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dataset.yaml").write_text(f"root: {tag}\n")
    with raises("E-data-yaml", "dataset.yaml"):
        read_dataset_file(tmp_path / "dataset.yaml")
    assert not (tmp_path / "made").exists()


def test_an_exported_model_with_a_doctype_is_refused():
    for entity in ('a "aaaaaaaaaa"', 'a SYSTEM "file:///etc/passwd"'):
        with pytest.raises(ValueError, match="document type"):
            parse(f"<!DOCTYPE net [<!ENTITY {entity}>]><net>&a;</net>".encode())


def test_a_config_is_not_read_from_http():
    with raises("E-storage-address", r"http://example\.org/c\.py: a config is executed"):
        cached_model("http://example.org/c.py")


def test_no_module_of_the_package_unpickles_or_builds_objects_by_itself():
    calls = re.compile(r"\bpickle\.loads?\(|allow_pickle=True|weights_only=False|yaml\.(?:unsafe_)?load\(|extractall\(")
    found = {
        (path.relative_to(REPO).as_posix(), match)
        for path in (REPO / "semseg").rglob("*.py")
        for match in calls.findall(path.read_text())
    }
    assert found == {
        ("semseg/analysis/published_scores.py", "yaml.load("),  # installed metafiles, by a safe loader
        ("semseg/compat/checkpoint_files.py", "weights_only=False"),  # only words about MMEngine
        ("semseg/system/objects/reading_process.py", "pickle.load("),  # between a process and its own child
    }
