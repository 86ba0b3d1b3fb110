"""The plan of the house: who may import whom. A new arrow begins as an edit of this table."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STACK = {"torch", "mmengine", "mmcv", "mmseg"}
EVERYWHERE = {
    "semseg.__version__",
    "semseg.errors",
    "semseg.labels",
    "semseg.system",
    "semseg.config.tree",
    "_typeshed",
    "numpy",
    "PIL",
    "cv2",
    "rich",
}
ALLOWED = {
    # room: what it may import beside that, of this project and of others
    "errors": set(),
    "labels": set(),
    "system": {"botocore", "obstore", "platformdirs"},
    "compat": {*STACK, "yapf"},
    "visualization": {"matplotlib"},
    "checkpoints": {"semseg.compat", "safetensors", *STACK},
    "datasets": {
        *("semseg.visualization", "kornia_rs", "lz4", "pillow_heif", "pyarrow", "pycocotools", "requests", "scipy"),
        *("tifffile", "yaml", "rasterio", "pyogrio", *STACK),
    },
    "config": {"semseg.compat", "semseg.checkpoints", "semseg.datasets", "yaml", *STACK},
    "checks": {"semseg.compat", "semseg.datasets", *STACK},
    "launch": {*STACK},
    "evaluation": {"semseg.checkpoints", "semseg.config", "semseg.datasets", "prettytable", "yaml", *STACK},
    "training": {
        *(
            f"semseg.{room}"
            for room in ("compat", "checkpoints", "checks", "config", "datasets", "visualization", "launch")
        ),
        *("clearml", "mlflow", "tensorboard", "wandb", *STACK),
    },
    "inference": {
        *(f"semseg.{room}" for room in ("compat", "checkpoints", "config", "datasets", "visualization", "evaluation")),
        *("av", "tifffile", "onnxruntime", "openvino", *STACK),
    },
    "plugins": {"semseg.compat", "semseg.datasets", "semseg.evaluation", "semseg.inference", "semseg.training"},
    "export": {
        *(
            f"semseg.{room}"
            for room in ("compat", "checkpoints", "datasets", "evaluation", "inference", "visualization")
        ),
        *("nncf", "onnx", "onnxruntime", "openvino", *STACK),
    },
    "planning": {
        *(f"semseg.{room}" for room in ("checkpoints", "config", "datasets", "training")),
        *STACK,
    },
    "analysis": {
        *(f"semseg.{room}" for room in ("checkpoints", "config", "datasets", "evaluation", "inference")),
        *("semseg.visualization", "jinja2", "markupsafe", "pytorch_grad_cam", "scipy", "yaml", *STACK),
    },
    "serve": {
        *("semseg.config", "semseg.datasets", "semseg.inference", "semseg.visualization"),
        *("fastapi", "starlette", "uvicorn", "python_multipart"),
    },
    "cli": {
        *(f"semseg.{room}" for room in ("analysis", "checkpoints", "checks", "compat", "config", "datasets")),
        *(
            f"semseg.{room}"
            for room in ("evaluation", "export", "inference", "launch", "planning", "serve", "training")
        ),
        *("semseg.visualization", "mmengine", "torch"),
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
    """Return the folder directly under `semseg/`; what starts as a program counts as one of `cli/`."""
    return "cli" if path.name == "__main__.py" else path.relative_to(ROOT / "semseg").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted((ROOT / "semseg").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_plan(path):
    room = room_of(path)
    if room == "__init__":
        return
    for module in imports_of(path):
        parts = module.split(".")
        if parts[0] in sys.stdlib_module_names:
            continue
        prefixes = {".".join(parts[:depth]) for depth in (1, 2, 3)}
        allowed = ALLOWED[room] | EVERYWHERE | {f"semseg.{room}"}
        assert prefixes & allowed, f"{path}: {module} is not in the plan of {room}"


def test_no_two_rooms_import_each_other():
    rooms = {room: {name.removeprefix("semseg.") for name in names} for room, names in ALLOWED.items()}
    order = {room: set(rooms) & names for room, names in rooms.items()}
    while order:
        free = {room for room, below in order.items() if not below & set(order)}
        assert free, f"{sorted(order)} import each other"
        order = {room: below for room, below in order.items() if room not in free}


PROGRAMS = sorted([*(ROOT / "tools").rglob("*.py"), *(ROOT / "semseg/cli").glob("*.py")])


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.name)
def test_programs_import_heavy_packages_below_their_functions(path):
    tree = ast.parse(path.read_text())
    top_level = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {a.name for n in top_level if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in top_level if isinstance(n, ast.ImportFrom)}
    light = {name for name in names if name.split(".")[0] in sys.stdlib_module_names}
    ours = ("semseg.cli", "semseg.errors", "semseg.system", "semseg.config.options")
    ours += ("semseg.training.options", "semseg.evaluation.options", "semseg.inference.options")
    ours += ("semseg.serve.options", "semseg.analysis.options", "semseg.planning.options")
    rooms = {f"semseg.{room}" for room in ("training", "evaluation", "inference", "serve", "analysis")}  # light
    assert {n for n in names - light if not n.startswith(ours)} <= rooms


def test_ruff_has_one_version():
    pinned = (ROOT / "pyproject.toml").read_text().split("ruff==")[1].split('"')[0]
    assert f"rev: v{pinned}" in (ROOT / ".pre-commit-config.yaml").read_text()
