"""The migrations. The hub before each of them must be able to work on what it leaves (promise P17)."""
