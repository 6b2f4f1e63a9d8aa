"""The steps of a delivery: late decisions, look-ups, doubt, retries, rings."""
