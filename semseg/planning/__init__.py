"""Planning a training: measure a labelled set and the machine, choose a recipe by rules, and write it as a config."""
