"""How many processes share a batch makes no difference to the samples of a step, also after a resume."""

import itertools

import pytest

from tests.conftest import CONFIG, SHORT, run

pytestmark = pytest.mark.slow

NOTING = """
import hashlib, os
from mmengine.hooks import IterTimerHook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class NotingHook(IterTimerHook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        super().before_train_iter(runner, batch_idx, data_batch)
        with open(os.path.join({folder!r}, os.environ.get("RANK", "0")), "a") as file:
            for image, sample in zip(data_batch["inputs"], data_batch["data_samples"]):
                pixels = image.numpy().tobytes() + sample.gt_sem_seg.data.numpy().tobytes()
                print(runner.iter, hashlib.sha256(pixels).hexdigest(), file=file)
"""


def train(town, folder, num_processes, *options):
    """Train with 8 images in a step of all processes.

    Returns:
        The finished program, and the digests of the samples of each step (sorted).
    """
    folder.mkdir(exist_ok=True)
    noted = folder / f"seen_{num_processes}"
    noted.mkdir()
    (folder / "noting.py").write_text(NOTING.format(folder=str(noted)))
    short = [word for word in SHORT if "--epochs" not in options or "max_iters" not in word]
    size = 8 // num_processes
    command = ["train.py", CONFIG] if num_processes == 1 else ["dist_train.sh", CONFIG, num_processes]
    done = run(
        town, *command, "--work-dir", folder / "run", "--seed", 0, "--rare-crops", 0.5, "--no-check",
        "--plugin", folder / "noting.py", *short, f"train_dataloader.batch_size={size}",
        "default_hooks.timer.type=NotingHook", "train_cfg.val_interval=100", *options,
    )  # fmt: skip
    lines = sorted(line.split() for path in noted.iterdir() for line in path.read_text().splitlines())
    return done, [[line[1] for line in step] for _, step in itertools.groupby(lines, key=lambda line: int(line[0]))]


def test_the_samples_of_a_step_are_the_same_in_1_2_and_4_processes(town, tmp_path):
    _, alone = train(town, tmp_path / "alone", 1)
    assert [len(step) for step in alone] == [8] * 4
    assert len({digest for step in alone for digest in step}) == 32  # two draws of a picture differ
    _, two = train(town, tmp_path / "two", 2, "train_cfg.max_iters=2")
    assert two == alone[:2]
    done, four = train(town, tmp_path / "two", 4, "--resume")  # goes on with what two processes have saved
    assert four == alone[2:]
    assert "the samples and augmentations of a step are the same" in done.stdout + done.stderr


def test_a_pass_has_the_same_samples_in_1_and_4_processes_but_for_those_that_fill_up_its_last_batch(town, tmp_path):
    flags = ["train_dataloader.dataset.indices=6", "--epochs", 2]
    _, alone = train(town, tmp_path / "alone", 1, *flags)
    _, four = train(town, tmp_path / "four", 4, *flags)
    assert [len(step) for step in (*alone, *four)] == [6, 6, 8, 8]
    for few, many in zip(alone, four, strict=True):
        assert len(set(many) - set(few)) == 2 and set(few) < set(many)
