"""Contracts (JSON Schema): validation, comparison of versions, masking, example documents."""
