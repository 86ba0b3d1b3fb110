"""Start processes: `python -m semseg.launch`, as the scripts under `tools/` call it."""

from semseg.cli.program import run_tool
from semseg.launch.processes import main

if __name__ == "__main__":
    run_tool(main)
