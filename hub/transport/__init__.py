"""The bell: "look", with lane names only. Losing every ring costs time, never a message.

Imports hub.core and hub.settings.
"""
