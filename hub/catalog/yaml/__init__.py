"""YAML files read with line and column: documents, shapes, findings and their codes."""
