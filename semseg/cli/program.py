"""How every program under `tools/` starts and ends: quick help, one sentence for a wrong input, exit codes."""

from __future__ import annotations

import argparse
import contextvars
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from semseg.errors import SemsegError
from semseg.system.stopping import GIVEN_UP, Stopped
from semseg.system.wording import FLAGS, for_people

WRONG_INPUT = (ValueError, FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError, PermissionError)
"""What the package raises when a person can mend it. Anything but this and OSError is a bug."""


class ArgumentParser(argparse.ArgumentParser):
    """A parser that refuses an option of one value that is given twice: argparse would take the last one silently.

    Options that may be repeated say so with `action="append"` or `action="extend"`.
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
        return super().parse_known_args(*args, **kwargs)


class _StoreOnce(argparse.Action):
    def __call__(
        self,
        parser: ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if option_string is not None:
            before = parser.given.setdefault(self.dest, values)
            if before != values:
                remedy = "write all values behind one of them" if self.nargs in ("+", "*") else "leave one out"
                parser.error(f"{option_string} is given twice: {_shown(before)} and {_shown(values)}; {remedy}")
        setattr(namespace, self.dest, values)


def _shown(values: object) -> str:
    return " ".join(map(str, values)) if isinstance(values, list) else str(values)


def add_debug_flag(parser: argparse.ArgumentParser) -> None:
    """Give a program its `--debug`, which `run_tool` looks for."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def run_command(
    description: str | None, *adders: Callable, argv: Sequence[str] | None = None, prog: str | None = None
) -> int:
    """Parse the command line of a program with sub-commands, and run the one that was named.

    Args:
        description: of the program.
        adders: each gets the sub-parsers, and adds one whose default `run` takes the parsed arguments.
        argv: the words after the name of the program; default: those of this process.
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
    """Run a program and leave the process.

    Exit codes: 0, or what `main` returns; 2 for wrong usage or input, and 1 when the machine fails (a full
    disk, no network), both in one sentence without a traceback (unless `--debug` is given); what a `Stopped`
    says; 130 for Ctrl-C; 1 for everything else, with its traceback.
    """
    try:
        code = contextvars.copy_context().run(main) or 0  # what this run trusts, the next one does not
    except BrokenPipeError:  # whoever reads has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141  # as a program that SIGPIPE ends
    except (*WRONG_INPUT, OSError) as error:
        if "--debug" in sys.argv:
            raise
        # all ranks meet the same wrong input, and one speaks; but a file is read by one rank only
        if _speaks() or _is_from_worker(error):
            print(f"error: {_sentence(error)}{_code(error)}", file=sys.stderr, flush=True)
        else:
            time.sleep(2)  # the launcher ends all processes when the first one ends: let that one speak
        code = 2 if isinstance(error, WRONG_INPUT) else 1
    except Stopped as stopped:  # all ranks stop together and one speaks, or one alone has something to say
        if not str(stopped):
            time.sleep(2)  # another rank speaks: as above
        elif int(os.environ.get("RANK", 0)) == 0 or stopped.exit_code in (1, GIVEN_UP):
            print(stopped, file=sys.stderr, flush=True)
        code = stopped.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    _leave_group()
    sys.exit(code)


def _leave_group() -> None:
    """Leave the group of CPU processes: its threads would end this process with a line of C++ now and then."""
    distributed = sys.modules.get("torch.distributed")
    is_in_group = distributed is not None and distributed.is_available() and distributed.is_initialized()
    if is_in_group and distributed.get_backend() == "gloo":
        distributed.destroy_process_group()


def _speaks() -> bool:
    """Return whether this is the first of the processes on this machine."""
    name = "LOCAL_RANK" if "RANK" in os.environ else "SLURM_LOCALID"  # before they join, Slurm's tasks have no RANK
    return int(os.environ.get(name, 0)) == 0


def _sentence(error: BaseException) -> str:
    if (
        isinstance(error, OSError) and error.filename is not None and error.strerror is not None
    ):  # str() of these starts with [Errno 2]
        return f"{error.filename}: {error.strerror.lower()}"
    if _is_from_worker(error):
        return for_people(str(error).strip().splitlines()[-1].partition(": ")[2])
    return for_people(str(error))


def _code(error: BaseException) -> str:
    """Return the code of an error behind a space, or nothing where it has none."""
    return f" [{error.code}]" if isinstance(error, SemsegError) else ""


def _is_from_worker(error: BaseException) -> bool:
    """Return whether a data loader's process raised it; PyTorch then puts the traceback into the message."""
    return str(error).startswith("Caught ") and "DataLoader worker" in str(error).partition("\n")[0]
