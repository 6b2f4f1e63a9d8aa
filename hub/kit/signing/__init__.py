"""Signatures: checked on what comes in, made for what goes out."""
