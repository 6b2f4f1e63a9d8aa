"""Pages about messages and business objects."""
