"""A workspace that a test may change: the reference one, copied."""

import shutil

from tests.support.hubs import ROOT

PARTS = ("adapters", "mappings", "routes.yaml")


def copied(folder):
    """The reference workspace under `folder`, with its samples."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder
