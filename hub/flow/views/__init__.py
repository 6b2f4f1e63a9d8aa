"""Views of one message or business object: trace, story, stages, lineage, explanation."""
