"""Outbound HTTP: the client, its connections, the addresses it may reach, access tokens."""
