"""The steps of the hub: accept, deliver, recover, replay. Each module is a list of named steps; the decisions are pure
functions of hub.core.

Imports the layers below (core, settings, logs, kit, catalog, store, transport, vault), no web framework, and no layer
above.
"""
