"""Labelled sets: dataset.yaml, pairs, photographs and masks, and what is drawn from them on the way into a model."""
