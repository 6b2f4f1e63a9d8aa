"""`/ops/v1`: the operators' API."""
