"""Checks beyond a single file: types, conditions, examples, route tests."""
