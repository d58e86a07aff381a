"""Telling systemd that the server answers, and that it stops (sd_notify(3)); silent where nobody listens."""

from __future__ import annotations

import logging
import os
import socket

VARIABLE = "NOTIFY_SOCKET"  # set by systemd for units of Type=notify
log = logging.getLogger("langwright.serving")


def notify(state: str) -> None:
    """Send one line, such as READY=1, to whoever started the process and asked to be told."""
    address = os.environ.get(VARIABLE, "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # Linux's abstract sockets
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(state.encode(), address)
    except OSError as error:
        log.warning("could not tell %s that %s: %s", os.environ[VARIABLE], state, error)
