"""How the schema came to be what `tables` says: numbered, one thought each, with a way back. A package, so that it is
in the wheel.
"""
