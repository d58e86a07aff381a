"""A stand-in for `vllm serve`: the same words, over a model that adds; run as `python fake_vllm.py serve FOLDER …`."""

from __future__ import annotations

import argparse
import http.server
import itertools
import json
import math
import sys
import time
from typing import Any

VOCABULARY, CONTEXT = 260, 256


def following(id: int) -> int:
    """The one token that follows."""
    return (id * 7 + 3) % VOCABULARY


class Served(http.server.BaseHTTPRequestHandler):
    """Enough of vLLM's server."""

    name = ""

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.say({"data": [{"id": self.name, "max_model_len": CONTEXT}]})
        else:
            self.say({}, 404)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        unknown = set(asked) - KNOWN
        if unknown:
            return self.say({"error": {"message": f"unknown: {sorted(unknown)}"}}, 400)
        if asked["prompt"][0] == 255:
            return self.say({"error": {"message": "the engine is dead"}}, 500)
        if asked.get("prompt_logprobs") is not None:
            ids = asked["prompt"]
            told = [None]
            for a, b in itertools.pairwise(ids):
                best = {str(following(a)): {"logprob": chance(a, following(a))}} if asked["prompt_logprobs"] else {}
                told.append({**best, str(b): {"logprob": chance(a, b)}})
            return self.say({"choices": [{"text": "", "prompt_logprobs": told}]})
        self.send_response(200)
        self.end_headers()
        last, reason = asked["prompt"][-1], "length"
        for number in range(asked["max_tokens"]):
            last = following(last)
            name = f"token_id:{last}" if asked.get("return_tokens_as_token_ids") else chr(last)
            top = {name: math.log(0.9), "token_id:0": -9.0} if asked["logprobs"] else None
            told = {"tokens": [name], "token_logprobs": [math.log(0.9)], "top_logprobs": [top]}
            if last in asked["stop_token_ids"]:
                reason = "stop"
            try:
                self.send_event({"choices": [{"text": "?", "logprobs": told, "finish_reason": None}]})
            except OSError:
                print("gone after", number, flush=True)
                return None
            if reason == "stop":
                break
            time.sleep(0.02 if asked["prompt"][0] == 254 else 0)
        self.send_event({"choices": [{"text": "", "logprobs": None, "finish_reason": reason}]})
        self.wfile.write(b"data: [DONE]\n\n")
        return None

    def send_event(self, event: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.flush()

    def say(self, body: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        pass


KNOWN = {"model", "prompt", "temperature", "max_tokens", "stop_token_ids", "ignore_eos", "skip_special_tokens", "logprobs",
         "return_tokens_as_token_ids", "top_k", "top_p", "min_p", "seed", "stream", "prompt_logprobs", "priority",
         "repetition_penalty", "presence_penalty", "frequency_penalty"}  # fmt: skip


def chance(before: int, after: int) -> float:
    """Log-probability of one token after another."""
    return math.log(0.9) if following(before) == after else math.log(0.1 / (VOCABULARY - 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("serve")
    parser.add_argument("folder")
    for option in ("--host", "--port", "--served-model-name", "--fail"):
        parser.add_argument(option)
    given = parser.parse_args()
    if given.fail:
        sys.exit(f"CUDA out of memory: {given.fail}")
    Served.name = given.served_model_name
    print("pid", __import__("os").getpid(), flush=True)
    http.server.ThreadingHTTPServer((given.host, int(given.port)), Served).serve_forever()
