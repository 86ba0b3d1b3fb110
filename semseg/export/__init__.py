"""Hand a model on to other runtimes."""
