"""Functions that draw pictures and charts: their arguments and results are arrays."""
