"""Some features of a training, without the others."""

from semseg.training.features import FEATURES, apply_features


def asked(cfg, *names, **options):
    """Return what the features of these names make of a config."""
    features = [(module, kind) for module, kind in FEATURES if module.__name__.rpartition(".")[2] in names]
    assert len(features) == len(names)
    return apply_features(cfg, features, options)
