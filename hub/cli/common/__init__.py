"""What commands share: output, names, durations."""
