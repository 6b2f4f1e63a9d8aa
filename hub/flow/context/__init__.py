"""What a process knows and keeps: the active configuration, limits, counters, caches."""
