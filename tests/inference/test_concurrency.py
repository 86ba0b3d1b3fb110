"""One Segmenter is used in several threads, and sent to other processes."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import torch

from semseg import Segmenter
from tests.checkpoints.described import save, small_config
from tests.compat.test_compat import RunsCode
from tests.conftest import raises
from tests.inference.test_predictor import lively_checkpoint, picture

IMAGES = [picture(60 + 7 * number, 90 + 5 * number, number) for number in range(8)]


@pytest.fixture(scope="module")
def seg(tmp_path_factory):
    path = save(tmp_path_factory.mktemp("model") / "a.pth", lively_checkpoint(small_config()))
    return Segmenter(path, device="cpu", precision="fp32")


def masks_of(segmenter, images):
    return [segmenter(image).train_ids for image in images]


@pytest.mark.slow
def test_four_threads_get_the_masks_of_one_thread(seg):
    expected = masks_of(seg, IMAGES)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            found = list(pool.map(lambda image: seg(image).train_ids, IMAGES * 3))
            assert all(np.array_equal(a, b) for a, b in zip(found, expected * 3, strict=True))


def test_a_call_does_not_change_the_modules_of_the_model(seg):
    before = {name: dict(vars(module)) for name, module in seg.predictor.model.named_modules()}
    seen = []
    head = seg.predictor.model.decode_head
    handle = head.register_forward_hook(lambda *_: seen.append(set(vars(head))))
    seg(IMAGES[0])
    handle.remove()
    assert seen == [set(before["decode_head"])]


@pytest.mark.slow
def test_a_segmenter_is_pickled_and_works_in_other_processes(seg):
    expected = masks_of(seg, IMAGES[:2])
    assert all(map(np.array_equal, masks_of(pickle.loads(pickle.dumps(seg)), IMAGES[:2]), expected))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        found = pool.submit(masks_of, seg, IMAGES[:2]).result()
    assert all(map(np.array_equal, found, expected))


def test_trust_is_for_one_call_only(tmp_path, monkeypatch, seg):
    monkeypatch.chdir(tmp_path)
    content = lively_checkpoint(small_config())
    good = save(tmp_path / "trusted.pth", content)
    torch.save({**content, "extra": RunsCode()}, tmp_path / "stranger.pth")
    Segmenter(good, device="cpu", trust_checkpoint=True)
    with pytest.raises(ValueError, match="could run code"):
        Segmenter(tmp_path / "stranger.pth", device="cpu")
    assert not (tmp_path / "code_was_run").exists()
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="could run code"):
        pool.submit(Segmenter, tmp_path / "stranger.pth", device="cpu").result()


def test_a_checkpoint_that_is_no_path_is_refused(seg):
    import io

    with raises("E-input-path", "BytesIO"):
        Segmenter(io.BytesIO(b""))
    with raises("E-input-image", r"uint8 \(0, 5, 3\)"):
        seg(np.zeros((0, 5, 3), np.uint8))
