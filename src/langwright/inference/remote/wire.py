"""Speaking with an OpenAI-compatible server: requests, answers, server-sent events, and its refusals as ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from langwright.errors import UserError
from langwright.wording import Term

if TYPE_CHECKING:
    import httpx

CONNECT_S = 10.0


class NotOffered(UserError):
    """A backend lacks what was asked of it."""


def not_offered(name: str, doing: str) -> NotOffered:
    """What is said when a backend cannot do something."""
    return NotOffered(
        "{name} cannot {doing}: its server does not offer that",
        fix="load the model here, with langwright.load(FOLDER), to do it",
        name=name,
        doing=Term(doing),
    )


class Wire:
    """One server.

    url      where its interface begins: `…/v1`, added where it is left out
    key      sent as a bearer token; none when empty
    patience seconds that may pass without a byte before the server is given up
    """

    def __init__(self, url: str, *, key: str = "", patience_s: float = 600.0) -> None:
        import httpx

        address = url.rstrip("/")
        self.url = address if address.rsplit("/", 1)[-1].startswith("v1") else f"{address}/v1"
        self._client = httpx.Client(
            timeout=httpx.Timeout(patience_s, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )

    def get(self, path: str) -> Any:
        """The JSON that lies at a path; UserError when the server is not reached or refuses."""
        return self._whole("GET", path, None)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """The JSON answer to a body; UserError when the server is not reached or refuses."""
        return self._whole("POST", path, body)

    def _whole(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:
        import httpx

        try:
            answer = self._client.request(method, self.url + path, json=body)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise unreached(self.url, error) from error
        self._refuse(answer)
        try:
            return answer.json()
        except ValueError:
            raise strange(self.url, answer.text) from None

    def begin(self, path: str, body: Mapping[str, object]) -> httpx.Response:
        """An answer that comes as events, begun; close it, or read `events` to their end."""
        import httpx

        request = self._client.build_request("POST", self.url + path, json={**body, "stream": True})
        try:
            answer = self._client.send(request, stream=True)
            if answer.status_code >= 400:
                answer.read()
                answer.close()
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise unreached(self.url, error) from error
        self._refuse(answer)
        return answer

    def events(self, answer: httpx.Response) -> Iterator[Any]:
        """The events of an answer as JSON, until the server says that it is done.

        raises  UserError for an error that comes as an event, or a connection that breaks
        """
        import httpx

        try:
            for line in answer.iter_lines():
                if not line.startswith("data:"):
                    continue
                data = line[5:].strip()
                if data == "[DONE]":
                    return
                try:
                    event = json.loads(data)
                except ValueError:
                    raise strange(self.url, data) from None
                if "error" in event:
                    raise refused(self.url, 200, event)
                yield event
        except httpx.TransportError as error:
            raise unreached(self.url, error) from error
        finally:
            answer.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _refuse(self, answer: httpx.Response) -> None:
        if answer.status_code < 400:
            return
        try:
            body = answer.json()
        except ValueError:
            body = {}
        raise refused(self.url, answer.status_code, body)


class Refused(UserError):
    """A server's own refusal, with its HTTP status."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(str(self.values["status"]))


def refused(url: str, status: int, body: Any) -> Refused:
    """What a server says, in its own words."""
    error = body.get("error", body) if isinstance(body, dict) else body
    said = error.get("message", error) if isinstance(error, dict) else error
    fix = "see what it says; a key is read from LANGWRIGHT_API_KEY" if status in (401, 403) else "see what it says"
    return Refused("{url} answers {status}: {said}", fix=fix, url=url, status=status, said=str(said)[:500] or "?")


def unreached(url: str, error: Exception) -> UserError:
    """The server is not there, or the connection broke."""
    return UserError(
        "{url} is not reached: {reason}",
        fix="check the address and that the server runs",
        url=url,
        reason=str(error) or type(error).__name__,
    )


def strange(url: str, said: str) -> UserError:
    """The answer is none of OpenAI's interface."""
    return UserError(
        "{url} answers with something else than OpenAI's interface: {said}",
        fix="give the address under which /v1/models answers",
        url=url,
        said=said[:200],
    )
