"""The ground: values and pure functions.

Imports nothing of `hub` but its own modules. No I/O, no clock, no randomness, no framework: `now`, jitter and recorded
answers are handed in, so that any past step can be computed again. Third parties that live here: msgspec,
jsonschema-rs, jsonschema, jsonatapy.
"""
