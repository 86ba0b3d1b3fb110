"""Semantic segmentation from configs: train, test and infer, built on MMSegmentation."""

__version__ = "0.1.0"
