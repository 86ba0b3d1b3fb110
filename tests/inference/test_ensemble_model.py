import pytest
import torch

from semseg.inference.ensemble_model import mean_scores


@pytest.mark.parametrize("channels", [1, 2, 19])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_equal_scores_stay_as_they_are_in_every_bit(channels, count):
    scores = 30 * torch.randn(2, channels, 17, 23, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mean_scores([scores] * count), scores)


def test_probabilities_are_the_mean():
    generator = torch.Generator().manual_seed(0)
    scores = [3 * torch.randn(1, 5, 4, 4, generator=generator) for _ in range(3)]
    expected = torch.stack([part.softmax(dim=1) for part in scores]).mean(dim=0)
    torch.testing.assert_close(mean_scores(scores).softmax(dim=1), expected)


def test_the_sigmoid_of_one_channel_is_the_mean():
    generator = torch.Generator().manual_seed(0)
    scores = [3 * torch.randn(1, 1, 4, 4, generator=generator) for _ in range(3)]
    expected = torch.stack([part.sigmoid() for part in scores]).mean(dim=0)
    torch.testing.assert_close(mean_scores(scores).sigmoid(), expected)


def test_networks_that_are_very_sure_of_different_classes_do_not_overflow():
    first = torch.tensor([200.0, -200.0]).reshape(1, 2, 1, 1)
    assert mean_scores([first, -first]).softmax(dim=1).flatten().tolist() == pytest.approx([0.5, 0.5])
