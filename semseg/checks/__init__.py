"""Checks of files, configs and the machine that run before a training or a test starts."""
