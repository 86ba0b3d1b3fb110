"""Runs of a second: MMEngine's Runner with our hooks, on a model of a few weights."""

import itertools
import json
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmseg.registry import DATASETS, METRICS, MODELS

import semseg.plugins  # noqa: F401

_numbers = itertools.count()  # MMEngine shares the records of Runners that have the same name


@DATASETS.register_module()
class ToyPoints(torch.utils.data.Dataset):
    """Points on a line, the same for the same index."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        point = torch.randn(4, generator=torch.Generator().manual_seed(int(index)))
        return dict(inputs=point, targets=point.sum())


@MODELS.register_module()
class ToyModel(BaseModel):
    """One layer behind a batch norm, so that there are weights and running statistics."""

    def __init__(self):
        super().__init__()
        self.norm, self.layer = torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1)

    def init_weights(self):
        torch.manual_seed(0)
        self.layer.reset_parameters()

    def forward(self, inputs, targets, mode="tensor"):
        errors = (self.layer(self.norm(torch.stack(list(inputs))))[:, 0] - torch.stack(list(targets))) ** 2
        return dict(loss=errors.mean()) if mode == "loss" else errors.tolist()


@METRICS.register_module()
class ScriptedMetric(BaseMetric):
    """Return the next of the given scores, or the mean error of the model."""

    default_prefix = ""

    def __init__(self, scores=(), name="mIoU", every=1):
        super().__init__()
        self.scores, self.name, self.every = scores, name, every

    def process(self, data_batch, data_samples):
        self.results += list(data_samples)

    def compute_metrics(self, results):
        number = MessageHub.get_current_instance().get_info("iter") // self.every  # 0 in the first validation
        return {self.name: self.scores[number] if self.scores else sum(results) / len(results)}


def toy_runner(*args, **kwargs):
    """Return a Runner of `toy_config`."""
    return Runner.from_cfg(toy_config(*args, **kwargs))


def toy_config(work_dir, max_iters=6, *, hooks=(), scores=(), schedule=None, resume=None, interval=2, **changes):
    """Return the config of a run; `schedule` are param_schedulers, `resume` a checkpoint."""
    loader = dict(batch_size=2, num_workers=0, dataset=dict(type="ToyPoints"))
    evaluator = dict(type="ScriptedMetric", scores=list(scores), every=interval)
    cfg = Config(
        dict(
            default_scope="mmseg",
            model=dict(type="ToyModel"),
            work_dir=str(work_dir),
            train_dataloader=dict(loader, sampler=dict(type="InfiniteSampler", shuffle=True)),
            val_dataloader=dict(loader, sampler=dict(type="DefaultSampler", shuffle=False)),
            optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=0.01)),
            param_scheduler=schedule,
            train_cfg=dict(type="IterBasedTrainLoop", max_iters=max_iters, val_interval=interval),
            val_cfg=dict(type="ValLoop"),
            val_evaluator=evaluator,
            default_hooks=dict(
                logger=dict(type="LoggerHook", interval=1, log_metric_by_epoch=False),
                checkpoint=dict(type="SafeCheckpointHook", interval=interval, max_keep_ckpts=-1),
            ),
            custom_hooks=list(hooks),
            visualizer=dict(
                type="Visualizer", vis_backends=[dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
            ),
            log_processor=dict(by_epoch=False),
            randomness=dict(seed=0),
            resume=resume is not None,
            load_from=None if resume is None else str(resume),
            experiment_name=f"toy_{next(_numbers)}",
        )
    )
    cfg.merge_from_dict(changes)
    return cfg


def log_of(runner):
    return Path(runner.log_dir, f"{runner.timestamp}.log").read_text()


def scalars_of(folder):
    """The lines of the one `scalars.json` below a folder."""
    (path,) = folder.rglob("scalars.json")
    return [json.loads(line) for line in path.read_text().splitlines()]
