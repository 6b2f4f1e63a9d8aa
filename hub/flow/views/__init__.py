"""One message or business object, looked at: trace, story, stages, lineage, explanation."""
