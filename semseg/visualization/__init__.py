"""Pictures and charts: arrays in, pixels out."""
