import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from semseg.cli.program import ArgumentParser, run_tool
from semseg.errors import InvalidInputError
from semseg.system.atomic import disk_error
from semseg.system.stopping import Stopped


def ending(main, monkeypatch, argv=("tool",)):
    monkeypatch.setattr(sys, "argv", list(argv))
    with pytest.raises(SystemExit) as ended:
        run_tool(main)
    return ended.value.code


def fail_with(error):
    def main():
        raise error

    return main


def test_wrong_input_is_one_sentence_and_exit_code_2(monkeypatch, capsys):
    assert ending(fail_with(ValueError("x is 3; expected 4")), monkeypatch) == 2
    assert capsys.readouterr().err == "error: x is 3; expected 4\n"


def test_options_of_a_message_are_written_as_flags_and_its_code_stands_behind_it(monkeypatch, capsys):
    def main():
        parser = ArgumentParser()
        parser.add_argument("--max-time", dest="max_time_s")
        parser.add_argument("config")
        parser.parse_args(["a.py"])
        raise InvalidInputError("`max_time_s` 0 for `config`: write `3h`", code="E-input-range")

    assert ending(main, monkeypatch) == 2
    assert capsys.readouterr().err == "error: --max-time 0 for CONFIG: write `3h` [E-input-range]\n"


def test_errors_of_the_operating_system_name_the_file(monkeypatch, capsys):
    assert ending(Path("/no/such").read_text, monkeypatch) == 2
    assert capsys.readouterr().err == "error: /no/such: no such file or directory\n"


def test_a_failing_machine_is_one_sentence_and_exit_code_1(monkeypatch, capsys):
    assert ending(fail_with(OSError(28, "No space left on device", "a.pth")), monkeypatch) == 1
    sentence = "cannot write a.pth (no space left on device): make room there, then run the same command again"
    assert capsys.readouterr().err == f"error: {sentence} [E-disk-full]\n"
    assert ending(fail_with(OSError(5, "Input/output error")), monkeypatch) == 1
    assert capsys.readouterr().err == "error: input/output error\n"


def test_a_run_that_was_stopped_by_the_disk_shows_the_code(monkeypatch, capsys):
    def main():
        raise Stopped("cannot write a.pth: make room there", 3) from disk_error(OSError(28, "full"), "a.pth")

    assert ending(main, monkeypatch) == 3
    assert capsys.readouterr().err == "cannot write a.pth: make room there [E-disk-full]\n"


def test_debug_shows_the_traceback(monkeypatch):
    with pytest.raises(ValueError, match="x"):
        monkeypatch.setattr(sys, "argv", ["tool", "--debug"])
        run_tool(fail_with(ValueError("x")))


@pytest.mark.slow
@pytest.mark.parametrize("set_by_launcher", [dict(RANK="1", LOCAL_RANK="1"), dict(SLURM_LOCALID="1", LOCAL_RANK="0")])
def test_other_processes_of_the_machine_keep_quiet(monkeypatch, capsys, set_by_launcher):
    for name, value in set_by_launcher.items():
        monkeypatch.setenv(name, value)
    assert ending(fail_with(ValueError("x")), monkeypatch) == 2
    assert capsys.readouterr().err == ""


def test_the_first_process_of_every_machine_speaks(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "4")
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert ending(fail_with(ValueError("x")), monkeypatch) == 2
    assert capsys.readouterr().err == "error: x\n"


class Unreadable(torch.utils.data.Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise ValueError("a.png holds 7; expected 0 to 2")


@pytest.mark.slow
def test_what_a_loaders_process_refuses_is_one_sentence_from_whatever_rank(monkeypatch, capsys):
    loader = torch.utils.data.DataLoader(Unreadable(), num_workers=1, multiprocessing_context="fork")
    monkeypatch.setenv("RANK", "1")
    assert ending(lambda: next(iter(loader)), monkeypatch) == 2
    assert capsys.readouterr().err == "error: a.png holds 7; expected 0 to 2\n"


def test_the_code_of_main_and_ctrl_c(monkeypatch):
    assert ending(lambda: 1, monkeypatch) == 1
    assert ending(lambda: None, monkeypatch) == 0
    assert ending(fail_with(KeyboardInterrupt()), monkeypatch) == 130


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch comes with GNU's OpenMP on Linux")
@pytest.mark.parametrize(
    ("given", "used"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, "0")],
)
def test_waiting_threads_of_openmp_leave_the_cpu_to_others(given, used):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    code = """
        import sys
        from semseg.cli.program import run_tool

        def main():
            assert "torch" not in sys.modules  # it reads the variable at its import
            import torch

        run_tool(main)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment | given | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert f"GOMP_SPINCOUNT = '{used}'" in done.stderr


def test_a_bug_keeps_its_traceback():
    code = "from semseg.cli.program import ArgumentParser, run_tool\nrun_tool(lambda: 1 / 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


def parser_of_many_kinds():
    parser = ArgumentParser(prog="tool")
    parser.add_argument("words", nargs="+")
    parser.add_argument("--data", default="none")
    parser.add_argument("--size", "-s", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--scales", type=float, nargs="+")
    parser.add_argument("--names", nargs="+")
    parser.add_argument("--cfg-options", nargs="+", action="extend", default=[])
    return parser


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--data", "a", "--data", "b"], "--data is given twice: a and b; leave one out"),
        (["--size", "1", "-s", "2"], "-s is given twice: 1 and 2; leave one out"),
        (["--names", "a", "b", "--names", "c"], "--names is given twice: a b and c; write all values after one"),
    ],
)
@pytest.mark.parametrize("parse", ["parse_args", "parse_intermixed_args"])
def test_an_option_of_one_value_that_is_given_twice_is_refused(argv, sentence, parse, capsys):
    with pytest.raises(SystemExit) as ended:
        getattr(parser_of_many_kinds(), parse)(["x", *argv])
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_the_same_value_twice_and_lists_that_are_continued_are_fine():
    parser = parser_of_many_kinds()
    argv = ["x", "--data", "a", "--data", "a", "--cfg-options", "k=1", "l=2", "--cfg-options", "k=3"]
    for _ in range(2):  # one command line is not remembered for the next
        args = parser.parse_args(argv)
        assert (args.words, args.data, args.cfg_options) == (["x"], "a", ["k=1", "l=2", "k=3"])


@pytest.mark.parametrize("parse", ["parse_args", "parse_intermixed_args"])  # the second one parses twice
def test_nan_is_the_same_value_as_nan(parse, capsys):
    args = getattr(parser_of_many_kinds(), parse)(["x", "--minutes", "nan", "--scales", "1", "nan"])
    assert args.minutes != args.minutes
    with pytest.raises(SystemExit):
        getattr(parser_of_many_kinds(), parse)(["x", "--minutes", "nan", "--minutes", "2"])
    assert "--minutes is given twice: nan and 2.0" in capsys.readouterr().err


def test_options_of_sub_commands_are_counted_too(capsys):
    parser = ArgumentParser(prog="tool")
    command = parser.add_subparsers().add_parser("check")
    command.add_argument("--data")
    with pytest.raises(SystemExit):
        parser.parse_args(["check", "--data", "a", "--data", "b"])
    assert "--data is given twice: a and b" in capsys.readouterr().err
