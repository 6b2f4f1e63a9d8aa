"""Queues of brokers, as sources and as targets."""
