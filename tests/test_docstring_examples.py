"""The examples in docstrings run, and show what they say."""

import contextlib
import doctest
import importlib
import io
import shutil
import warnings

import pytest
from PIL import Image

import semseg
from tests.checkpoints.described import save, small_config
from tests.conftest import REPO
from tests.inference.test_predictor import lively_checkpoint, picture

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
TRAINING = "semseg.training.run"  # its examples need a data set, and seconds
DATASET = """\
classes: [{name: road, color: [128, 64, 128]}, {name: other, color: [0, 0, 0]}]
encoding: ids
splits:
  train: {images: images/train, masks: masks/train}
  val: {images: images/val, masks: masks/val}
"""

PUBLIC = [
    "semseg.CheckpointError",
    "semseg.ConfigError",
    "semseg.DataError",
    "semseg.DiskError",
    "semseg.InputError",
    "semseg.StorageError",
    "semseg.Segmentation",
    "semseg.Segmenter",
    "semseg.SemsegError",
    "semseg.config.load_config",
    "semseg.datasets.dataset_file.read_dataset_file",
    "semseg.labels.Label",
    "semseg.labels.LabelSpace",
    "semseg.labels.categories_of",
    "semseg.labels.distinct_colors",
    "semseg.training.for_training",
    "semseg.training.run.evaluate",
    "semseg.training.run.train",
]
"""What users call from Python."""


class Checker(doctest.OutputChecker):
    """Compares the output of the examples that show one; the others may print, as a training does."""

    def check_output(self, want, got, optionflags):
        return not want or super().check_output(want, got, optionflags)


def modules_with_examples():
    """Return the names of the modules whose source contains an example."""
    for path in sorted((REPO / "semseg").rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(REPO).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the examples name: best.pth, street.jpg, photographs/, dataset.yaml."""
    folder = tmp_path_factory.mktemp("examples")
    save(folder / "best.pth", lively_checkpoint(small_config()))
    (folder / "photographs").mkdir()
    for seed, name in enumerate(("street.jpg", "photographs/a.jpg", "photographs/b.jpg")):
        Image.fromarray(picture(96, 128, seed)).save(folder / name)
    (folder / "dataset.yaml").write_text(DATASET)
    return folder


def run_examples(name):
    """Run the examples of a module, and fail with the report of `doctest`."""
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(Checker(), optionflags=FLAGS)
    report = io.StringIO()
    # without the names of the module: who copies an example has only what it imports
    tests = [test for test in doctest.DocTestFinder().find(module, globs={}) if test.examples]
    assert tests, f"{name}: its examples are not in docstrings"
    for test in tests:  # by name: an evaluation, and a training after it in the same process
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            runner.run(test, out=report.write)
    assert runner.summarize(verbose=False).failed == 0, report.getvalue()


@pytest.mark.parametrize("name", [name for name in modules_with_examples() if name != TRAINING])
def test_the_examples_of_a_module_run(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    run_examples(name)


@pytest.mark.slow
def test_the_examples_of_training_and_evaluation_run(town, folder, tmp_path, monkeypatch):
    shutil.copytree(town / "data", tmp_path / "data")
    shutil.copy(folder / "best.pth", tmp_path)
    monkeypatch.chdir(tmp_path)
    run_examples(TRAINING)
    assert list(tmp_path.glob("work_dirs/*/iter_2.pth"))


@pytest.mark.parametrize("name", PUBLIC)
def test_what_users_call_from_python_has_an_example(name):
    module, _, attribute = name.rpartition(".")
    assert ">>> " in getattr(importlib.import_module(module), attribute).__doc__


def test_every_public_name_of_the_package_is_in_that_list():
    assert {f"semseg.{name}" for name in semseg.__all__} <= set(PUBLIC)
