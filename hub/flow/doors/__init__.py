"""The doors of the hub beside HTTP posts: hooks, queues, refused posts. Each leads to the one intake recipe
(hub.flow.accept).
"""
