"""TLS: what travels is sealed when the server is given a certificate and its key (TLS 1.2 or 1.3, as Python has it)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from langwright.errors import UserError


@dataclass(frozen=True)
class Tls:
    """A certificate, its chain behind it, and its private key, each in PEM."""

    cert: Path
    key: Path


def read_tls(cert: str | None, key: str | None) -> Tls | None:
    """The pair of files, tried; None where neither is given.

    raises  UserError when one is missing, cannot be read, or they do not belong together
    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise UserError("TLS needs a certificate and its key", fix="give both --tls-cert FILE and --tls-key FILE")
    for file in (Path(cert), Path(key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise UserError(
                "{path} cannot be read: {reason}",
                fix="name a file in PEM that this account may read",
                path=file,
                reason=error.strerror or error,
            ) from None
    try:
        # Without the password function OpenSSL would ask the terminal for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: b"")
    except ssl.SSLError as error:
        raise UserError(
            "{cert} and {key} are no certificate with its key: {reason}",
            fix="give a certificate in PEM and the private key it was made for, without a password",
            cert=cert,
            key=key,
            reason=error.reason or error,
        ) from None
    return Tls(Path(cert), Path(key))
