import re

import pytest
import torch

from semseg import compat
from tests.conftest import CONFIG, SHORT, run

SICK = """
import os
import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

@TRANSFORMS.register_module()
class BreakThirdBatch(BaseTransform):
    drawn = 0
    def __init__(self, prob):
        pass
    def transform(self, results):
        type(self).drawn += 1
        if self.drawn == 5 and os.environ["RANK"] == "1":
            results["img"] = np.full_like(results["img"], np.nan, np.float32)
        return results
"""


@pytest.mark.slow
def test_a_loss_that_is_no_number_in_one_of_two_processes_ends_both_at_once(town, tmp_path):
    (tmp_path / "sick.py").write_text(SICK)  # a plugin, in both processes
    done = run(
        town, "dist_train.sh", CONFIG, 2, "--plugin", tmp_path / "sick.py", "--work-dir", tmp_path / "run",
        "--seed", 0, "--no-check", *SHORT,
        "train_dataloader.num_workers=0", "train_dataloader.persistent_workers=False",
        "train_dataloader.dataset.pipeline.4.type=BreakThirdBatch", "--max-restarts=2", code=3,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if "is nan" in line]
    work_dir = re.escape(str(tmp_path / "run"))
    assert re.fullmatch(
        r"decode\.loss_ce is nan and aux\.loss_ce is nan at iteration 3 in process 1 \(learning rate \S+, \d+% of the"
        rf" pixels ignored\): the batch lies in {work_dir}/nonfinite_iter_3_rank_1, the state before it is"
        rf" {work_dir}/before_nonfinite_iter_3\.pth: lower the learning rate, or look at the batch",
        sentence,
    )
    (log_path,) = (tmp_path / "run").glob("*/*.log")
    assert log_path.read_text().count(sentence) == 1
    saved = compat.load_checkpoint_file(tmp_path / "run/before_nonfinite_iter_3.pth")
    assert saved["meta"]["iter"] == 2
    assert all(value.isfinite().all() for value in saved["state_dict"].values())
    batch = torch.load(tmp_path / "run/nonfinite_iter_3_rank_1/batch.pt", weights_only=True)
    assert batch["inputs"].isnan().any()
