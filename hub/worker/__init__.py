"""Rings and ticks in: who calls flow.deliver and flow.maintenance.recover, and when to stop.

Imports hub.flow and what lies below. Knows nothing of HTTP.
"""
