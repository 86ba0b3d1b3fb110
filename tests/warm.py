"""Programs that start without importing PyTorch and MMSegmentation again, which takes 7 s.

A process imports them once, and nothing of this project, and forks for every program. The fork then does what a fresh
interpreter would do, except that importing MMSegmentation prints nothing and warns of nothing. That the programs keep
this off the screen is tested with fresh interpreters: `fresh=True` of `tests.conftest.run`, and the tests of the demo.
"""

import atexit
import contextlib
import gc
import io
import json
import os
import random
import runpy
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path


class WarmPrograms:
    """The process that forks; it ends with this one."""

    def __init__(self):
        self._settings = _settings()
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def can_run(self, program):
        """Return whether a fork is like a start: of a Python program, with the same settings of the interpreter."""
        return sys.platform == "linux" and Path(program).suffix == ".py" and _settings() == self._settings

    def run(self, cwd, *command):
        """Run a Python program as `subprocess.run` does."""
        with tempfile.TemporaryDirectory() as folder:
            outputs = [Path(folder, name) for name in ("stdout", "stderr")]
            order = json.dumps([dict(os.environ), str(Path(cwd).absolute()), *map(str, outputs), *command])
            self._process.stdin.write(order.encode() + b"\n")
            self._process.stdin.flush()
            status = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(
                command, os.waitstatus_to_exitcode(status), *(path.read_text() for path in outputs)
            )


def _settings():
    """Return what is read when a process starts or imports PyTorch."""
    return {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "OMP_", "MKL_", "CUDA_"))}


def _serve():
    _import_libraries()
    assert not any(name.partition(".")[0] == "semseg" for name in sys.modules)
    import torch

    gc.collect()
    gc.freeze()  # a fork need not look through all of it, and copy it
    for order in sys.stdin.buffer:
        environment, cwd, stdout, stderr, *command = json.loads(order)
        pid = os.fork()
        if pid == 0:
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(environment)
            for stream, path in enumerate((os.devnull, stdout, stderr)):
                os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), stream)
            for module in (random, __import__("numpy").random, torch):
                module.seed()
            sys.argv, sys.path[0] = command, str(Path(command[0]).parent)
            return command[0]
        print(os.waitpid(pid, 0)[1], flush=True)
    return None


def _import_libraries():
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cv2  # noqa: F401
        import mmengine.runner  # noqa: F401
        import mmseg.datasets
        import mmseg.evaluation
        import mmseg.models
        import mmseg.visualization  # noqa: F401
        import scipy.optimize  # noqa: F401
        import torch.utils.tensorboard  # noqa: F401
        import yapf.yapflib.yapf_api  # noqa: F401


def _run(program):
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    try:
        runpy.run_path(program, run_name="__main__")
    except BaseException as end:
        _end["code"] = (end.code or 0) if isinstance(end, SystemExit) else 1
        raise


def _leave():
    """Skip the end of the interpreter, which takes PyTorch apart for a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_end["code"] if isinstance(_end["code"], int) else 1)


_end = {"code": 0}

if __name__ == "__main__":
    atexit.register(_leave)  # before any other, so that it comes after all others
    if _program := _serve():
        _run(_program)
