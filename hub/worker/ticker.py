"""The tick: what every process does each sweep, a web process too. Follows the active configuration, shares what it knows, writes what it counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from hub import __version__
from hub.core.errors import StoreBusy
from hub.flow.hub import Hub
from hub.flow.maintenance.recover import look, rescue
from hub.logs import event, told
from hub.worker.scheduler import somebody_leads

SIGN_S = 10.0  # between signs of life; a worker without one for three of these counts as lost, before its leases end
COUNT_S = 5.0  # between writings of what flowed


class Ticker:
    """A thread that ticks until it is stopped. `rings`: this process claims deliveries, so it also looks for what is due, and gives signs of life."""

    def __init__(self, hub: Hub, *, rings: Callable[[Iterable[str]], None] | None = None) -> None:
        self._hub = hub
        self._rings = rings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tick", daemon=True)
        self.ticked_at = time.monotonic()  # of the last tick that worked: readiness looks at it

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ends it; what was counted and not written yet is written."""
        self._stopping.set()
        self._thread.join(seconds)
        self._hub.noting.drain(seconds)
        self._hub.refusals.drain(seconds)
        self._attempt("process.unsigned", lambda: self._hub.store.sign_off_process(self._hub.worker))
        self._attempt("usage.unwritten", lambda: self._hub.usage.flush(self._hub.store))
        self._attempt("pins.unwritten", lambda: self._hub.pins.flush(self._hub.store))
        self._attempt("shares.kept", self._hub.pace.close)
        self._attempt("minutes.unwritten", lambda: self._hub.minutes.flush(self._hub.store))

    def sign_off(self) -> None:
        """A worker that ended in good order is not one that was lost. If this fails, it holds nothing: nobody is the worse for it."""
        self._attempt("worker.unsigned", lambda: self._hub.store.sign_off(self._hub.worker))

    def _run(self) -> None:
        signed_at = counted_at = float("-inf")
        while not self._stopping.wait(self._hub.settings.sweep):
            try:
                if time.monotonic() - signed_at >= SIGN_S:
                    self._sign()
                    signed_at = time.monotonic()
                if self._rings is not None:
                    if not somebody_leads(self._hub):
                        rescue(self._hub)
                    look(self._hub, self._rings)
                self._hub.pace.look()
                self._hub.catalogs.refresh()
                systems = self._hub.catalogs.active().systems.values()
                self._hub.authorities.look({system.inbound.jwks for system in systems if system.inbound.jwks})
                self.ticked_at = time.monotonic()
                self._hub.pins.flush(self._hub.store)
                self._hub.usage.flush(self._hub.store)  # last: counts that cannot be written are no reason to count as stuck
                if time.monotonic() - counted_at >= COUNT_S:
                    self._hub.minutes.flush(self._hub.store)
                    counted_at = time.monotonic()
            except StoreBusy as error:
                event("sweep.failed", str(error), level="warning")
            except Exception as error:  # noqa: BLE001  the next tick tries again
                event("sweep.failed", told(error), level="error")

    def _sign(self) -> None:
        hub = self._hub
        if self._rings is not None:
            hub.store.sign(hub.worker)
        hub.store.sign_process(hub.worker, role=hub.role, version=__version__, revision=hub.catalogs.active().revision)

    def _attempt(self, key: str, act: object) -> None:
        assert callable(act)
        try:
            act()
        except StoreBusy as error:
            event(key, str(error), level="warning")
