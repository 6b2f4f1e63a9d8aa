"""How things are named in a workspace: patterns that several files are read by."""

from __future__ import annotations

SYSTEM_NAME = r"[a-z][a-z0-9-]{0,39}"
MESSAGE_NAME = r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*"
HOOK_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}"  # what nobody can guess may stand in for a signature
