"""Start and end of all programs: argument parsing, error messages without traceback, exit codes."""

from __future__ import annotations

import argparse
import contextvars
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from semseg.errors import SemsegError
from semseg.system.atomic import disk_error
from semseg.system.objects.addresses import refuse_address
from semseg.system.stopping import GIVEN_UP, Stopped, is_disk_full
from semseg.system.wording import FLAGS, for_people

WRONG_INPUT = (ValueError, FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError, PermissionError)
"""Exceptions for errors that the user can correct. All others except OSError are bugs."""

_SPIN_COUNT = "1000"  # alone as fast as the default of 300,000, and beside other programs as fast as no spinning


class ArgumentParser(argparse.ArgumentParser):
    """Argument parser that rejects an option given twice with different values; argparse would use the last value.

    An address where a path on a disk is expected (`type=Path`) is rejected too, except that of a checkpoint.

    Options that may be repeated have `action="append"` or `action="extend"`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (None, "store"):
            self.register("action", name, _StoreOnce)
        self.given: dict[str, object] = {}

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        self.given = {}
        for action in self._actions:
            FLAGS[action.dest] = str((action.option_strings or [action.metavar or action.dest.upper()])[-1])
        namespace, rest = super().parse_known_args(*args, **kwargs)
        for action in self._actions:
            values = getattr(namespace, action.dest, None) if action.type is Path else None
            for value in values if isinstance(values, list) else [values]:
                if value is not None and action.metavar != "CHECKPOINT":
                    refuse_address(value, action.dest)
        return namespace, rest


class _StoreOnce(argparse.Action):
    def __call__(
        self,
        parser: ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if option_string is not None:
            first_values = parser.given.setdefault(self.dest, values)
            # the text too: nan is not equal to itself
            if first_values != values and str(first_values) != str(values):
                remedy = "write all values after one of them" if self.nargs in ("+", "*") else "leave one out"
                parser.error(f"{option_string} is given twice: {_shown(first_values)} and {_shown(values)}; {remedy}")
        setattr(namespace, self.dest, values)


def _shown(values: object) -> str:
    return " ".join(map(str, values)) if isinstance(values, list) else str(values)


def add_debug_flag(parser: argparse.ArgumentParser) -> None:
    """Add `--debug`, which `run_tool` reads."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def run_command(
    description: str | None, *adders: Callable, argv: Sequence[str] | None = None, prog: str | None = None
) -> int:
    """Parse the command line of a program with sub-commands, and run the selected one.

    Args:
        description: description of the program in its help.
        adders: functions that add a sub-parser; its default `run` is called with the parsed arguments.
        argv: arguments of the program; default: those of this process.
    """
    parser = ArgumentParser(description=description)
    commands = parser.add_subparsers(title="sub-commands", metavar="COMMAND", required=True)
    for add in adders:
        add(commands)
    for command in commands.choices.values():
        add_debug_flag(command)
    args = parser.parse_args(argv)
    return args.run(args)


def run_tool(main: Callable[[], int | None]) -> None:
    """Run a program and exit the process.

    Exit codes: the return value of `main`, or 0; 2 for wrong usage or input, and 1 for errors of the system (a full
    disk, no network), both with a one-line message without traceback (unless `--debug` is given); the code of a
    `Stopped`; 130 for Ctrl-C; 1 for all other exceptions, with traceback.

    Sets GOMP_SPINCOUNT, unless the environment says how threads wait: by default, threads of OpenMP that wait for
    others keep their CPU busy for milliseconds, which slows everything down as soon as another program runs. `main`
    imports PyTorch, which reads the variable at its import.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)
    try:
        code = contextvars.copy_context().run(main) or 0  # trust in checkpoints ends with this run
    except BrokenPipeError:  # the reader closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141  # same as a program ended by SIGPIPE
    except RecursionError:  # of a reader of JSON, YAML or XML
        if "--debug" in sys.argv:
            raise
        print("error: a file is nested too deeply to be read; --debug shows which reader", file=sys.stderr, flush=True)
        code = 2
    except (*WRONG_INPUT, OSError) as error:
        if isinstance(error, OSError) and is_disk_full(error) and not isinstance(error, SemsegError):
            error = disk_error(error, getattr(error, "filename", None) or "a file")
        if "--debug" in sys.argv:
            raise
        # all ranks get the same input error and one prints it; data loader errors occur on one rank only
        if _is_first_process() or _is_from_worker(error):
            print(f"error: {_message(error)}{_code(error)}", file=sys.stderr, flush=True)
        else:
            time.sleep(2)  # the launcher ends all processes when one ends: let the first one print its message
        code = 2 if isinstance(error, WRONG_INPUT) else 1
    except Stopped as stopped:  # all ranks stop with one message, or a single rank stops with its own
        if not str(stopped):
            time.sleep(2)  # another rank prints the message: as above
        elif int(os.environ.get("RANK", 0)) == 0 or stopped.exit_code in (1, GIVEN_UP):
            print(f"{stopped}{_code(stopped.__cause__)}", file=sys.stderr, flush=True)
        code = stopped.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    _destroy_group()
    sys.exit(code)


def _destroy_group() -> None:
    """Destroy a gloo process group: its threads sometimes abort the process at exit, with a C++ error message."""
    distributed = sys.modules.get("torch.distributed")
    is_in_group = distributed is not None and distributed.is_available() and distributed.is_initialized()
    if is_in_group and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()


def _is_first_process() -> bool:
    """Return whether this is the first process on this machine."""
    name = "LOCAL_RANK" if "RANK" in os.environ else "SLURM_LOCALID"  # Slurm tasks have no RANK at first
    return int(os.environ.get(name, 0)) == 0


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and not isinstance(error, SemsegError) and error.strerror is not None:
        name = "" if error.filename is None else f"{error.filename}: "  # str() of these starts with [Errno 2]
        return f"{name}{error.strerror.lower()}"
    if _is_from_worker(error):
        return for_people(str(error).strip().splitlines()[-1].partition(": ")[2])
    return for_people(str(error))


def _code(error: BaseException | None) -> str:
    """Return the code of an error with a leading space, or an empty string if it has none."""
    return f" [{error.code}]" if isinstance(error, SemsegError) else ""


def _is_from_worker(error: BaseException) -> bool:
    """Return whether a data loader worker raised the error; PyTorch puts the traceback into its message."""
    return str(error).startswith("Caught ") and "DataLoader worker" in str(error).partition("\n")[0]
