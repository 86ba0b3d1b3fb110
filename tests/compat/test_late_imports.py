"""Each test compares a program that is repaired with one that is not; each is a process of its own."""

import importlib.metadata

import pytest

from tests.conftest import CONFIG, run_code

pytestmark = pytest.mark.slow

LATE = ("torch._dynamo", "torchvision", "matplotlib")
SHOW = f"\nimport sys\nprint('imported', [name for name in {LATE!r} if name in sys.modules])\n"
REPAIR = "from semseg.compat import late_imports\nlate_imports.repair()\nlate_imports.repair()\n"
STEPS = """
import torch
for kind in (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD, torch.optim.RMSprop):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = kind(model.parameters(), lr=0.1, weight_decay=0.01)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.5})
    for _ in range(3):
        optimizer.zero_grad()
        loss = sum(p.square().sum() for group in optimizer.param_groups for p in group["params"])
        loss.backward()
        optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())

    def closure():
        assert torch.is_grad_enabled()
        optimizer.zero_grad()
        loss = sum(p.square().sum() for group in optimizer.param_groups for p in group["params"])
        loss.backward()
        return loss

    print(optimizer.step(closure).item(), torch.is_grad_enabled())
    print([p.tolist() for group in optimizer.param_groups for p in group["params"]])
"""
DRAW = """
import hashlib
import numpy as np
from mmengine.visualization import Visualizer
visualizer = Visualizer()
visualizer.set_image(np.zeros((40, 60, 3), np.uint8))
visualizer.draw_texts("road", np.array([10, 10])).draw_circles(np.array([30, 20]), np.array([5]))
print(visualizer.dpi, visualizer.get_image().shape, hashlib.sha256(visualizer.get_image().tobytes()).hexdigest())
print(visualizer.fig_save.get_axes() == [visualizer.ax_save])
"""
MAKE = "from mmengine.visualization import Visualizer\nVisualizer()\n"
COLLECT = "import mmengine.runner.runner as stock\nprint(stock.collect_env()['TorchVision'])\n"


def output_of(folder, code):
    done = run_code(folder, code)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_training_imports_neither_the_compiler_nor_torchvision_nor_matplotlib(town, tmp_path):
    options = ["train_cfg.max_iters=1", "train_cfg.val_begin=2", "train_dataloader.num_workers=0"]
    options += ["train_dataloader.persistent_workers=False"]
    words = [str(CONFIG), "--work-dir", str(tmp_path / "run"), "--cfg-options", *options]
    code = f"import os\nos.chdir({str(town)!r})\nfrom semseg.cli.train import main\nmain({words!r})\n"
    assert output_of(tmp_path, code + SHOW)[-1] == "imported []"


def test_defect_the_first_step_of_an_optimizer_imports_the_compiler(tmp_path):
    stock, repaired = output_of(tmp_path, STEPS + SHOW), output_of(tmp_path, REPAIR + STEPS + SHOW)
    assert stock[-1] == "imported ['torch._dynamo']"
    assert repaired[-1] == "imported []"
    assert repaired[:-1] == stock[:-1]


def test_optimizers_use_the_compiler_once_it_is_imported(tmp_path):
    stock, repaired = output_of(tmp_path, STEPS), output_of(tmp_path, REPAIR + "import torch._dynamo\n" + STEPS)
    assert repaired == stock


def test_defect_the_versions_of_a_log_import_torchvision(tmp_path):
    version = importlib.metadata.version("torchvision")
    stock, repaired = output_of(tmp_path, COLLECT + SHOW), output_of(tmp_path, REPAIR + COLLECT + SHOW)
    assert "torchvision" in stock[-1]
    assert stock[0].partition("+")[0] == repaired[0] == version  # without the build, which PyTorch's version has
    assert repaired[-1] == "imported []"


def test_defect_a_visualizer_imports_matplotlib_before_it_draws(tmp_path):
    assert "matplotlib" in output_of(tmp_path, MAKE + SHOW)[-1]
    assert output_of(tmp_path, REPAIR + MAKE + SHOW)[-1] == "imported []"
    assert output_of(tmp_path, REPAIR + DRAW) == output_of(tmp_path, DRAW)
