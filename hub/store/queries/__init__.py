"""Read models: search, backlog, throughput, usage, conservation."""
