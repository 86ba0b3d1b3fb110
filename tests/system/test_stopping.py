import errno

from semseg.system.stopping import is_disk_full


def test_a_full_disk_is_known_also_behind_a_better_sentence():
    full = OSError(errno.ENOSPC, "No space left on device")
    sentence = OSError("cannot write a.jpg (No space left on device): make room there")
    assert is_disk_full(full)
    assert is_disk_full(OSError(errno.EDQUOT, "Disk quota exceeded"))
    assert not is_disk_full(sentence)
    sentence.__cause__ = full
    assert is_disk_full(sentence)
    assert not is_disk_full(OSError(errno.EIO, "Input/output error"))  # a file server may come back
