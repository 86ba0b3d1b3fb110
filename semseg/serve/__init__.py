"""A model on a page of one's own machine, and a JSON endpoint: what `tools/serve.py` starts."""
