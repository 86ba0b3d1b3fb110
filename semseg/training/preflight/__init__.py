"""Single steps of a training, measured before it begins, and taken back."""
