"""Pictures: route graphs, the landscape, mappings, documents as lines."""
