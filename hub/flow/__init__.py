"""The story: accept, deliver, recover, replay. Thin lists of named steps; decisions lie in hub.core.

Imports everything below it (core, settings, logs, kit, catalog, store, transport, vault), no framework, and nobody above.
"""
