"""The plan of the house: who may import whom. A new arrow begins as an edit of this table."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIXELS = {"numpy", "PIL", "cv2", "rich"}
STACK = {"torch", "mmengine", "mmcv", "mmseg", *PIXELS}
EVERYWHERE = {
    "semseg.labels",
    "semseg.atomic",
    "semseg.folders",
    "semseg.path_lists",
    "semseg.index_png",
    "semseg.config_tree",
    "semseg.scaling",
    "semseg.result_names",
}
ALLOWED = {
    # room: what it may import, of this project and of others
    "labels": {"numpy"},
    "atomic": set(),
    "folders": set(),
    "config_tree": set(),
    "scaling": set(),
    "result_names": {"semseg.folders"},
    "path_lists": set(),
    "index_png": {"semseg.atomic", "semseg.labels", *PIXELS},
    "background": set(),
    "stopping": set(),
    "machine": set(),
    "cli": {"semseg.stopping"},
    "drawing": {*PIXELS},
    "panels": {"semseg.drawing", *PIXELS},
    "charts": {"numpy", "matplotlib"},
    "curves": {"numpy"},
    "maps": {"matplotlib", *PIXELS},
    "evaluation": {"semseg.labels", "semseg.atomic", "torch", *PIXELS},
    "toycity": {"semseg.labels", "semseg.atomic", *PIXELS},
    "prepare": {"semseg.labels", "semseg.atomic", "pillow_heif", "yaml", "pycocotools", "requests", *PIXELS},
    "compat": {"semseg.compat_losses", "semseg.compat_checkpoints", *STACK},
    "compat_checkpoints": {*STACK},
    "compat_losses": {*STACK},
    "checkpoints": {"semseg.compat", "semseg.machine", "semseg.atomic", "safetensors", *STACK},
    "config": {
        "semseg.compat",
        "semseg.machine",
        "semseg.checkpoints",
        "semseg.atomic",
        "semseg.labels",
        "semseg.evaluation",
        "semseg.prepare",
        "yaml",
        *STACK,
    },
    "samples": {"semseg.drawing", "semseg.labels", "semseg.prepare", *STACK},
    "trial": {"semseg.machine", *STACK},
    "plugins": {
        "semseg.faults",  # what they raise while they are tried
        "semseg.machine",
        "semseg.trial",
        "semseg.compat",
        "semseg.stopping",
        "semseg.background",
        "semseg.checkpoints",
        "semseg.drawing",
        "semseg.panels",
        "semseg.samples",
        "semseg.atomic",
        "semseg.labels",
        "semseg.evaluation",
        "semseg.prepare",
        "prettytable",
        "tensorboard",
        *STACK,
    },
    "checks": {"semseg.compat", "semseg.machine", "semseg.atomic", "semseg.labels", "semseg.prepare", *STACK},
    "slurm": set(),
    "faults": {*STACK},
    "run": {
        "semseg.faults",  # what classes of the config raise while they are built
        "semseg.compat",
        "semseg.stopping",
        "semseg.slurm",
        *STACK,
    },
    "agent": {"semseg.stopping", *STACK},
    "machines": set(),
    "launch": {"semseg.cli", "semseg.agent", "semseg.machines", *STACK},
    "inference": {
        "semseg.compat",  # and config: the class Segmenter goes from a checkpoint to results
        "semseg.config",
        "semseg.checkpoints",
        "semseg.drawing",
        "semseg.maps",
        "semseg.labels",
        "semseg.evaluation",
        "semseg.stopping",
        "semseg.background",
        "semseg.atomic",
        "semseg.prepare",  # the one reader of photographs
        "pytorch_grad_cam",
        "tifffile",
        "onnx",
        "onnxruntime",
        *STACK,
    },
    "report": {
        *(f"semseg.{room}" for room in ("curves", "evaluation", "panels", "prepare", "atomic")),
        *("jinja2", "markupsafe", "plotly", *PIXELS),
    },
    "serve": {
        *(f"semseg.{room}" for room in ("inference", "drawing", "stopping")),
        *("fastapi", "starlette", "uvicorn", "python_multipart", *PIXELS),
    },
    "commands": {
        *(f"semseg.{room}" for room in ("cli", "atomic", "drawing", "charts", "config", "samples", "checks")),
        *("semseg.compat", "semseg.checkpoints", "semseg.evaluation", "semseg.toycity", "semseg.prepare", *STACK),
        *("semseg.curves", "semseg.inference", "semseg.report", "semseg.serve"),
    },
}


def imports_of(path):
    """Every module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "semseg":
                yield from (f"semseg.{alias.name}" for alias in node.names)
            else:
                yield node.module


def room_of(path):
    return path.relative_to(ROOT / "semseg").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted((ROOT / "semseg").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_plan(path):
    room = room_of(path)
    if room == "__init__":
        return
    for module in imports_of(path):
        top = module.split(".")[0]
        if top in sys.stdlib_module_names:
            continue
        name = ".".join(module.split(".")[:2]) if top == "semseg" else top
        allowed = ALLOWED[room] if f"semseg.{room}" in EVERYWHERE else ALLOWED[room] | EVERYWHERE
        assert name == f"semseg.{room}" or name in allowed, f"{path}: {module} is not in the plan of {room}"


PROGRAMS = sorted([*(ROOT / "tools").rglob("*.py"), *(ROOT / "semseg/commands").glob("*.py")])


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.name)
def test_programs_import_heavy_packages_below_their_functions(path):
    tree = ast.parse(path.read_text())
    top_level = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {a.name for n in top_level if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in top_level if isinstance(n, ast.ImportFrom)}
    light = {name for name in names if name.split(".")[0] in sys.stdlib_module_names}
    assert {n for n in names - light if not n.startswith(("semseg.cli", "semseg.commands"))} == set()


def test_ruff_has_one_version():
    pinned = (ROOT / "pyproject.toml").read_text().split("ruff==")[1].split('"')[0]
    assert f"rev: v{pinned}" in (ROOT / ".pre-commit-config.yaml").read_text()
