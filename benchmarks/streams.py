"""Streams as plain bytes: what asks any OpenAI-compatible server for a completion at little cost of its own."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TEXT = re.compile(rb'"text":\s*"([^"]*)"')
COUNTED = re.compile(rb'"completion_tokens":\s*(\d+)')


@dataclass(frozen=True)
class Heard:
    """One answer; times in seconds from asking.

    first   to the first event; None where there was none
    tokens  as the server counts them, else its events
    text    of the first event
    whole   whether it came to its end
    """

    status: int
    headers: Mapping[str, str]
    first: float | None
    took: float
    tokens: int
    whole: bool
    text: str


def request_of(host: str, body: Mapping[str, Any], path: str = "/v1/completions") -> bytes:
    """The bytes of a request whose answer ends with the connection."""
    content = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Connection: close", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content


async def heard(host: str, port: int, request: bytes) -> Heard:
    """Ask on a connection of its own and read to the end; OSError where there is nobody."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in top[1:])}
        first, events, counted, tail, text = None, 0, 0, b"", ""
        while more := await reader.read(65536):
            count = more.count(b"data: {")
            if count and first is None:
                first = time.perf_counter() - began
                text = TEXT.findall(more)[0].decode() if TEXT.search(more) else ""
            events += count
            tail = (tail + more)[-2048:]
        if found := COUNTED.findall(tail):
            counted = int(found[-1])
        whole = b"data: [DONE]" in tail and b'"error"' not in tail
        return Heard(
            int(top[0].split()[1]), headers, first, time.perf_counter() - began, counted or events, whole, text.strip()
        )
    finally:
        writer.close()
