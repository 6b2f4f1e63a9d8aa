"""Notifications with lane names, within a process or over a message broker. A lost one costs time, never a
message.

Imports hub.core and hub.settings.
"""
