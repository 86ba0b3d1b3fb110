"""Analyze a model: reports, comparisons, curves, explanations, and unlabelled photographs."""
