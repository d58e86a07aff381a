"""Calls of the Linux kernel that Python has no function for, and a filter that takes calls away.

Numbers   include/uapi/asm-generic/unistd.h and arch/x86/entry/syscalls/syscall_64.tbl of the kernel
Source    seccomp(2): a program of the classic packet filter looks at each call's number and first argument
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_CGROUP, NEW_UTS, NEW_IPC, NEW_USER = 0x02000000, 0x04000000, 0x08000000, 0x10000000
NEW_PID, NEW_NET, NEW_MOUNT, THREAD = 0x20000000, 0x40000000, 0x00020000, 0x00010000
NEW_ANY = NEW_CGROUP | NEW_UTS | NEW_IPC | NEW_USER | NEW_PID | NEW_NET | NEW_MOUNT
BIND, RECURSIVE, PRIVATE, DETACH = 0x1000, 0x4000, 0x40000, 2
READ_ONLY, NO_SETUID, NO_DEVICES = 1, 2, 4

# what a program that computes has no use for: name -> number on x86_64 and on aarch64
REFUSED = {
    "socket": (41, 198), "ptrace": (101, 117), "pivot_root": (155, 41), "mount": (165, 40), "umount2": (166, 39),
    "init_module": (175, 105), "delete_module": (176, 106), "kexec_load": (246, 104), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "unshare": (272, 97), "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265), "setns": (308, 268), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "finit_module": (313, 273), "bpf": (321, 280), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432),
    "pidfd_getfd": (438, 438), "mount_setattr": (442, 442),
}  # fmt: skip
FORKS = {"fork": (57, None), "vfork": (58, None)}
CLONE, CLONE3 = (56, 220), 435
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def checked(result: int, what: str) -> None:
    """OSError where a call did not succeed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces that are shared with others."""
    checked(LIBC.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2)."""
    done = LIBC.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), options.encode() if options else None
    )
    checked(done, f"mount {target}")


def set_mount(path: str, attributes: int, recursive: bool) -> None:
    """mount_setattr(2), Linux 5.12: what lies below a path is read-only, and the like."""
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    number = REFUSED["mount_setattr"][0]
    flags = 0x8000 if recursive else 0
    done = LIBC.syscall(ctypes.c_long(number), -100, path.encode(), flags, ctypes.byref(wanted), ctypes.c_size_t(32))
    checked(done, f"mount_setattr {path}")


def change_root(path: str) -> None:
    """Make a mounted folder the root of everything, and let go of what was above it."""
    place = ARCHITECTURES[platform.machine()][0]
    os.chdir(path)
    checked(LIBC.syscall(ctypes.c_long(REFUSED["pivot_root"][place]), b".", b"."), "pivot_root")
    checked(LIBC.umount2(b".", DETACH), "umount")
    os.chdir("/")


def control(option: int, value: int) -> None:
    """prctl(2)."""
    checked(LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def die_with_parent(parent: int) -> None:
    """Be killed when the process that started this one ends, also where it has ended already.

    parent  its number; 0 where it lies in another namespace
    """
    control(1, signal.SIGKILL)
    if parent and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


class Instruction(ctypes.Structure):
    """struct sock_filter."""

    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class Filter(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(Instruction)))


LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000


def fails(number: int) -> tuple[int, int, int, int]:
    """The call returns this error."""
    return (RETURN, 0, 0, 0x00050000 | number)


def take_calls_away(forks: bool) -> bool:
    """Refuse what `REFUSED` names, new namespaces, and new processes unless `forks`; False where this machine is unknown."""
    if platform.machine() not in ARCHITECTURES:
        return False
    place, architecture = ARCHITECTURES[platform.machine()]
    lines = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    lines += [(AT_LEAST, 0, 1, 0x40000000), fails(errno.EPERM)]  # the x32 calls of x86_64
    refused = {**REFUSED, **({} if forks else FORKS)}
    for numbers in refused.values():
        if (number := numbers[place]) is not None:
            lines += [(EQUAL, 0, 1, number), fails(errno.EPERM)]
    lines += [(EQUAL, 0, 1, CLONE3), fails(errno.ENOSYS)]  # its flags cannot be seen; the C library then uses clone
    lines += [(EQUAL, 1, 0, CLONE[place]), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, 16)]
    lines += [(ANY_BIT, 0, 1, NEW_ANY), fails(errno.EPERM)]
    if not forks:
        lines += [(ANY_BIT, 1, 0, THREAD), fails(errno.EPERM)]
    lines += [(RETURN, 0, 0, ALLOW)]
    made = (Instruction * len(lines))(*(Instruction(*line) for line in lines))
    checked(LIBC.prctl(22, ctypes.c_ulong(2), ctypes.byref(Filter(len(lines), made)), 0, 0), "seccomp")
    return True
