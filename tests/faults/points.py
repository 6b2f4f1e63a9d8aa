"""Named points in the hub, and what happens there: laid from outside, so that there is no switch for it in the hub
itself.

Grammar of a wound: `point=action[:argument][@nth|@probability]`, several separated by `;`. Actions: `kill` (SIGKILL to
itself), `raise[:Error]` (default RuntimeError: what nobody foresaw), `hang:seconds`, `stop` (SIGSTOP to itself, what a
long pause looks like), `do_then_fail` (at a
port: its work is done, and its caller is told that it timed out). `@2` is the second time that the point is reached,
`@0.1` each time with that probability; without either, the first time alone. Each firing is a line in a file, written
before anything happens.
"""

import builtins
import os
import random
import re
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from hub.core import errors

WOUNDS, FIRED = "CRASH_WOUNDS", "CRASH_FIRED"  # environment: the wounds, and the file that tells what fired
ACTIONS = ("kill", "raise", "hang", "stop", "do_then_fail")
_WOUND = re.compile(rf"([a-z_.]+)=({'|'.join(ACTIONS)})(?::([A-Za-z0-9_.]+))?(?:@([0-9]+(?:\.[0-9]+)?))?")

# Where the hub can be wounded, and what must hold afterwards.
POINTS = {
    "add.before": "nothing is stored; the sender posts again",
    "add.written": "none of the group is stored or answered 2xx",
    "add.committed": "all of the group is stored; a repeat gets the same id",
    "ring.before": "stored, not answered; a repeat gets the same id, and the sweep delivers",
    "answer.half": "stored; a repeat gets the same id",
    "ring.sent": "a second ring at worst; one effect",
    "ring.partly": "the lanes that were not rung wait for one sweep",
    "ring.acked": "no ring is left; the sweep finds what is due",
    "claim.before": "the deliveries are still pending",
    "claim.written": "the deliveries are still pending",
    "claim.committed": "the leases end, and `in_doubt` decides",
    "map.done": "the same; nothing was sent",
    "send.connected": "the same; no effect at the target",
    "send.half": "in doubt; sent again under the same key",
    "send.sent": "in doubt; one effect",
    "send.answered": "in doubt; one effect, the target knows the key",
    "settle.before": "in doubt; one effect",
    "settle.written": "in doubt, the whole batch; one effect",
    "settle.committed": "nothing is sent a second time",
    "expire.written": "all or none of the leases ended; no attempt is written twice",
    "expire.committed": "pending again and not rung; the sweep finds them",
    "lead.held": "another leads; the first, awake again, changes nothing",
    "poll.fetched": "the broker gives them again; none is missing, none is double",
    "poll.committed": "the broker gives them again, and each is known by its id",
    "apply.checked": "the configuration before is active everywhere",
    "apply.halfway": "both configurations serve; each attempt names its own",
    "act.written": "neither what a person did nor its record",
    "prune.written": "all or none of the block; the next run goes on",
    "reopen.written": "all or none of the batch; each is armed once",
}
# Ports whose work can be done and reported as failed.
PORTS = (
    "store.add",
    "store.claim",
    "store.settle",
    "store.expire",
    "bell.ring",
    "target.send",
    "target.probe",
    "source.take",
)
# What the design names and this hub does not have yet: the run says that they are left out.
NOT_YET = {
    "saga.acted": "no sagas",
    "saga.recorded": "no sagas",
    "saga.between": "no sagas",
    "saga.undone": "no sagas",
}


@dataclass
class Wound:
    """One wound, and how often its point was reached."""

    point: str
    action: str
    argument: str = ""
    nth: int = 1
    probability: float | None = None
    reached: int = 0

    def is_due(self):
        self.reached += 1
        if self.probability is not None:
            return random.random() < self.probability
        return self.reached == self.nth


def parse(text):
    """The wounds of a text, by point. Raises ValueError for what is no wound, and for a point that is not known: it
    would never be reached.
    """
    found = {}
    for part in filter(None, text.split(";")):
        match = _WOUND.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no wound: point=action[:argument][@nth|@probability]")
        point, action, argument, when = match.groups(default="")
        if point not in (PORTS if action == "do_then_fail" else POINTS):
            raise ValueError(f"{point} is no {'port' if action == 'do_then_fail' else 'point'}")
        is_share = "." in when
        found[point] = Wound(
            point, action, argument, 0 if is_share else int(when or 1), float(when) if is_share else None
        )
    return found


class Wounds:
    """The wounds of one process. Safe in all threads."""

    def __init__(self, text, fired):
        self._wounds = parse(text)
        self._fired = Path(fired)
        self._lock = threading.Lock()

    def has(self, *points):
        return any(point in self._wounds for point in points)

    def reach(self, point):
        """We are there: does what the wound says, if it is its turn."""
        wound = self._due(point)
        if wound is not None:
            _act(wound)

    def fails(self, port):
        """Whether the caller of a port, whose work is done, is to be told that it failed."""
        return self._due(port) is not None

    def _due(self, point):
        wound = self._wounds.get(point)
        if wound is None:
            return None
        with self._lock:
            if not wound.is_due():
                return None
            # closed, and so with the kernel, before anything happens
            with self._fired.open("a", encoding="ascii") as file:
                file.write(f"{point} {wound.action} {os.getpid()}\n")
        return wound


def _act(wound):
    match wound.action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "hang":
            time.sleep(float(wound.argument))
        case "raise":
            error = getattr(errors, wound.argument, None) or getattr(builtins, wound.argument or "RuntimeError")
            raise error(f"a wound at {wound.point}")
