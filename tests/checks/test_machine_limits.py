"""What a run needs of the machine."""

from mmengine.config import Config

from semseg.checks.machine_limits import check_machine, check_shared_memory


def config(work_dir, **train_dataloader):
    pipeline = [dict(type="RandomCrop", crop_size=(512, 1024))]
    loader = dict(batch_size=2, num_workers=0, dataset=dict(type="CityscapesDataset", pipeline=pipeline))
    return Config(dict(work_dir=str(work_dir), train_dataloader=dict(loader, **train_dataloader)))


def lines_of(findings):
    return {finding.code: f"{finding.kind} {finding.line()}" for finding in findings}


def test_an_ordinary_run_has_no_finding_and_no_file_is_left(tmp_path):
    assert check_machine(config(tmp_path / "work/a")) == []
    assert list(tmp_path.iterdir()) == []


def test_a_work_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    line = lines_of(check_machine(config(tmp_path / "file/a")))["work-dir"]
    assert line == (
        f"error the work folder {tmp_path}/file/a cannot be made: {tmp_path}/file is a file; choose another with"
        " `work_dir`"
    )
    line = lines_of(check_machine(config("/proc/a")))["work-dir"]
    assert "/proc cannot be written to (" in line


def test_more_workers_than_cpus_is_a_warning_with_the_number_that_works(tmp_path):
    line = lines_of(check_machine(config(tmp_path, num_workers=1000)))["workers"]
    assert line.startswith("warning 1000 workers for ")
    assert "set train_dataloader.num_workers=" in line


def test_batches_beyond_shared_memory_are_an_error_that_names_a_number_that_fits(tmp_path):
    # 10^6 workers x 2 batches x 2 crops of 512 x 1024 x 11 bytes, which no disk holds
    line = lines_of(check_shared_memory(config(tmp_path, num_workers=10**6), tmp_path))["shared-memory"]
    assert line.startswith(f"error the loader's workers put batches into {tmp_path}, where they need about 21484.4 GiB")
    assert "--shm-size=42969g (docker), or take fewer workers with `cfg_options` train_dataloader.num_workers=" in line
    fitting = int(line.rpartition("=")[2])
    assert lines_of(check_shared_memory(config(tmp_path, num_workers=max(1, fitting // 2)), tmp_path)) == {}
    assert lines_of(check_shared_memory(config(tmp_path, num_workers=1), tmp_path)) == {}
