"""A local web page for a model, and a JSON endpoint: the server that `tools/serve.py` starts."""
