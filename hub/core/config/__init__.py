"""What a workspace declares, as values: systems, routes, mappings, hooks, queues, signature schemes."""
