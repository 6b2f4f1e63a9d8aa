"""What a person does with a message or a delivery: replay, edit, repair, retry, pause."""
