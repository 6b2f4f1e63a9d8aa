"""Tools that adapters are built with: HTTP out, signatures, sandboxes.

Imports hub.core only. Adapters may import this package and hub.core, nothing else of the hub. Third parties that live
here: requests, pycurl; cryptography in kit.signature.
"""
