"""Search, cross-validation, evaluation, verdict and promotion gate of a model. Never trades."""
