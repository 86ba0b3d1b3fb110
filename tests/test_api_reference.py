"""`make docs` writes a page for each module that users import; whatever is on it has a docstring."""

import ast
import re
import subprocess
import sys

import pytest

from tests.conftest import REPO
from tests.test_docstring_examples import PUBLIC

MODULES = (
    re.search(r"^API := ((?:.*\\\n)*.*)", (REPO / "Makefile").read_text(), re.MULTILINE)[1].replace("\\", "").split()
)


def path_of(module):
    return REPO / f"{module.replace('.', '/')}.py"


@pytest.mark.parametrize("module", MODULES)
def test_all_public_functions_and_classes_of_the_reference_have_docstrings(module):
    tree = ast.parse(path_of(module).read_text(encoding="utf-8"))
    definitions = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    public = [node for node in definitions if not node.name.startswith("_")]
    methods = [child for node in public if isinstance(node, ast.ClassDef) for child in node.body]
    public += [node for node in methods if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert ast.get_docstring(tree)
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_what_users_call_is_in_the_reference():
    names = {name.rpartition(".")[2] for name in PUBLIC}
    defined = {
        node.name
        for module in MODULES
        for node in ast.parse(path_of(module).read_text(encoding="utf-8")).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    }
    assert names <= defined


@pytest.mark.slow
def test_the_reference_is_written(tmp_path):
    options = ["--docformat", "google", "--no-show-source", "--output-directory", tmp_path]
    subprocess.run([sys.executable, "-m", "pdoc", *options, *MODULES], cwd=REPO, check=True)
    page = (tmp_path / "semseg/inference/segmenter.html").read_text()
    assert "Segment images with a checkpoint." in page
    assert {path.stem for path in tmp_path.rglob("*.html")} == {"index", *(name.split(".")[-1] for name in MODULES)}
