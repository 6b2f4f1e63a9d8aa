"""What would happen: a mapping, a contract, a message or a repair tried without a side effect."""
