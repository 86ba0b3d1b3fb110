"""Files of trained weights: what lies where, and what a file says of itself."""
