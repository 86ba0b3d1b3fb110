"""The examples run, from their first line to their last."""

import json
import subprocess
import sys

import pytest

from tests.conftest import REPO


def program_of(notebook):
    """Return the cells of a notebook as one program; where a cell ends with an expression, it is shown."""
    lines = ["import ast, os, shlex, subprocess, sys", "names = {}"]
    for cell in json.loads(notebook.read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        shell = [line for line in source.splitlines() if line.startswith("!semseg ")]
        for line in shell:
            words = f"[sys.executable, '-m', 'semseg', *shlex.split({line.removeprefix('!semseg ')!r})]"
            lines.append(f"subprocess.run({words}, check=True)")
        if not shell:
            lines += [
                f"tree = ast.parse({source!r})",
                "last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None",
                "exec(compile(tree, 'cell', 'exec'), names)",
                "shown = eval(compile(ast.Expression(last.value), 'cell', 'eval'), names) if last else None",
                "if hasattr(shown, '_repr_png_'): open('shown.png', 'wb').write(shown._repr_png_())",
            ]
    return "\n".join(lines)


@pytest.mark.slow
def test_the_first_hour_runs_in_an_empty_folder(tmp_path):
    program = program_of(REPO / "examples/first_hour.ipynb")
    assert "--epochs 7" in program  # so that the model learns something, which takes a minute
    program = program.replace("--epochs 7", "--epochs 1")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "shown.png").read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "run/test").glob("*/report.html"))
