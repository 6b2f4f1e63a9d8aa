"""The pictures of the console in docs/pictures: which page each shows. Taken of the running demo (`make pictures`), and
proven to be of pages that there are.
"""

import os
from pathlib import Path
from typing import NamedTuple

FOLDER = "docs/pictures"
MOST_BYTES, MOST_IN_ALL = 150_000, 1_000_000


class Picture(NamedTuple):
    """`view`: the page's view in the console; `theme` and `size` as a Visitor has them."""

    view: str
    theme: str = "light"
    size: str = "wide"


PICTURES = {
    "now": Picture("now"),
    "now-dark": Picture("now", theme="dark"),
    "now-phone": Picture("now", size="phone"),
    "find": Picture("find"),
    "message-way": Picture("one_message"),
    "message-content": Picture("one_message"),
    "object": Picture("one_object"),
    "cause": Picture("cause"),
    "repair": Picture("one_repair"),
}


def folder():
    """Where pictures are to be put: HUB_PICTURES; None: none are taken."""
    named = os.environ.get("HUB_PICTURES")
    return Path(named) if named else None
