"""The values of a running hub: deliveries, retries, breakers, capacity windows, repairs."""
