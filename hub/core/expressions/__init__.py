"""Expressions (JSONata): syntax, evaluation, what one costs, and the door to the evaluator."""
