"""Pages about systems, routes, contracts, mappings and changes."""
