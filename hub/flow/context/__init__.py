"""The shared state of a process: configuration cache, query cache, rate limits, circuit breakers, counters, background
queue.
"""
