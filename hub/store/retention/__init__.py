"""Archiving, pruning, partitions."""
