"""Files of a user that register parts: how they are found, named and imported, and what is said about their errors."""

import logging
import multiprocessing
import sys

import pytest
from mmseg.registry import MODELS, TRANSFORMS

from semseg import config
from semseg.config import plugin_files
from semseg.config.plugin_files import import_plugins, imported_plugins, is_of_plugin
from semseg.config.plugin_records import missing_plugins, warn_of_changes
from tests.config.plugins import LOSS, forget_plugins
from tests.conftest import CONFIG, raises


@pytest.fixture(autouse=True)
def forgotten(tmp_path, monkeypatch):
    """Work in an empty folder; afterwards no plugin is left."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # files change within a second here
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    forget_plugins(before, tmp_path)
    yield
    forget_plugins(before, tmp_path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def call(function):
    return function()


def test_a_name_that_is_no_identifier_in_a_folder_with_spaces_is_imported(tmp_path):
    path = write(tmp_path / "my parts/my-loss.py", LOSS)
    (plugin,) = import_plugins("my parts/../my parts/my-loss.py")
    assert (plugin.name, plugin.module) == ("my-loss.py", "my-loss")
    registered = MODELS.get("OwnLoss")
    assert is_of_plugin(registered)
    assert not is_of_plugin(MODELS.get("CrossEntropyLoss"))
    assert sys.modules["my-loss"].__file__ == str(path)


def test_a_spawned_process_finds_the_classes_of_two_files_of_the_same_name(tmp_path):
    text = "class Own:\n    def __call__(self):\n        return __file__\n"
    paths = [write(tmp_path / folder / "parts.py", text) for folder in ("a", "b")]
    plugins = import_plugins(paths)
    first, second = (plugin.module for plugin in plugins)
    assert first != second
    assert second.endswith("b.parts")  # with more folders in front, if another test has imported from a folder b
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.map(call, [sys.modules[plugin.module].Own() for plugin in plugins])
    assert found == list(map(str, paths))


@pytest.mark.parametrize("name", ["random", "numpy", "torch"])
def test_a_file_with_the_name_of_an_installed_package_hides_nothing(tmp_path, name):
    installed = __import__(name)
    (plugin,) = import_plugins(write(tmp_path / f"parts/{name}.py", LOSS))
    assert plugin.module == f"parts.{name}"
    assert sys.modules[name] is installed


def test_a_file_may_import_the_files_beside_it_also_within_a_package(tmp_path):
    write(tmp_path / "one/wonderful_helper.py", LOSS)
    import_plugins(write(tmp_path / "one/first.py", "from wonderful_helper import OwnLoss\n"))
    assert is_of_plugin(MODELS.get("OwnLoss"))
    write(tmp_path / "pack/__init__.py", "")
    write(tmp_path / "pack/helper.py", "VALUE = 3\n")
    (plugin,) = import_plugins(write(tmp_path / "pack/second.py", "from .helper import VALUE\n"))
    assert sys.modules[plugin.module].VALUE == 3
    assert plugin.module == "pack.second"


def test_a_plugin_that_would_get_another_file_than_the_one_beside_it_is_refused(tmp_path):
    other = write(tmp_path / "one/shared_parts.py", "")
    import_plugins(other)
    write(tmp_path / "two/shared_parts.py", "")
    path = write(tmp_path / "two/net.py", "import os\nimport shared_parts\n")
    with raises("E-config-plugin-name", rf"{path} line 2: import shared_parts finds {other}, not the file beside it"):
        import_plugins(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nb = a / 0\n", r"own\.py line 2: ZeroDivisionError: division by zero$"),
        ("def make():\n    return {}['x']\nmake()\n", r"own\.py line 2: KeyError: 'x'$"),
        ("def broken(:\n", r"own\.py line 1: this is not Python: "),
        ("import sys\nsys.exit(3)\n", r"own\.py line 2: SystemExit: 3$"),
        (
            "import no_such_package.x\n",
            r"own\.py line 1 needs no_such_package, and the package no_such_package is not installed",
        ),
        ("from torch import no_such_name\n", r"own\.py line 1: ImportError: cannot import name 'no_such_name'"),
        ("raise RuntimeError\n", r"own\.py line 1: RuntimeError$"),
    ],
)
def test_an_error_in_a_plugin_is_one_sentence_with_file_and_line(tmp_path, text, message):
    with raises("E-config-plugin", message):
        import_plugins(write(tmp_path / "own.py", text))


def test_an_error_in_a_file_beside_a_plugin_names_that_file(tmp_path):
    helper = write(tmp_path / "broken_helper.py", "x = 1\ny = x.z\n")
    with raises("E-config-plugin", rf"^{helper} line 2: AttributeError"):
        import_plugins(write(tmp_path / "own.py", "import broken_helper\n"))


REGISTER = (
    "from {package}.registry import {registry}\n\n@{registry}.register_module({force})\nclass {name}:\n    pass\n"
)


@pytest.mark.parametrize(
    ("package", "registry", "name", "force", "message"),
    [
        ("mmseg", "MODELS", "DiceLoss", "", r"own\.py line 3: the name DiceLoss is in use by mmseg\.models\."),
        ("mmseg", "MODELS", "DiceLoss", "force=True", r"own\.py registers DiceLoss, and mmseg\.models\.losses"),
        ("mmseg", "TRANSFORMS", "CenterCrop", "", r"own\.py registers CenterCrop, and mmcv\.transforms"),
        ("mmengine", "MODELS", "PSPHead", "", r"own\.py registers PSPHead, and mmseg\.models"),
    ],
)
def test_a_name_that_is_in_use_is_refused_and_the_first_owner_keeps_it(
    tmp_path, package, registry, name, force, message
):
    import mmseg.models  # noqa: F401

    owners = {"MODELS": MODELS, "TRANSFORMS": TRANSFORMS}[registry]
    owner = owners.get(name)
    path = write(tmp_path / "own.py", REGISTER.format(package=package, registry=registry, name=name, force=force))
    with raises("E-config-plugin-name", rf"{message}.*choose another name"):
        import_plugins(path)
    assert owners.get(name) is owner
    assert imported_plugins() == []


def test_a_name_that_is_registered_twice_is_named_with_its_line(tmp_path):
    twice = LOSS + LOSS.partition("\n\n")[2]
    line = 1 + twice[: twice.rindex("@MODELS")].count("\n")
    with raises("E-config-plugin-name", rf"own\.py line {line}: the name OwnLoss is registered twice in this file"):
        import_plugins(write(tmp_path / "own.py", twice))
    assert MODELS.get("OwnLoss") is None


def test_a_file_that_has_changed_is_imported_again_and_one_that_has_not_is_not(tmp_path):
    path = write(tmp_path / "own.py", LOSS)
    import_plugins(path)
    first = MODELS.get("OwnLoss")
    import_plugins([path, "own.py"])
    assert MODELS.get("OwnLoss") is first
    write(path, LOSS + "raise ValueError\n")
    with raises("E-config-plugin", "ValueError"):
        import_plugins(path)
    write(path, LOSS + "    factor = 2\n")
    import_plugins(path)
    assert MODELS.get("OwnLoss").factor == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("none.py", r"`plugins` none\.py: /.*/none\.py is not there; expected the path of a Python file"),
        ("parts/none.py", "is not there"),
        ("./", "is a folder"),
        ("no_such_module", r"`plugins` no_such_module: no module no_such_module; expected"),
    ],
)
def test_what_is_not_there_is_named(given, message):
    with raises("E-config-plugin-missing", message):
        import_plugins([given])


def test_a_dot_in_a_name_asks_for_another_name(tmp_path):
    with raises("E-config-plugin-name", r"own\.v2\.py cannot be imported, .*rename it"):
        import_plugins(write(tmp_path / "own.v2.py", ""))


def test_a_module_is_found_by_its_name_in_the_working_folder_or_where_it_is_installed(tmp_path):
    write(tmp_path / "own_module.py", LOSS)
    write(tmp_path / "own_package/losses.py", LOSS.replace("OwnLoss", "OtherLoss"))
    names = [plugin.name for plugin in import_plugins(["own_module", "own_package.losses", "colorsys"])]
    assert names == ["own_module.py", "own_package.losses", "colorsys"]
    assert MODELS.get("OwnLoss")
    assert MODELS.get("OtherLoss")


def test_a_config_records_names_and_hashes_and_warns_if_a_file_has_changed(tmp_path, caplog):
    path, beside = write(tmp_path / "own.py", LOSS), write(tmp_path / "configs/own_transform.py", "")
    file = write(
        tmp_path / "configs/x.py",
        f"_base_ = {str(CONFIG)!r}\ncustom_imports = dict(imports=['semseg.plugins', 'own_transform'])\n",
    )
    cfg = config.load_config(file, plugins=[path])
    digests = [plugin_files._digest_of(source) for source in (path, beside)]
    assert cfg.plugins == [
        {"name": "own.py", "sha256": digests[0]},
        {"name": "own_transform.py", "sha256": digests[1]},
    ]
    assert "plugins" not in config.load_config(CONFIG)
    cfg.dump("dumped.py")
    forget_plugins(set(sys.modules), tmp_path)
    beside.rename(tmp_path / "own_transform.txt")
    with raises("E-config-plugin-missing", r"dumped\.py: custom_imports names own_transform.* `plugins` own_transform"):
        config.load_config("dumped.py")
    moved = write(tmp_path / "elsewhere/own_transform.py", "# changed\n")
    with caplog.at_level(logging.WARNING, "semseg"):
        again = config.load_config("dumped.py", plugins=[path, moved])
    assert [record["name"] for record in again.plugins] == ["own.py", "own_transform.py"]
    (warning,) = [line for record in caplog.records if "version" in (line := record.getMessage())]
    changed = plugin_files._digest_of(moved)
    assert (
        f"another version of the plugin own_transform.py (SHA-256 {digests[1][:8]}, and now {changed[:8]})" in warning
    )


@pytest.mark.parametrize("digest", ["\x1b[2J\x1b[Hx", "0" * 63, "0" * 65, "A" * 64, 5])
def test_what_is_no_sha256_in_a_checkpoint_is_not_shown(tmp_path, caplog, digest):
    path = write(tmp_path / "own.py", LOSS)
    config.load_config(CONFIG, plugins=[path])
    warn_of_changes([{"name": "own.py", "sha256": digest}], "best.pth")
    assert "version of the plugin" not in caplog.text
    assert missing_plugins([{"name": "gone.py", "sha256": digest}]) == [("gone.py", None)]


def test_of_two_files_of_the_same_name_the_missing_one_is_told_by_its_content(tmp_path):
    paths = [write(tmp_path / folder / "parts.py", f"# {folder}\n") for folder in ("a", "b")]
    records = config.load_config(CONFIG, plugins=paths).plugins
    assert [record["name"] for record in records] == ["parts.py", "parts.py"]
    assert missing_plugins(records) == []
    forget_plugins(set(sys.modules), tmp_path)
    import_plugins(paths[1])
    assert missing_plugins(records) == [tuple(records[0].values())]


def test_an_error_in_a_module_of_custom_imports_blames_the_module_and_not_the_config(tmp_path):
    path = write(tmp_path / "own_parts.py", "x = 1\nx.y\n")
    file = write(tmp_path / "x.py", f"_base_ = {str(CONFIG)!r}\ncustom_imports = dict(imports=['own_parts'])\n")
    with raises("E-config-plugin", rf"^{path} line 2: AttributeError"):
        config.load_config(file)
    write(file, f"_base_ = {str(CONFIG)!r}\ncustom_imports = dict(imports=7)\n")
    with raises("E-config-value", r"x\.py: custom_imports is .*expected dict\(imports="):
        config.load_config(file)
