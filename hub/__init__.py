"""Crossdock: an integration hub for supply chains. Folders are strata; `tests/test_strata.py` keeps who may import
whom.
"""

__version__ = "0.1.0"
