"""Commands that run the hub and manage stores, people and keys."""
