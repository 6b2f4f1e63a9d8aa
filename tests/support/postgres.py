"""A PostgreSQL of the tests' own: on a free port, in its own folder, so that it may be stopped at once and filled."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from tests.support.hubs import free_port

BIN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


class Postgres:
    """`stop_now` is what a power cut looks like to clients: no farewell, and crash recovery on the next start."""

    def __init__(self, **settings) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.port = free_port()
        self._as = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust")
        given = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "port": self.port,
            "max_connections": 200,
            **settings,
        }
        self._options = " ".join(f"-c {name}={value}" for name, value in given.items())

    def url(self, name="postgres", port=None):
        return f"postgresql+psycopg://postgres@127.0.0.1:{port or self.port}/{name}"

    def start(self):
        self._run(
            "pg_ctl",
            "-D",
            str(self.folder / "data"),
            "-w",
            "-t",
            "60",
            "-l",
            str(self.folder / "log"),
            "-o",
            self._options,
            "start",
        )
        return self

    def wear_in(self, segments=24):
        """Lets it have files for its log in stock, as one has that has run for a while: a fresh one makes each when it
        is needed, 16 MiB of zeros, and all commits wait for that. `min_wal_size` must allow so many.
        """
        with psycopg.connect(self.url().replace("+psycopg", ""), autocommit=True) as connection:
            for _ in range(segments):
                connection.execute("CREATE TABLE worn (in_ text)")
                connection.execute("DROP TABLE worn")
                connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")
        return self

    def stop_now(self):
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def create(self, name):
        subprocess.run(
            [str(BIN / "createdb"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name],
            check=True,
            capture_output=True,
        )

    def stop(self):
        subprocess.run(
            [*self._as, str(BIN / "pg_ctl"), "-D", str(self.folder / "data"), "-m", "immediate", "stop"],
            check=False,
            capture_output=True,
        )
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command, *words):
        # No pipe: the server would inherit it, and keep whoever reads it waiting.
        subprocess.run(
            [*self._as, str(BIN / command), *words],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/tmp",
        )
