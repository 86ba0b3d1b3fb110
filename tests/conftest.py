"""A small town, drawn once, in which the real programs run as a user runs them."""

import contextlib
import functools
import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

from semseg import compat, errors
from semseg.compat import checkpoint_files
from semseg.system.wording import FLAGS
from tests.warm import WarmPrograms

REPO = Path(__file__).parents[1]
CONFIG = REPO / "configs/toycity/pspnet_r18-d8_1xb4-1000_toycity-128x256.py"
SHORT = [
    "--cfg-options", "train_cfg.max_iters=4", "train_cfg.val_interval=2", "train_dataloader.batch_size=2",
    "train_dataloader.num_workers=1", "default_hooks.logger.interval=1", "default_hooks.checkpoint.interval=2",
    "model.data_preprocessor.size=(64,128)", "train_dataloader.dataset.pipeline.3.crop_size=(64,128)",
]  # fmt: skip

# a busy machine takes long for an example: that is no failure
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip


_LONGEST_FIRST = (  # so that no process is left with one of them at the end; those that take 20 s or more
    "config/test_model_zoo.py", "config/test_every_config.py", "cli/test_line.py", "cli/test_survival.py",
    "cli/test_benchmark.py", "cli/test_model_compare.py", "cli/test_main.py", "cli/test_demo.py", "cli/test_infer.py",
    "checkpoints/test_old_files.py", "export/test_model_file.py", "cli/test_model_export.py", "test_examples.py",
    "test_examples_cluster.py", "test_examples_custom.py", "cli/test_data_option.py", "cli/test_slurm.py",
    "cli/test_gap.py",
    "cli/test_launch.py", "cli/test_machines.py", "cli/test_overfit.py", "cli/test_model.py", "cli/test_fine_tuning.py",
    "cli/test_tracking.py", "cli/test_wrapped_sets.py", "cli/test_preflight.py", "cli/test_analyze.py",
    "cli/test_fidelity.py", "training/test_stock_settings.py", "cli/test_balance.py",
    "compat/test_compat.py", "inference/test_precision.py", "training/preflight/test_hook.py",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest; pytest-xdist keeps the order with --no-loadscope-reorder."""
    places = {REPO / "tests" / name: place for place, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_collection_finish():
    """Let no garbage collection look through the modules that were imported so far."""
    gc.collect()
    gc.freeze()


def run(cwd, *command, code=0, fresh=False):
    """Run a program of `tools/` in `cwd` and return it; fail with its output unless it exits with `code`.

    Without `fresh` it need not import PyTorch again.
    """
    program = [str(REPO / "tools" / command[0]), *map(str, command[1:])]
    if not fresh and _warm_programs().can_run(program[0]):
        done = _warm_programs().run(cwd, *program)
    else:
        if command[0].endswith(".py"):
            program.insert(0, sys.executable)
        environment = {**os.environ, "PYTHON": sys.executable}
        done = subprocess.run(program, cwd=cwd, capture_output=True, text=True, env=environment)
    assert "OneDL" not in done.stdout  # no program greets in the name of others
    assert done.returncode == code, done.stdout + done.stderr
    if code == 2:
        assert "Traceback" not in done.stderr, done.stderr
    return done


def run_code(folder, code, **environment):
    """Run Python code where MMSegmentation is imported as it is installed, and nothing of this project; return it.

    Args:
        folder: the working folder; the code is written to a file there.
        code: of the program.
        environment: variables that it gets.
    """
    program = Path(folder, "code.py")
    program.write_text(f"import os\nos.environ.update({environment!r})\n{code}")
    if _warm_programs().can_run(program):
        return _warm_programs().run(folder, str(program))
    command = [sys.executable, "-W", "ignore", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@functools.cache
def _warm_programs():
    return WarmPrograms()


@contextlib.contextmanager
def raises(code, match=None):
    """Expect a `SemsegError` of this code, with the values of `match` in its message."""
    with pytest.raises(errors.SemsegError, match=match) as caught:
        yield caught
    assert caught.value.code == code, f"{caught.value.code}: {caught.value}"


def results_in(work_dir):
    """Return the results.json of the only test below `work_dir`."""
    (path,) = (Path(work_dir) / "test").glob("*/results.json")
    return json.loads(path.read_text())


def scores_in(work_dir):
    """Return aAcc, mIoU, …, and IoU/<class>."""
    found = results_in(work_dir)
    classes = {f"IoU/{row['class']}": row["IoU"] for row in found["per_class"]}
    return {name: score["value"] for name, score in found["scores"].items()} | classes


@pytest.fixture(scope="session", autouse=True)
def cache_of_checks(tmp_path_factory):
    """Keep what the checks remember out of the home folder."""
    os.environ["SEMSEG_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def careful_context(monkeypatch):
    """Let no test see what another one trusted, or took for a stranger's: programs end, and this process goes on."""
    monkeypatch.setattr(sys, "argv", list(sys.argv))  # `semseg` puts its name there, which messages follow
    for variable in (checkpoint_files._trusted, compat._registered_only):
        variable.set(False)
    FLAGS.clear()


@pytest.fixture(scope="session")
def storage_server():
    """A storage of S3's kind on this machine, and a proxy that fails as it is told."""
    pytest.importorskip("obstore")
    pytest.importorskip("moto")
    from tests.storage_server import Storage

    server = Storage()
    yield server
    server.close()


@pytest.fixture
def storage(storage_server, monkeypatch):
    """The storage with an empty bucket, and the environment with which programs find it; they give up soon."""
    from semseg.system.objects import object_store as store
    from tests.storage_server import SECRETS

    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("AWS_ENDPOINT_URL", storage_server.url)
    patience = store.Patience(pause_s=0.3, num_retries=3, first_wait_s=0.01, longest_wait_s=0.05)
    monkeypatch.setattr(store, "PATIENCE", patience)
    storage_server.clear()
    return storage_server


@pytest.fixture(scope="session")
def chromium():
    """Debian's browser."""
    if not CHROMIUM.is_file():
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def new_page(chromium):
    """A function that returns an empty page; what goes wrong in it, and what it asks for, is remembered."""
    contexts = []

    def make(width=1280, height=900, **settings):
        context = chromium.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.complaints, page.requests = [], []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda request: page.requests.append(request.url))
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def town(tmp_path_factory):
    """A folder with `data/toycity` (8 train, 3 val, 1 test), `data/rosario`, `data/rosario_labelled`."""
    cwd = tmp_path_factory.mktemp("town")
    run(cwd, "dataset.py", "toycity", "data/toycity", "--train", 8, "--val", 3, "--test", 1, "--size", "256x128")
    run(cwd, "dataset.py", "toycity", "data/rosario", "--style", "rosario", "--photos", 3, "--labelled", 2)
    run(cwd, "convert_datasets/cityscapes.py", "data/toycity")
    return cwd


@pytest.fixture(scope="session")
def trained(town):
    """The work folder of a short run in `town`; its process is `trained.process`."""
    done = run(town, "train.py", CONFIG, "--seed", 0, *SHORT, fresh=True)
    work_dir = town / "work_dirs" / CONFIG.stem
    (work_dir / "stdout.txt").write_text(done.stdout)
    (work_dir / "stderr.txt").write_text(done.stderr)
    return work_dir
