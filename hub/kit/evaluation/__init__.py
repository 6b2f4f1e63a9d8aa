"""Evaluator processes for expressions that may cost much."""
