"""Contracts and mappings, looked at: who uses which version, which fields really come."""
