"""Programs with sub-commands, and the list of sub-commands of each."""

from __future__ import annotations

from collections.abc import Sequence

from semseg.cli import (
    check,
    cityscapes,
    compare,
    convert_cityscapes,
    curves,
    explain,
    exports,
    gap,
    imports,
    leak,
    look,
    model,
    model_compare,
    model_ensemble,
    model_export,
    model_list,
    pack,
    polygons,
    report,
    splits,
    suspects,
    toycity,
)
from semseg.cli.program import run_command

_ANALYSIS = (
    curves.add_curves,
    explain.add_explain,
    report.add_report,
    compare.add_compare,
    leak.add_leak,
    gap.add_gap,
)
_DATA = (
    toycity.add_toycity,
    cityscapes.add_download,
    convert_cityscapes.add_convert,
    imports.add_import,
    exports.add_export,
    polygons.add_polygons,
    splits.add_split,
    check.add_check,
    pack.add_pack,
    look.add_browse,
    look.add_stats,
    suspects.add_suspects,
    cityscapes.add_submit,
)
_MODEL = (
    model_list.add_list,
    model.add_describe,
    model.add_publish,
    model_export.add_export,
    model_compare.add_compare,
    model_ensemble.add_ensemble,
)


def analyze(argv: Sequence[str] | None = None) -> int:
    """Analyze runs: curves, scores and errors."""
    return run_command(analyze.__doc__, *_ANALYSIS, argv=argv)


def data(argv: Sequence[str] | None = None) -> int:
    """Create, import, export, check and view data sets."""
    return run_command(data.__doc__, *_DATA, argv=argv)


def trained_model(argv: Sequence[str] | None = None) -> int:
    """List and compare models; describe, publish and export trained ones."""
    return run_command(trained_model.__doc__, *_MODEL, argv=argv)
