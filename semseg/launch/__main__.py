"""Start the processes of a run: `python -m semseg.launch`, which the scripts under `tools/` call."""

from semseg.cli.program import run_tool
from semseg.launch.processes import main

if __name__ == "__main__":
    run_tool(main)
