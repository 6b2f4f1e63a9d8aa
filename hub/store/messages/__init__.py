"""The SQL of the hot path: add messages, claim, settle, expire leases, capacity, circuit breakers, pauses."""
