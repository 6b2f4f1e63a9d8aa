"""Dry runs: a mapping, a contract, a message or a repair is tried without side effects."""
