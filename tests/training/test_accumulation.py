"""Accumulated gradients are those of a large batch, also in several processes."""

import os

import torch
from mmengine.runner import Runner
from mmseg.registry import MODELS

from semseg import compat
from tests.training.toy_runs import ToyModel, toy_config


@MODELS.register_module()
class ToyModelWithoutNorm(ToyModel):
    """Its gradients do not depend on how the samples of an update are divided."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.Identity()


def train(work_dir, batch_size, num_iters, accumulated, **more):
    cfg = toy_config(work_dir, num_iters, interval=100, hooks=[dict(type="SeedHook")], **more)
    cfg.model.type = "ToyModelWithoutNorm"
    cfg.train_dataloader.batch_size = batch_size
    cfg.optim_wrapper.update(optimizer=dict(type="SGD", lr=0.05, momentum=0.9), accumulative_counts=accumulated)
    runner = Runner.from_cfg(cfg)
    runner.train()
    model = getattr(runner.model, "module", runner.model)
    return {name: value.clone() for name, value in model.state_dict().items()}


def _train_share(rank, folder):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    _, wrapper = compat.prepare_for_cpu_processes({})
    torch.save(train(folder / "two", 2, 6, 2, launcher="pytorch", model_wrapper_cfg=wrapper), folder / f"{rank}.pt")


def test_two_processes_that_accumulate_make_the_updates_of_one_large_batch(tmp_path):
    started = train(tmp_path / "started", 8, 1, 1)
    alone = train(tmp_path / "one", 8, 3, 1)
    assert not torch.allclose(started["layer.weight"], alone["layer.weight"], atol=1e-3)
    torch.multiprocessing.start_processes(_train_share, args=(tmp_path,), nprocs=2, start_method="fork")
    for rank in (0, 1):
        assert torch.load(tmp_path / f"{rank}.pt").keys() == alone.keys()
        for name, value in torch.load(tmp_path / f"{rank}.pt").items():
            torch.testing.assert_close(value, alone[name], rtol=1e-5, atol=1e-6)
