"""`python -m semseg`: the `semseg` command."""

from semseg.cli.main import run

if __name__ == "__main__":
    run()
