"""Show versions and hardware for a bug report: `semseg env`."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from semseg.cli.program import ArgumentParser, add_debug_flag

DISTRIBUTION = "semseg-toolkit"  # name on the package index, where `semseg` is taken
_CPU_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")  # those that speed up inference
_SHARED_MEMORY = Path("/dev/shm")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser(description="Show package versions, hardware and installed extras.")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_debug_flag(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the environment."""
    args = parse_args(argv)
    environment = describe_environment()
    if args.json:
        print(json.dumps(environment, indent=2))
        return
    for section, facts in environment.items():
        print(f"{section}:")
        for name, fact in facts.items():
            print(f"  {name:18} {fact}")


def describe_environment() -> dict[str, dict[str, str]]:
    """Return the sections `versions`, `machine` and `extras`, each a table of names and values."""
    from semseg import compat
    from semseg.checkpoints.facts import git_state, hardware, versions
    from semseg.system.machine import available_memory_bytes, cpu_flags, format_bytes, free_disk_bytes, num_cpus

    compat.repair()
    facts, flags = hardware(), cpu_flags()
    gpus = [f"{gpu['name']} ({gpu['memory_gib']} GiB)" for gpu in facts["gpus"]]
    shared = shutil.disk_usage(_SHARED_MEMORY).free if _SHARED_MEMORY.is_dir() else None
    machine = {
        "system": platform.platform(),
        "CPU": f"{facts['cpu']}, {num_cpus()} of {facts['cores']} cores usable",
        "CPU flags": " ".join(flag for flag in _CPU_FLAGS if flag in flags) or "none of those that speed up inference",
        "memory": f"{format_bytes(available_memory_bytes())} of {facts['memory_gib']} GiB free",
        "/dev/shm": "none" if shared is None else f"{format_bytes(shared)} free",
        "disk here": f"{format_bytes(free_disk_bytes('.'))} free",
        "GPU": ", ".join(gpus) or "none",
    }
    git = git_state()
    if git is not None:
        machine["git"] = git["revision"] + (" with changes" if git["dirty"] else "")
    return {
        "versions": {name: str(version) for name, version in versions().items()},
        "machine": machine,
        "extras": {name: _state(missing) for name, missing in missing_of_extras().items()},
    }


def missing_of_extras() -> dict[str, list[str]]:
    """Return the packages that are not installed, by extra of this project."""
    try:
        metadata = importlib.metadata.metadata(DISTRIBUTION)
        requirements = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    missing: dict[str, list[str]] = {name: [] for name in metadata.get_all("Provides-Extra") or [] if name != "test"}
    for requirement in requirements:
        package = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if package and extra and extra[1] in missing and not _is_installed(package[0]):
            missing[extra[1]].append(package[0])
    return missing


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _state(missing: Sequence[str]) -> str:
    return f"missing {', '.join(missing)}" if missing else "installed"
