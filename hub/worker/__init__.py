"""Rings and ticks in: who calls flow.deliver and flow.recover, and when to stop.

Imports hub.flow and what lies below. Knows nothing of HTTP.
"""
