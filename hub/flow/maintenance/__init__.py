"""What the hub does by itself over time: recovery and retention."""
