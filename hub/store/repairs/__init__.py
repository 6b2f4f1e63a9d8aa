"""What people change: repairs, replays, refused arrivals."""
