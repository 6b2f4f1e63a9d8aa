"""Pages about people, keys, processes, the store and the audit record."""
