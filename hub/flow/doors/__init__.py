"""Doors to the intake recipe: webhooks, queues, refused posts that are read again."""
