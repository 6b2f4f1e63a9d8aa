"""Planning, applying and rolling back a configuration."""
