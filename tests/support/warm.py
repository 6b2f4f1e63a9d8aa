"""The command `hub` without the second that Python takes to load it: a process that has loaded all of it forks one for
each command.

What is forked is a process like any other: with its own environment, standard files and folder, killed and waited for
as `subprocess.Popen` does. Nothing of the hub has run in the one that forks; it has one thread, and ends with the
tests'.
"""

import array
import atexit
import contextlib
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

_one = threading.Lock()
_kept = []  # the socket to the one that forks, and its process


class Warm:
    """A command that runs: as much of `subprocess.Popen` as tests use."""

    def __init__(self, words, *, env, cwd=None, stdin=subprocess.DEVNULL, stdout=None, stderr=None):
        server = _server()
        near, far = socket.socketpair()
        out, given = os.pipe() if stdout == subprocess.PIPE else (None, None)
        null = os.open(os.devnull, os.O_RDWR)
        files = [
            null if stdin == subprocess.DEVNULL else stdin,
            given if given is not None else _file(stdout, 1, null),
            _file(stderr, 2, null),
        ]
        request = json.dumps({"words": list(words), "env": dict(env), "cwd": str(cwd or Path.cwd())}).encode()
        with _one:
            socket.send_fds(server, [len(request).to_bytes(4, "big") + request[:1]], [far.fileno(), *files])
            server.sendall(request[1:])
        far.close()
        os.close(null)
        if given is not None:
            os.close(given)
        self.stdout = os.fdopen(out, "r", encoding="utf-8") if out is not None else None
        self.returncode = None
        self._told = near.makefile("r")
        self._near = near
        self.pid = int(self._told.readline())

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        """Its exit code, -N where signal N ended it. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            with selectors.DefaultSelector() as waiting:
                waiting.register(self._near, selectors.EVENT_READ)
                if not waiting.select(timeout):
                    raise subprocess.TimeoutExpired("hub", timeout)
            self.returncode = int(self._told.readline() or -signal.SIGKILL)
            self._told.close()
            self._near.close()
        return self.returncode


def run(words, *, env, text="", timeout=120):
    """One command to its end, with `text` as its standard input: its exit code, what it wrote, what it complained of.
    Raises subprocess.TimeoutExpired.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        given.write(text.encode())
        given.seek(0)
        process = Warm(words, env=env, stdin=given.fileno(), stdout=out, stderr=error)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise
        texts = []
        for file in (out, error):
            file.seek(0)
            texts.append(file.read().decode())
    return code, *texts


def _file(given, own, null):
    if given is None:
        return own
    return null if given == subprocess.DEVNULL else given if isinstance(given, int) else given.fileno()


def _server():
    """The one that forks, for this process of the tests. It ends when our end of its socket does."""
    with _one:
        if not _kept:
            near, far = socket.socketpair()
            words = [sys.executable, "-m", __name__, str(far.fileno())]
            _kept.extend(
                (
                    near,
                    subprocess.Popen(
                        words, pass_fds=[far.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
                    ),
                )
            )
            far.close()
            atexit.register(_stop, *_kept)
        return _kept[0]


def _stop(near, process):
    near.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:  # a machine that is very busy; nobody waits for it any more
        process.kill()
        process.wait()


def _load():
    """All that any command loads, and nothing that runs."""
    import importlib
    import pkgutil

    import hub.cli

    for found in pkgutil.walk_packages(hub.cli.__path__, "hub.cli."):
        importlib.import_module(found.name)
    for name in (
        "hub.main.serving",
        "hub.transport.celery_notifier",
        "alembic.command",
        "psycopg",
        "pymysql",
        "kombu.transport.pyamqp",
    ):
        importlib.import_module(name)


def _serve(server):
    _load()
    children = {}
    with selectors.DefaultSelector() as waiting:
        waiting.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is server:
                    if (taken := _take(server)) is None:
                        return
                    request, told, *files = taken
                    if (pid := os.fork()) == 0:
                        waiting.close()
                        server.close()
                        _become(request, files)
                    for file in files:
                        os.close(file)
                    os.write(told, b"%d\n" % pid)
                    ended = os.pidfd_open(pid)
                    children[ended] = (pid, told)
                    waiting.register(ended, selectors.EVENT_READ)
                else:
                    waiting.unregister(key.fileobj)
                    pid, told = children.pop(key.fileobj)
                    _, status = os.waitpid(pid, 0)
                    with contextlib.suppress(BrokenPipeError):
                        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
                    os.close(told)
                    os.close(key.fileobj)


def _take(server):
    head, files, *_ = socket.recv_fds(server, 5, 4)
    if not head:
        return None
    body = head[4:]
    wanted = int.from_bytes(head[:4], "big")
    while len(body) < wanted:
        body += server.recv(wanted - len(body))
    return json.loads(body), *array.array("i", files)


def _become(request, files):
    code = 1
    try:
        for number, file in enumerate(files[-3:]):
            os.dup2(file, number)
        os.closerange(3, 1024)
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        random.seed()
        sys.argv = ["hub", *request["words"]]
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, encoding="utf-8", buffering=1) for number, mode in enumerate("rww")
        )
        from hub.cli import main

        main()
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 0 if done.code is None else 1
    except BaseException:  # as the interpreter ends with one that nobody caught
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        _end(code)


def _end(code):
    # As an interpreter does: threads that are waited for, then what was asked to run at the end.
    with contextlib.suppress(BaseException):
        threading._shutdown()
        atexit._run_exitfuncs()
    os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
