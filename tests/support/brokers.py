"""Brokers of the tests' own: RabbitMQ and Redis on free ports, in folders of their own, so that they may be stopped,
killed and purged.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import amqp
import kombu
import redis

from tests.support.hubs import free_port
from tests.support.waiting import wait_until

SERVER = next(
    (path for path in sorted(Path("/usr/lib/rabbitmq").glob("**/sbin/rabbitmq-server"), reverse=True) if path.exists()),
    None,
)


class RabbitMQ:
    """`start` returns once it answers. `url` stays the same over a restart."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rabbit-"))
        self.port, self._dist, self._epmd = free_port(), free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = false\n")
        name = f"hub{self.port}"
        self._environment = {
            **os.environ,
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"{name}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist),
            "ERL_EPMD_PORT": str(self._epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        self._process = None
        self._queues = []

    def start(self):
        self._process = subprocess.Popen(
            [str(SERVER)],
            env=self._environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )
        wait_until(self._answers, seconds=90, what=f"RabbitMQ on {self.port}")
        return self

    def purge(self):
        """Throws away all that waits in any queue that it knows of; it asks for their names as long as it knows none,
        for that takes seconds.
        """
        self._queues = self._queues or [
            line.split("\t")[0]
            for line in self._ctl("list_queues", "-q", "--no-table-headers", "name").splitlines()
            if line
        ]
        with kombu.Connection(self.url) as connection:
            for name in self._queues:
                with contextlib.suppress(amqp.exceptions.NotFound):
                    connection.channel().queue_purge(name)

    def _ctl(self, *words):
        command = [
            str(SERVER).replace("rabbitmq-server", "rabbitmqctl"),
            "-n",
            self._environment["RABBITMQ_NODENAME"],
            *words,
        ]
        return subprocess.run(
            command, env=self._environment, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def kill(self):
        """As if the power had gone."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)

    def stop(self):
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        subprocess.run(["epmd", "-port", str(self._epmd), "-kill"], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self):
        try:
            connection = amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=2, read_timeout=5)
            connection.connect()
            connection.close()
        except (OSError, amqp.exceptions.AMQPError):
            return False
        return True


class Redis:
    """A Redis of the tests' own: on a free port, in its own folder. What it was given survives a kill (every write is
    flushed).
    """

    def __init__(self, *, appends: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._appends = appends
        self._process = None

    def start(self):
        words = [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self.folder),
            "--save",
            "",
        ]
        words += ["--appendonly", "yes", "--appendfsync", "always"] if self._appends else []
        self._process = subprocess.Popen(
            words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers, seconds=20, what=f"Redis on {self.port}")
        return self

    def purge(self):
        with self.client() as client:
            client.flushall()

    def kill(self):
        """As if the power had gone."""
        self._process.kill()
        self._process.wait(30)

    def pause(self):
        """It falls silent: connections stay, and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def stop(self):
        if self._process is not None and self._process.poll() is None:
            self.resume()
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self):
        return redis.Redis(port=self.port)

    def _answers(self):
        try:
            with self.client() as client:
                return client.ping()
        except redis.RedisError:
            return False
