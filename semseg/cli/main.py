"""The `semseg` command: every program of `tools/` under one name."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

from semseg.cli.program import run_tool

COMMANDS = {
    # name: module and function, what it does
    "train": ("train:main", "train a model"),
    "test": ("test:main", "evaluate a model on labelled images"),
    "infer": ("infer:main", "segment photographs and videos"),
    "serve": ("serve:main", "try a model on a page in the browser"),
    "data": ("groups:data", "make, bring in, check and look at data sets"),
    "model": ("groups:trained_model", "describe, publish and export a trained model"),
    "report": ("groups:analyze", "one page about a run"),
    "compare": ("groups:analyze", "two tests on the same images"),
    "curves": ("groups:analyze", "the scalars of runs, as a table or a chart"),
    "explain": ("groups:analyze", "why a model says what it says of a photograph"),
    "gap": ("groups:analyze", "a model on photographs without labels"),
    "demo": ("demo:main", "draw a town, train on it, evaluate, segment another city"),
    "env": ("env:main", "versions and hardware, to paste into a bug report"),
}
"""Sub-commands, in the order of the overview."""


def overview() -> str:
    """Return what `semseg --help` prints."""
    lines = [f"  {name:9}{what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: semseg COMMAND [options]",
            "",
            "Semantic segmentation from configs: train, test and use models.",
            "",
            "commands:",
            *lines,
            "",
            "semseg COMMAND --help explains its options.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int | None:
    """Run the command that the first word names.

    Args:
        argv: the words after `semseg`; default: those of this process.

    Returns:
        The exit code of the command; None is success.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] == "--version":
        from semseg import __version__

        print(f"semseg {__version__}")
        return 0
    name, *rest = words
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(COMMANDS)}"
        print(f"semseg: no command {name}; {hint}", file=sys.stderr)
        return 2
    module, _, function = COMMANDS[name][0].partition(":")
    # what parsers call the program, and what a run writes down as its command
    sys.argv = ["semseg", name, *rest] if function == "analyze" else [f"semseg {name}", *rest]
    return getattr(importlib.import_module(f"semseg.cli.{module}"), function)()


def run() -> None:
    """Start the command, and leave the process; the entry point of the installed package."""
    run_tool(main)
