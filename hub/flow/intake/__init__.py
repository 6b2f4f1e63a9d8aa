"""The steps of the intake: authenticate the sender, choose the contract version, compute the keys, record the origin of
a refusal.
"""
