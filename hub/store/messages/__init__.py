"""The hot path and its neighbours: accept, claim, settle, expire, capacity, breakers."""
