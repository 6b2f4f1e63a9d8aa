"""Static analysis of mappings and conditions: inferred types, lineage, field coverage, explanations."""
