"""Compare models that are trained under the same budget on the same data: plan, train, evaluate, collect."""
