"""The gate: what would go wrong, said before minutes are spent on it."""
