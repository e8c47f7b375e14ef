"""Real servers for the tests: started on loopback in a directory of their own, stopped by pid."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest


def binary(*candidates: str) -> str:
    """Return the path of a server's program; skip where it is not, fail where CI must have it."""
    for candidate in candidates:
        found = shutil.which(candidate)
        if found:
            return found
    reason = f"{candidates[0]} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Server:
    """A server process that can be killed and started again."""

    def __init__(self, command: list[str], answers: Callable[[], bool], user: str | None) -> None:
        self.command, self.answers, self.user = command, answers, user
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            user=self.user,
        )
        for _ in range(600):
            if self.answers():
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
                pytest.fail("the server has ended")
        pytest.fail("the server does not answer")

    def stop(self, how: int = signal.SIGKILL) -> None:
        """Stop it, and wait until it is gone."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(20)
            self.process = None


def postgres(directory: Path) -> tuple[Server, str]:
    """Return a PostgreSQL server that is running, and its DSN; root starts it as nobody."""
    initdb = binary("initdb", *map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))
    program = str(Path(initdb).resolve().with_name("postgres"))
    user = "nobody" if os.geteuid() == 0 else None
    data = directory / "data"
    if user:
        for parent in (directory, *directory.parents[:3]):
            parent.chmod(parent.stat().st_mode | 0o011)
        os.chown(directory, pwd.getpwnam(user).pw_uid, -1)
    command = [initdb, "-D", str(data), "-U", "jobs", "-A", "trust", "-N", "--no-locale"]
    subprocess.run(command, check=True, user=user, stdout=subprocess.DEVNULL, cwd="/")
    port = free_port()

    def answers() -> bool:
        import psycopg

        try:
            psycopg.connect(dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    dsn = f"postgresql://jobs:s3cret-word@127.0.0.1:{port}/postgres"
    start = [
        program, "-D", str(data), "-p", str(port), "-h", "127.0.0.1",
        "-c", "unix_socket_directories=",  # whose paths may have 107 bytes, and tests' have more
    ]  # fmt: skip
    server = Server(start, answers, user)
    server.start()
    return server, dsn


def redis(directory: Path) -> tuple[Server, str]:
    """Return a Redis server that is running and keeps nothing, and its URL."""
    program, port = binary("redis-server"), free_port()

    def answers() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(b"AUTH s3cret-word\r\nPING\r\n")
            return connection.recv(100).startswith(b"+OK")
        return False

    start = [
        program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory),
        "--save", "", "--appendonly", "no", "--requirepass", "s3cret-word",
    ]  # fmt: skip
    server = Server(start, answers, None)
    server.start()
    return server, f"redis://:s3cret-word@127.0.0.1:{port}/0"
