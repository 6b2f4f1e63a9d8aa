"""The worker processes: lane threads that deliver, queue consumers, the tick (polling for due work), the scheduler, the
retention round.

Imports hub.flow and what lies below. Knows nothing of HTTP.
"""
