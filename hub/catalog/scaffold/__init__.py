"""New workspaces, systems, routes and first drafts of mappings."""
