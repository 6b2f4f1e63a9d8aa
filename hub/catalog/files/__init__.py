"""The files of a workspace: routes, systems, mappings, and their schemas."""
