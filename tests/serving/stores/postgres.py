"""A PostgreSQL server of the tests' own: an unprivileged account, a temporary folder, a socket in it, nothing on the network."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PLACES = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin")
ACCOUNTS = ("postgres", "nobody")


def program(name: str) -> str | None:
    """Where one of PostgreSQL's programs lies."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *PLACES]))


def account() -> str | None:
    """The account that it runs as: ours, or an unprivileged one where ours is root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ACCOUNTS if name in known), None)


def missing() -> str | None:
    """Why there can be no server here; None when there can."""
    if program("initdb") is None or program("postgres") is None:
        return "PostgreSQL's programs are not installed"
    if account() is None:
        return "there is no unprivileged account for PostgreSQL"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "psycopg is not installed"
    return None


class Postgres:
    """One server, which may be stopped and started again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lwpg", dir="/tmp"))
        self.user = account()
        assert self.user is not None
        self.databases = 0
        self.free: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.as_user: dict[str, str] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self.user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            self.as_user = {"user": self.user}
        initdb = [program("initdb"), "-D", str(self.folder / "data"), "-U", "langwright", "--auth=trust", "--no-sync"]
        done = subprocess.run(
            [*initdb, "--locale=C", "--encoding=UTF8"], cwd=self.folder, capture_output=True, text=True, **self.as_user
        )
        assert done.returncode == 0, done.stderr
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [program("postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder), "-h", ""]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-c", "fsync=off", "-c", "max_connections=60"],
                cwd=self.folder, stdout=log, stderr=log, **self.as_user,
            )  # fmt: skip
        until = time.monotonic() + 60
        while True:
            try:
                self.do("SELECT 1")
                return
            except Exception:
                assert self.process.poll() is None and time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it, without waiting for those connected."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)

    def do(self, statement: str, database: str = "postgres") -> None:
        """One statement."""
        import psycopg

        with psycopg.connect(self.url(database).replace("+psycopg", ""), autocommit=True, connect_timeout=5) as one:
            one.execute(statement)

    def url(self, database: str) -> str:
        """Where a database is."""
        return f"postgresql+psycopg://langwright@/{database}?host={self.folder}"

    def fresh(self) -> str:
        """The URL of an empty database."""
        if self.free:
            name = self.free.pop()
            self.do(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
            self.do("DROP SCHEMA public CASCADE", name)
            self.do("CREATE SCHEMA public", name)
            return self.url(name)
        self.databases += 1
        self.do(f"CREATE DATABASE t{self.databases}")
        return self.url(f"t{self.databases}")

    def take_back(self, url: str) -> None:
        """A database that is not needed any more; making one takes far longer than emptying one."""
        self.free.append(url.partition("@/")[2].partition("?")[0])

    def end(self) -> None:
        """Stop it and remove all it wrote."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)
