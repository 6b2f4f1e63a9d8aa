"""People, keys, the audit record, leadership, revisions."""
