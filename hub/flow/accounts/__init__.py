"""Accounts of people, and callers' keys."""
