"""Cityscapes: download it, convert it, submit to its server."""
