"""Sets itself apart and starts a program there: python -I -S confine.py JOB REPORT, two open file descriptors.

A script of the standard library alone, so that little runs before what it starts is held. Three processes: this one;
with namespaces, a first process of the new ones, with whose end all others in there end; and the program.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

if __package__:
    from langwright.sandbox.inside import syscalls
else:  # as a script of its own, which sees the standard library and the files beside it
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import syscalls  # type: ignore[import-not-found, no-redef]

NOBODY = 65534
NAMESPACES = syscalls.NEW_MOUNT | syscalls.NEW_PID | syscalls.NEW_NET | syscalls.NEW_IPC | syscalls.NEW_UTS
DEVICES = ("null", "zero", "full", "random", "urandom")
OPEN_FILES = 64
SUBREAPER, NO_NEW_RIGHTS = 36, 38  # of prctl(2)
Job = dict[str, Any]


def main() -> NoReturn:
    """Read the job, set apart, run, and report how it ended."""
    with os.fdopen(int(sys.argv[1])) as told:
        job: Job = json.load(told)
    report = int(sys.argv[2])
    os.set_inheritable(report, False)
    apart = job["isolation"] == "namespaces"
    try:
        if apart:
            leave_namespaces(root := os.geteuid() == 0)
            syscalls.die_with_parent(job["parent"])
            build_root(job)
            here = os.fork()
            if here:
                os.close(report)
                os.waitpid(here, 0)
                os._exit(0)
            syscalls.die_with_parent(0)
            keep(job, report, drop=root)
        syscalls.die_with_parent(job["parent"])
        syscalls.control(SUBREAPER, 1)
        signal.signal(signal.SIGTERM, end_with_all)
        keep(job, report, drop=False)
    except OSError as error:
        tell(report, {"refused": str(error)})
        os._exit(0)


def tell(report: int, what: dict[str, Any]) -> None:
    """One line for the process that asked."""
    os.write(report, json.dumps(what).encode() + b"\n")


# --- setting apart ---------------------------------------------------------------------------------


def leave_namespaces(root: bool) -> None:
    """New namespaces for files, processes, network and messages; without root's rights, one for users first."""
    user, group = os.getuid(), os.getgid()
    syscalls.unshare(NAMESPACES if root else NAMESPACES | syscalls.NEW_USER)
    if not root:
        for name, text in (
            ("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1"),
        ):  # fmt: skip
            Path(f"/proc/self/{name}").write_text(text)


def build_root(job: Job) -> None:
    """A root of its own: the interpreter and its libraries to read, the program to read, an empty folder to write."""
    root, still = job["folder"], syscalls.NO_SETUID | syscalls.NO_DEVICES
    syscalls.mount("none", "/", flags=syscalls.RECURSIVE | syscalls.PRIVATE)
    syscalls.mount("tmpfs", root, "tmpfs", still, "size=16m,mode=755")
    for path in job["binds"]:
        target = Path(root + path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(path).is_symlink():
            target.symlink_to(Path(path).readlink())
            continue
        target.mkdir() if Path(path).is_dir() else target.touch()
        syscalls.mount(path, str(target), flags=syscalls.BIND | syscalls.RECURSIVE)
        syscalls.set_mount(str(target), syscalls.READ_ONLY | still, recursive=True)
    Path(root, "dev").mkdir()
    for name in DEVICES:
        Path(root, "dev", name).touch()
        syscalls.mount(f"/dev/{name}", f"{root}/dev/{name}", flags=syscalls.BIND)
    lay_out(job, root)
    syscalls.mount("tmpfs", f"{root}/work", "tmpfs", still, f"size={job['files_bytes']},nr_inodes=4096,mode=1777")
    syscalls.set_mount(root, syscalls.READ_ONLY | still, recursive=False)
    syscalls.change_root(root)


def lay_out(job: Job, root: str) -> None:
    """The program's files, and an empty folder beside them."""
    for folder in ("program", "work"):
        Path(root, folder).mkdir()
    for name, text in job["files"].items():
        Path(root, "program", name).write_bytes(text.encode())


# --- running ---------------------------------------------------------------------------------------


def keep(job: Job, report: int, *, drop: bool) -> NoReturn:
    """Start the program, wait for it, and say how it ended; then all that it left behind is ended."""
    apart = job["isolation"] == "namespaces"
    root = "" if apart else job["folder"]
    if not apart:
        lay_out(job, root)
    program = os.fork()
    if not program:
        try:
            become(job, report, root, apart=apart, drop=drop)
        except (OSError, ValueError) as error:
            tell(report, {"refused": str(error)})
        os._exit(0)
    status = None
    while status is None:
        ended, code = os.wait()
        status = code if ended == program else None
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    tell(report, {"code": os.waitstatus_to_exitcode(status), "memory_kb": most})
    if not apart:
        end_descendants()
    os._exit(0)


def become(job: Job, report: int, root: str, *, apart: bool, drop: bool) -> NoReturn:
    """Give up every right, take on the limits, and become the program.

    The limit of processes counts those of a user in a namespace; a further one makes it count this program's alone.
    """
    os.setsid()
    if drop:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    if apart:
        syscalls.unshare(syscalls.NEW_USER)
    limits = {
        resource.RLIMIT_AS: job["memory_bytes"], resource.RLIMIT_CPU: math.ceil(job["seconds"]) + 1,
        resource.RLIMIT_FSIZE: job["files_bytes"], resource.RLIMIT_NPROC: job["processes"],
        resource.RLIMIT_NOFILE: OPEN_FILES, resource.RLIMIT_CORE: 0,
    }  # fmt: skip
    for which, most in limits.items():
        hard = resource.getrlimit(which)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (most, most))
    os.umask(0o077)
    os.chdir(f"{root}/work")
    syscalls.control(NO_NEW_RIGHTS, 1)
    tell(report, {"calls": syscalls.take_calls_away(forks=apart)})
    command = [job["python"], "-I", "-S", "-B", "-u", "-X", "utf8", f"{root}/program/{job['main']}", *job["arguments"]]
    home = {"HOME": f"{root}/work", "TMPDIR": f"{root}/work", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
    os.execve(job["python"], command, home)


def end_descendants() -> None:
    """Kill every process that came from this one, also those that left its group or lost their parent."""
    while True:
        for process in children():
            os.kill(process, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def end_with_all(*_: object) -> NoReturn:
    """Kill them, and end."""
    end_descendants()
    os._exit(0)


def children() -> list[int]:
    """The processes whose parent is this one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(after_name[1]) == os.getpid():
            found.append(int(folder.name))
    return found


if __name__ == "__main__":
    main()
