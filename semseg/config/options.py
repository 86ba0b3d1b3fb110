"""Options as dataclasses: each field defines the name, the default and the help of an option.

Command-line flags and keyword arguments of functions are made from them. No heavy package is imported, so that
`--help` is fast.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FAST, STOCK = "fast", "stock"
"""Values of `performance`; with the second one the numbers are those of MMSegmentation, bit for bit."""

_FLAG = "flag"
_Options = TypeVar("_Options", bound="DataclassInstance")


def option(default: Any = None, *, flag: str | None = None, **for_argparse: Any) -> Any:
    """Return a field of a dataclass of options.

    Args:
        default: value if the option is not given.
        flag: command-line flag; default: the name of the field with `--`.
        for_argparse: arguments of `ArgumentParser.add_argument`; with `action="store_true"` and a default of True, the
            flag sets the option to False.
    """
    return dataclasses.field(default=default, metadata={_FLAG: flag, "argparse": for_argparse})


def add_options(parser: argparse.ArgumentParser, *kinds: type) -> None:
    """Add the options of dataclasses to a parser; the first line of a docstring is the title of the group.

    Fields without `option` are skipped: they belong to another feature, which adds their flag.
    """
    for kind in kinds:
        group = parser.add_argument_group((kind.__doc__ or "").partition("\n")[0].rstrip("."))
        for field in dataclasses.fields(kind):
            if _FLAG not in field.metadata:
                continue
            arguments = dict(field.metadata["argparse"])
            if arguments.get("action") == "store_true" and field.default is True:
                arguments["action"] = "store_false"
            flag = field.metadata[_FLAG] or "--" + field.name.replace("_", "-")
            default: Any = field.default
            if arguments.get("action") == "extend" or arguments.get("nargs") == "+":
                default = list(default)
            group.add_argument(flag, dest=field.name, default=default, **arguments)


def given(kinds: Sequence[type], args: argparse.Namespace) -> dict[str, Any]:
    """Return the values of the options of dataclasses from parsed arguments, by option name."""
    names = {field.name for kind in kinds for field in dataclasses.fields(kind) if _FLAG in field.metadata}
    return {name: value for name, value in vars(args).items() if name in names}


def names_of(*kinds: type) -> set[str]:
    """Return the names of all fields of the dataclasses."""
    return {field.name for kind in kinds for field in dataclasses.fields(kind)}


def pick(kind: type[_Options], given: Mapping[str, Any]) -> _Options:
    """Make a dataclass from the options of all; a field that is not given has its default."""
    return kind(**{field.name: given[field.name] for field in dataclasses.fields(kind) if field.name in given})


def duration_s(text: str) -> float:
    """Parse a duration such as `3h`, `1h30m` or `90s` to seconds; a type for argparse."""
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    if not text or match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; expected a value such as 3h, 1h30m or 90s")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


@dataclasses.dataclass(frozen=True)
class PluginOptions:
    """Parts of yours."""

    plugins: Any = option(  # str | Path | Sequence[str | Path] | None
        flag="--plugin",
        action="append",
        metavar="FILE",
        help="import this Python file (or module) first, which registers parts of yours; repeatable",
    )


@dataclasses.dataclass(frozen=True)
class RunOptions(PluginOptions):
    """The run."""

    work_dir: str | None = option(
        metavar="DIR", help="output folder; default: work_dirs/<config>, or work_dirs/<config>_<set> with --data"
    )
    data: Sequence[str] | None = option(
        action="append", metavar="FILE", help="use this dataset.yaml, not the data of the config; repeatable"
    )
    cfg_options: Sequence[str] = option(
        (),
        nargs="+",
        action="extend",
        metavar="KEY=VALUE",
        help="override config values, such as train_cfg.max_iters=100",
    )
    launcher: str = option("none", choices=["none", "pytorch", "slurm", "mpi"], help="set by tools/dist_*.sh")
    trust_checkpoint: bool = option(
        False, action="store_true", help="load a checkpoint even if it contains code; runs it"
    )
