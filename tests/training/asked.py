"""Apply some features of a training, without the others."""

from semseg.training.features import FEATURES, apply_features


def asked(cfg, *names, **options):
    """Return a config with the changes of the features of these names."""
    features = [(module, kind) for module, kind in FEATURES if module.__name__.rpartition(".")[2] in names]
    assert len(features) == len(names)
    return apply_features(cfg, features, options)
