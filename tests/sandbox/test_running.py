"""A program that nobody vouches for: what it cannot do, and how it is stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from langwright.errors import UserError
from langwright.sandbox.running import Ran, missing_namespaces, run_program
from langwright.sandbox.settings import Sandbox

APART = pytest.mark.skipif(
    bool(missing_namespaces()), reason=f"this machine does not let a program be set apart: {missing_namespaces()}"
)
BOTH = [pytest.param("namespaces", marks=APART), "limits"]


def box(isolation: str = "namespaces", **more: object) -> Sandbox:
    """A sandbox that is allowed and quick."""
    return Sandbox.model_validate({"allow": True, "isolation": isolation, "seconds": 20.0, **more})


def run(source: str, isolation: str = "namespaces", **more: object) -> Ran:
    """A program's end."""
    return run_program(source, box(isolation, **more))


def refused(error: str, statement: str) -> str:
    """A program that prints what a statement is refused with."""
    return (
        f"try:\n    {statement}\nexcept {error} as error:\n    print(type(error).__name__)\nelse:\n    print('done')\n"
    )


def test_nothing_is_run_unless_it_is_allowed() -> None:
    with pytest.raises(UserError, match="not run unless you allow it"):
        run_program("print(1)", Sandbox())


def test_missing_isolation_refuses_and_less_is_accepted_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langwright.sandbox.running.missing_namespaces", lambda: "unshare: Operation not permitted")
    with pytest.raises(UserError, match=r"unshare: Operation not permitted[\s\S]*sandbox.isolation=limits"):
        run("print(1)")
    assert run("print(1)", "limits").output == "1\n"


@pytest.mark.parametrize("isolation", BOTH)
def test_a_program_runs_and_says_by_what_it_was_held(isolation: str) -> None:
    ran = run_program("import sys\nprint(input(), sys.argv[1])\nsys.exit(3)", box(isolation), "你好\n", ["a b"])
    assert (ran.ended, ran.code, ran.output, ran.errors) == ("done", 3, "你好 a b\n", "")
    assert ran.isolation == isolation
    assert ("network" in str(ran.isolated())) == (isolation == "namespaces")
    assert 1 < ran.memory_mb < 200


@pytest.mark.parametrize("isolation", BOTH)
def test_an_infinite_loop_and_a_long_sleep_end_at_the_time(isolation: str) -> None:
    for source in ("while True: pass", "import time\ntime.sleep(60)"):
        ran = run(source, isolation, seconds=1.0)
        assert (ran.ended, ran.code) == ("time", None)


@pytest.mark.parametrize("isolation", BOTH)
def test_what_ignores_signals_and_leaves_its_group_is_ended_too(isolation: str) -> None:
    source = """
import os, signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
try:
    if os.fork() == 0:
        os.setsid()
        os.fork()
except PermissionError:
    pass
print("begun", flush=True)
time.sleep(60)
"""
    mark = f"mark-{uuid4()}"
    ran = run_program(source, box(isolation, seconds=1.0), arguments=[mark])
    said = ran.output.replace("\n", "")  # two may speak at once, and a line ends by itself
    assert (ran.ended, said.replace("begun", "")) == ("time", "") and said
    assert gone(mark)


def test_with_limits_what_a_program_leaves_behind_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_filter(monkeypatch, tmp_path)  # which lets no further process begin
    mark = f"mark-{uuid4()}"
    source = """
import os, time
try:
    child = os.fork()
except OSError:  # whoever runs many processes may begin none under the limit
    child = 1
if child == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(1); os.close(2)
        time.sleep(60)
    os._exit(0)
print('ended')
"""
    ran = run_program(source, box("limits"), arguments=[mark])
    assert (ran.ended, ran.code, ran.output) == ("done", 0, "ended\n")
    assert gone(mark)


@APART
def test_a_fork_bomb_is_bounded() -> None:
    source = "import os, time\nfor _ in range(9):\n    try:\n        os.fork()\n    except OSError as e:\n        print(e.errno, flush=True)\ntime.sleep(0.5)"
    ran = run(source, processes=6)
    assert ran.output.splitlines().count("11") >= 6  # EAGAIN; 2 ** 9 processes otherwise, and none of these lines
    again = run("import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass", seconds=1.5)
    assert again.ended == "time"
    assert run("print('fine')").output == "fine\n"


def test_with_limits_alone_no_further_process_is_begun() -> None:
    assert run(refused("OSError", "__import__('os').fork()"), "limits").output == "PermissionError\n"


@pytest.mark.parametrize("isolation", BOTH)
def test_a_memory_bomb_is_refused_its_memory(isolation: str) -> None:
    assert run(refused("MemoryError", "x = bytearray(300 << 20)"), isolation, memory_mb=128).output == "MemoryError\n"
    assert run(refused("MemoryError", "x = bytearray(30 << 20)"), isolation, memory_mb=128).output == "done\n"


@APART
def test_files_are_the_systems_libraries_and_an_empty_folder(tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("secret")
    source = f"""
import os
for path in ("/etc/passwd", {str(Path.home())!r}, {str(mine)!r}, "/proc/1/environ", {__file__!r}, "/tmp", "/etc/shadow"):
    try:
        print("read", path, os.listdir(path) if path == {str(Path.home())!r} else open(path).read(1))
    except OSError:
        pass
for folder in ("/", "/program", "/usr/lib", "/tmp", "/dev", "/etc", os.path.dirname(os.__file__)):
    try:
        open(folder + "/langwright-was-here", "w")
        print("wrote", folder)
    except OSError:
        pass
print(os.listdir("."))
open("mine", "w").write("x")
print(os.listdir("."), os.environ.get("HOME"), len(os.environ))
"""
    lines = run(source).output.splitlines()
    assert [line for line in lines if line.startswith("wrote")] == []
    # the folder above an interpreter that lies in the home is there, and holds nothing but the way to it
    read = [line for line in lines if line.startswith("read") and not line.startswith(f"read {Path.home()} ")]
    assert read == []
    assert lines[-2:] == ["[]", "['mine'] /work 4"]
    assert not Path("/usr/lib/langwright-was-here").exists()


@APART
def test_only_so_much_can_be_written() -> None:
    source = "written = 0\ntry:\n    for n in range(9):\n        open(str(n), 'wb').write(bytes(1 << 20)); written += 1\nexcept OSError:\n    pass\nprint(written)"
    assert int(run(source, files_mb=3).output) <= 3


@pytest.mark.parametrize("isolation", BOTH)
def test_there_is_no_network(isolation: str) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        statement = f"__import__('socket').create_connection(('127.0.0.1', {port}), 2)"
        assert run(refused("OSError", statement), isolation).output == "PermissionError\n"


@APART
def test_without_the_filter_of_calls_there_is_still_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_filter(monkeypatch, tmp_path)
    source = refused("OSError", "__import__('socket').create_connection(('127.0.0.1', 22), 2)")
    ran = run(source)
    assert not ran.calls
    assert ran.output == "OSError\n"  # the network cannot be reached: there is not even a loopback


@APART
@pytest.mark.parametrize(
    "statement",
    [
        "ctypes.CDLL(None, use_errno=True).unshare(0x10000000) == 0 or raising()",
        "ctypes.CDLL(None, use_errno=True).mount(b'none', b'/work', b'tmpfs', 0, 0) == 0 or raising()",
        "ctypes.CDLL(None, use_errno=True).ptrace(16, 1, 0, 0) == 0 or raising()",
        "os.setuid(0)", "os.kill(1, 9) or time.sleep(0.2) or raising()", "os.chroot('/')",
    ],
)  # fmt: skip
def test_there_is_no_way_up(statement: str) -> None:
    head = "import ctypes, os, time\ndef raising(): raise OSError\n"
    assert run(head + refused("OSError", statement)).output in ("OSError\n", "PermissionError\n")


@pytest.mark.parametrize("isolation", BOTH)
def test_what_is_printed_is_bounded(isolation: str) -> None:
    ran = run("while True: print('x' * 1000)", isolation, output_kb=64)
    assert (ran.ended, len(ran.output)) == ("output", 64 << 10)


@pytest.mark.parametrize("isolation", BOTH)
def test_an_early_end_and_a_signal_are_told_apart(isolation: str) -> None:
    assert run("import os\nprint('passed', flush=True)\nos._exit(0)", isolation).code == 0
    ran = run("import ctypes\nctypes.string_at(0)", isolation)
    assert (ran.ended, ran.code) == ("signal", -11)


@pytest.mark.parametrize("isolation", BOTH)
def test_nothing_is_left_of_a_run(isolation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = open_files()
    run("open('left', 'w').write('x')", isolation)
    assert list(tmp_path.iterdir()) == []
    assert open_files() == before


@APART
def test_the_program_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    mark = f"mark-{uuid4()}"
    script = f"from langwright.sandbox.running import run_program\nfrom langwright.sandbox.settings import Sandbox\nrun_program('import time; time.sleep(77)', Sandbox(allow=True, seconds=90.0), arguments=['{mark}'])"
    asking = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "TMPDIR": str(tmp_path)})
    deadline = time.monotonic() + 30

    def there() -> bool:
        return any("main.py" in line and mark in line for line in commands())

    while not there() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert there()
    asking.kill()
    asking.wait()
    while there() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not there()


def without_filter(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Run programs as on a machine whose calls are not known."""
    for file in (Path(__file__).parents[2] / "src/langwright/sandbox/inside").glob("*.py"):
        text = file.read_text(encoding="utf-8").replace("if platform.machine() not in ARCHITECTURES:", "if True:")
        (folder / file.name).write_text(text, encoding="utf-8")
    monkeypatch.setattr("langwright.sandbox.running.INSIDE", folder)


def gone(mark: str, patience: float = 10.0) -> bool:
    """Whether no process has the mark any more; what is killed with its namespace takes a moment to be buried."""
    deadline = time.monotonic() + patience
    while there := any(mark in line for line in commands()):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return not there


def commands() -> list[str]:
    """The command lines of all processes."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found


def open_files() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
