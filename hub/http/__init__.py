"""Requests in: partners, operators, health and metrics.

Imports hub.flow and what lies below. Third parties that live here: flask, flask-smorest, marshmallow,
prometheus-client. What partners post goes through `front` (ASGI); everything else through Flask, behind the same front.
"""
