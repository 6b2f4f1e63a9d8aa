"""What `/ops/v1` answers: declarations from which its OpenAPI document is made. Imports hub.core."""
