"""Views of contracts and mappings: which caller uses which version, and which fields are really sent."""
