"""Periodic maintenance: recovery and retention."""
