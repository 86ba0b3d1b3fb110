"""Checkpoints as MMSegmentation 0.x, and MMEngine with NumPy 1, wrote them."""

import pickle
import types
from collections import OrderedDict

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from semseg import labels


class _OfNumpy1(pickle._Pickler):
    """Writes the names of NumPy's functions as NumPy 1 did. Based on the Python pickler: the C one has no such hook."""

    def save_global(self, obj, name=None):
        if getattr(obj, "__module__", None) == "numpy._core.multiarray":
            self.write(b"cnumpy.core.multiarray\n" + obj.__name__.encode() + b"\n")
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    dispatch = {**pickle._Pickler.dispatch, types.FunctionType: save_global}


def _dump(obj, file, protocol=None):
    _OfNumpy1(file, protocol).dump(obj)


_pickle_of_numpy1 = types.SimpleNamespace(__name__="pickle", Pickler=_OfNumpy1, dump=_dump)


def save_by_numpy1(path, content, legacy=False):
    """Save a file that refers to `numpy.core`; `legacy`: in the format before PyTorch 1.6, which is no zip archive."""
    torch.save(content, path, pickle_module=_pickle_of_numpy1, _use_new_zipfile_serialization=not legacy)
    assert (b"numpy._core" in path.read_bytes()) is False
    return path


def of_mmseg0(weights, with_twins=False, with_meta=True):
    """Return what MMCV 1 saved for MMSegmentation 0.x; `with_twins`: with an average of each parameter, of EMAHook."""
    stored = OrderedDict(weights)
    stored._metadata = OrderedDict({"": {"version": 1}})  # as Module.state_dict gives it
    if with_twins:
        names = [name for name in weights if name.endswith(("weight", "bias"))]
        stored.update({f"ema_{name.replace('.', '_')}": weights[name] + 1 for name in names})
    if not with_meta:
        return {"state_dict": stored}
    meta = {
        "env_info": "sys.platform: linux",
        "config": "import os; os.mkdir('config_was_run')",
        "CLASSES": list(labels.CITYSCAPES.classes),
        "PALETTE": [list(color) for color in labels.CITYSCAPES.palette],
        "seed": 7,
        "exp_name": "pspnet.py",
        "mmseg_version": "0.30.0+abc",
        "mmcv_version": "1.7.1",
        "time": "Tue Nov 29 09:00:00 2022",
        "epoch": 1,
        "iter": 4,
        "hook_msgs": {"best_score": np.float64(0.71), "best_ckpt": "best_mIoU_iter_4.pth"},
    }
    optimizer = {"state": {}, "param_groups": [{"lr": 0.01, "params": []}]}
    return {"meta": meta, "state_dict": stored, "optimizer": optimizer}


def of_mmengine(content):
    """Return what MMEngine's CheckpointHook saves of a run: no description, and the buffers of its log."""
    losses = HistoryBuffer(np.array([2.5, 2.25]), np.array([1, 1]))
    info = {"iter": 4, "epoch": 0, "max_iters": 8, "best_score": np.float64(0.71), "cfg": "x = 1"}
    hub = {
        "log_scalars": OrderedDict({"train/loss": losses}),
        "runtime_info": OrderedDict(info),
        "resumed_keys": OrderedDict(dict.fromkeys(("train/loss", *info), True)),
    }
    meta = {key: value for key, value in content["meta"].items() if key != "semseg"}
    return {**content, "meta": {**meta, "mmengine_version": "0.10.3"}, "message_hub": hub}
