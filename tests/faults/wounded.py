"""The hub, started by its own front door with its ports wrapped: `python -m tests.faults.wounded ROLE…` is `hub ROLE…`
with wounds.
"""

import contextlib
import io
import os
import sys

from hub.cli import main
from tests.faults.laying.bell import lay_bell
from tests.faults.laying.flow import lay_flow
from tests.faults.laying.http import lay_http
from tests.faults.laying.store import lay_store
from tests.faults.laying.terms import shorten
from tests.faults.points import FIRED, WOUNDS, Wounds


def run(words, environment, output):
    """`hub WORDS` in this process, with that environment and no other; what it says goes to the file `output`."""
    os.environ.clear()
    os.environ.update(environment)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(file, number)
    sys.stdout, sys.stderr = (io.TextIOWrapper(os.fdopen(os.dup(file), "wb", 0), write_through=True) for _ in range(2))
    _hub(words)


def _hub(words):
    wounds = Wounds(os.environ.get(WOUNDS, ""), os.environ.get(FIRED, os.devnull))
    shorten()
    for lay in (lay_store, lay_bell, lay_flow, lay_http):  # once, before anything of the hub is made
        lay(wounds)
    main(words, prog_name="hub", standalone_mode=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        _hub(sys.argv[1:])
