"""Commands for integration engineers."""
