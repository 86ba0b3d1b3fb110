"""The `semseg` command: all programs of `tools/` as sub-commands."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

from semseg.cli.program import run_tool

COMMANDS = {
    # name: (module and function, description)
    "train": ("train:main", "train a model"),
    "test": ("test:main", "evaluate a model on labelled images"),
    "evaluate": ("evaluate:main", "score a folder of masks against another one"),
    "infer": ("infer:main", "segment photographs and videos"),
    "serve": ("serve:main", "try a model in the browser"),
    "data": ("groups:data", "create, import, export, check and view data sets"),
    "plan": ("plan:main", "write a config for a labelled set and this machine"),
    "model": ("groups:trained_model", "list and compare models; describe, publish and export a trained one"),
    "report": ("groups:analyze", "write a report about a run"),
    "compare": ("groups:analyze", "compare two tests on the same images"),
    "leak": ("groups:analyze", "measure by how much related training images flatter a score"),
    "curves": ("groups:analyze", "show the scalars of runs as a table or a chart"),
    "explain": ("groups:analyze", "explain the prediction for a photograph"),
    "gap": ("groups:analyze", "measure a model on photographs without labels"),
    "demo": ("demo:main", "draw a town, train on it, evaluate, segment another city"),
    "env": ("env:main", "show versions and hardware for a bug report"),
}
"""Sub-commands, in the order of `semseg --help`."""


def overview() -> str:
    """Return the text of `semseg --help`."""
    lines = [f"  {name:9}{description}" for name, (_, description) in COMMANDS.items()]
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
    """Run a sub-command.

    Args:
        argv: the arguments of `semseg`, the name of the sub-command first; default: those of this process.

    Returns:
        The exit code of the command; None means success.
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
        close_names = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {close_names[0]}?" if close_names else f"expected one of {', '.join(COMMANDS)}"
        print(f"semseg: no command {name}; {hint}", file=sys.stderr)
        return 2
    module, _, function = COMMANDS[name][0].partition(":")
    # parsers show this as the program name, and a run logs it as its command
    sys.argv = ["semseg", name, *rest] if function == "analyze" else [f"semseg {name}", *rest]
    return getattr(importlib.import_module(f"semseg.cli.{module}"), function)()


def run() -> None:
    """Run the command and exit the process; the entry point of the installed package."""
    run_tool(main)
