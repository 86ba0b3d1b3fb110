"""The files that were written for an image, as its row in the manifest describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def describe_outputs(paths: Sequence[Path], out_dir: Path) -> dict[str, str]:
    """Return the columns about the files that were written for an image: their paths below `out_dir`, and their sizes.

    Args:
        paths: files, or folders, whose size is that of the files in them.
        out_dir: the folder of the results.
    """
    return {
        "outputs": ";".join(path.relative_to(out_dir).as_posix() for path in paths),
        "bytes": ";".join(str(_num_bytes(path)) for path in paths),
    }


def whole_outputs(row: Mapping[str, str], out_dir: Path) -> set[Path]:
    """Return the outputs of a row that still have the size that they had when they were written.

    For a row without sizes, which an older version wrote, the result is empty.
    """
    paths = {out_dir / name: size for name, size in outputs_of(row)}
    return {path for path, size in paths.items() if path.exists() and str(_num_bytes(path)) == size}


def outputs_of(row: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the outputs of a row, below the folder of the results, with their sizes in bytes.

    For a row without sizes, which an older version wrote, the result is empty.
    """
    sizes = row["bytes"].split(";") if row["bytes"] else []
    # the name may contain semicolons
    outputs = row["outputs"].replace(row["name"], "\0").split(";")
    names = [output.replace("\0", row["name"]) for output in outputs]
    return list(zip(names, sizes, strict=True)) if len(sizes) == len(names) else []


def has_whole_outputs(row: Mapping[str, str], out_dir: Path) -> bool:
    """Return whether all outputs of a row still have the size that they had when they were written."""
    return bool(row["bytes"]) and len(whole_outputs(row, out_dir)) == row["bytes"].count(";") + 1


def _num_bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size
