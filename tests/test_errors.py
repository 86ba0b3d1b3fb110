"""What a Python user can catch."""

import inspect
import pickle

import pytest

import semseg
from semseg import CheckpointError, ConfigError, DataError, InputError, Segmenter, SemsegError, errors
from semseg.config import load_config
from semseg.datasets.dataset_file import read_dataset_file
from tests.conftest import CONFIG

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_is_a_semseg_error_of_one_sentence_that_other_processes_get_too(kind):
    error = kind("no file a.png; look again")
    assert isinstance(error, SemsegError)
    assert str(error) == str(pickle.loads(pickle.dumps(error))) == "no file a.png; look again"


@pytest.mark.parametrize(
    ("attempt", "kind", "builtin"),
    [
        (lambda folder: load_config(folder / "none.py"), ConfigError, FileNotFoundError),
        (lambda folder: load_config(CONFIG, ["model.backbon=1"]), ConfigError, ValueError),
        (lambda folder: Segmenter(folder / "none.pth"), CheckpointError, FileNotFoundError),
        (lambda folder: Segmenter(broken(folder)), CheckpointError, ValueError),
        (lambda folder: Segmenter(3), InputError, ValueError),
        (lambda folder: read_dataset_file(folder / "none.yaml"), DataError, FileNotFoundError),
        (lambda folder: read_dataset_file(broken(folder)), DataError, ValueError),
    ],
)
def test_its_kind_says_what_it_is_about_and_old_code_catches_it_too(tmp_path, attempt, kind, builtin):
    with pytest.raises(kind) as caught:
        attempt(tmp_path)
    assert isinstance(caught.value, builtin)


def broken(folder):
    path = folder / "broken.pth"
    path.write_bytes(b"PK\x03\x04 and nothing more")
    return path


def test_the_package_names_its_public_parts():
    assert all(hasattr(semseg, name) for name in semseg.__all__)
