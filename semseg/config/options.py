"""Options as dataclasses: the one place that says what an option is called, means and defaults to.

A command line is made from them, and so are the keyword arguments of a function. Nothing heavy is imported, so that
`--help` answers at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_FLAG = "flag"
_Options = TypeVar("_Options", bound="DataclassInstance")


def option(default: Any = None, *, flag: str | None = None, **for_argparse: Any) -> Any:
    """Return a field of a dataclass of options.

    Args:
        default: where it is not given.
        flag: default: the name of the field with `--`.
        for_argparse: as of `ArgumentParser.add_argument`; with `action="store_true"` and a default of True the flag
            turns it off.
    """
    return dataclasses.field(default=default, metadata={_FLAG: flag, "argparse": for_argparse})


def add_options(parser: argparse.ArgumentParser, *kinds: type) -> None:
    """Add the options of dataclasses to a parser, each under the first line of its docstring.

    Fields that are made without `option` are those of another feature, which also adds their flag.
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
    """Return what a command line says about the options of some dataclasses, by their names."""
    names = {field.name for kind in kinds for field in dataclasses.fields(kind) if _FLAG in field.metadata}
    return {name: value for name, value in vars(args).items() if name in names}


def names_of(*kinds: type) -> set[str]:
    """Return the names of all fields of dataclasses of options."""
    return {field.name for kind in kinds for field in dataclasses.fields(kind)}


def pick(kind: type[_Options], given: Mapping[str, Any]) -> _Options:
    """Make the options of one dataclass out of those of all; what is not given has its default."""
    return kind(**{field.name: given[field.name] for field in dataclasses.fields(kind) if field.name in given})


def duration_s(text: str) -> float:
    """Read a length of time such as `3h`, `1h30m` or `90s` in seconds, for argparse."""
    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", text)
    if not text or found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time; write 3h, 1h30m or 90s")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """The run."""

    work_dir: str | None = option(
        metavar="DIR", help="where it writes; default: work_dirs/<config>, with --data <config>_<set>"
    )
    data: Sequence[str] | None = option(
        action="append", metavar="FILE", help="a dataset.yaml to work on, not the config's; given again: one more"
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
        False, action="store_true", help="load a checkpoint even if it carries code, and run that"
    )
