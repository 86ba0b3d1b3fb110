"""Every error has a code, and docs/errors.md lists all codes.

`python -m tests.test_error_codes` updates the table of docs/errors.md: it keeps the lines of codes that exist, removes
those of codes that don't, and adds new codes with a message that has them, marked TODO.
"""

import ast
import functools
import inspect
import re

from semseg import errors
from tests.conftest import REPO

PAGE = REPO / "docs/errors.md"
CODE = re.compile(r"E-[a-z0-9]+(-[a-z0-9]+)*")
ROW = re.compile(r"\| `(E-[a-z0-9-]+)` \| (.*) \|")
TODO = "TODO"
CLASSES = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}


@functools.cache
def sources():
    """Return the path and the syntax tree of every module of the package."""
    paths = sorted((REPO / "semseg").rglob("*.py"))
    return [(path.relative_to(REPO), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


@functools.cache
def codes_in_sources():
    """Return a message by code: the source text of the first one that has it, empty if there is none."""
    found = {}
    for _, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found.setdefault(node.value, "")
            if isinstance(node, ast.Call) and node.args:
                for keyword in node.keywords:
                    values = [part.value for part in ast.walk(keyword.value) if isinstance(part, ast.Constant)]
                    for code in filter(CODE.fullmatch, map(str, values)) if keyword.arg == "code" else ():
                        found[code] = found.get(code) or ast.unparse(node.args[0])
    return found


def listed_codes():
    """Return the lines of the table by code."""
    return dict(ROW.findall(PAGE.read_text(encoding="utf-8")))


def table(lines):
    rows = [f"| `{code}` | {line} |" for code, line in sorted(lines.items())]
    return "\n".join(["| code | meaning |", "|---|---|", *rows, ""])


def update_page():
    """Rewrite the table, which is the last part of the page."""
    lines = listed_codes()
    new = {code: f"{TODO} {message}".replace("|", r"\|") for code, message in codes_in_sources().items()}
    head = PAGE.read_text(encoding="utf-8").partition("| code |")[0]
    PAGE.write_text(head + table({code: lines.get(code, line) for code, line in new.items()}), encoding="utf-8")


def test_the_page_lists_every_code_of_the_sources_and_no_other():
    lines = listed_codes()
    assert set(lines) == set(codes_in_sources()), "run: python -m tests.test_error_codes"
    assert [code for code, line in lines.items() if line.startswith(TODO)] == []
    assert PAGE.read_text(encoding="utf-8").endswith(table(lines))


def test_every_error_that_is_raised_has_a_code():
    missing = [
        f"{path}:{node.lineno}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, (ast.Name, ast.Attribute))
        and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) in CLASSES
        and not any(keyword.arg == "code" for keyword in node.keywords)
    ]
    assert missing == []


def test_a_code_begins_with_what_the_error_is_about():
    prefixes = {code for code in codes_in_sources() if code.count("-") == 1}
    assert prefixes == {"E-checkpoint", "E-config", "E-data", "E-disk", "E-input", "E-other", "E-storage"}
    assert all(any(code.startswith(prefix) for prefix in prefixes) for code in codes_in_sources())


if __name__ == "__main__":
    update_page()
