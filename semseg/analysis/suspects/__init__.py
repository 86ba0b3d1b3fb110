"""Find wrong labels: regions of the truth that a model which has not seen the picture contradicts."""
