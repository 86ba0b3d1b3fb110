"""Labelled sets: dataset.yaml, pairs, photographs, masks, and the transforms and samplers that a training uses."""
