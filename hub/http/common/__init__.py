"""What all doors share: bodies, faults, request checks, responses, the bridge to Flask."""
