"""Actions of operators on messages and deliveries: replay, edit, repair, retry, pause."""
