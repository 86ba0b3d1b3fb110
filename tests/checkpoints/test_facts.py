import subprocess

from semseg.checkpoints import facts


def test_the_command_hides_secrets_and_keeps_quotes():
    shown = facts.command_line(
        [
            *("tools/train.py", "a b.py", "--token", "t1", "--password=t2", "vis.api_key=t3", "x.with_cls_token=True"),
            *("load_from=https://me:t4@host/a.pth", "train_cfg.max_iters=3"),
        ]
    )
    assert not any(secret in shown for secret in ("t1", "t2", "t3", "t4"))
    assert shown.startswith("python tools/train.py 'a b.py' --token '***' '--password=***' 'vis.api_key=***'")
    assert "x.with_cls_token=True" in shown
    assert shown.endswith("train_cfg.max_iters=3")


def test_git_state_says_revision_and_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert facts.git_state() is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "a.txt").write_text("1")
    for command in (["init", "-q"], ["add", "a.txt"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *command], check=True)
    clean = facts.git_state()
    assert len(clean["revision"]) == 40
    assert clean["dirty"] is False
    (tmp_path / "new.txt").write_text("not under version control")
    assert facts.git_state() == clean
    (tmp_path / "a.txt").write_text("2")
    assert facts.git_state()["dirty"] is True


def test_versions_and_hardware_are_plain():
    assert {"python", "torch", "mmengine", "mmcv", "mmseg", "semseg"} <= facts.versions().keys()
    assert all(type(value) in (str, type(None)) for value in facts.versions().values())
    machine = facts.hardware()
    assert machine["cpu"]
    assert machine["cores"] >= machine["usable_cores"] >= 1
    assert machine["memory_gib"] > 0
