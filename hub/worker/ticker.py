"""The tick: the polling loop of every process. Each polling interval it looks for due work, refreshes the configuration
and caches, and writes counters.
"""

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

# heartbeat interval; a worker without a heartbeat for three intervals counts as lost, before its leases end
SIGN_S = 10.0
COUNT_S = 5.0  # write interval of the throughput counters


class Ticker:
    """A thread that ticks until it is stopped. `rings`: set if this process claims deliveries; then it also polls for
    due work and sends heartbeats.
    """

    def __init__(self, hub: Hub, *, rings: Callable[[Iterable[str]], None] | None = None) -> None:
        self._hub = hub
        self._rings = rings
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tick", daemon=True)
        self.ticked_at = time.monotonic()  # time of the last successful tick, for the readiness check

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ends it, and writes all remaining counters."""
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
        """Removes the worker's heartbeat after an orderly stop, so that it does not count as lost. A failure does no
        harm: the worker holds no lease.
        """
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
                # after `ticked_at`: a failed write of counters must not make the process unready
                self._hub.usage.flush(self._hub.store)
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
