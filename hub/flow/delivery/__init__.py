"""The steps of a delivery: late routing decisions, look-ups, probes of unknown outcomes, the retry budget,
notifications.
"""
