"""Texts of people at rest: AES-256-GCM when the server was given a key, plain UTF-8 when not.

Source: NIST SP 800-38D (GCM), with a random nonce of 96 bits for each text (§8.2.2), so that one key may seal at
most 2**32 texts (§8.3). The place of a text (table, row, column) is authenticated with it: a text that is put
into another row does not open. The cipher is that of the `cryptography` package.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from langwright.errors import UserError

VARIABLE = "LANGWRIGHT_STORE_KEY"
KEY_BYTES, NONCE_BYTES, MARK_BYTES = 32, 12, 8
PLAIN, SEALED = b"\x00", b"\x01"


@dataclass(frozen=True)
class Seal:
    """How texts are put into the store and taken out. Keys: the first seals and opens, the others only open."""

    keys: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def current(self) -> str | None:
        """The fingerprint of the key that seals; None where texts are stored as they are."""
        return fingerprint(self.keys[0]).hex() if self.keys else None

    @property
    def known(self) -> frozenset[str]:
        """The fingerprints of all keys that were given."""
        return frozenset(fingerprint(key).hex() for key in self.keys)

    def close(self, text: str, place: str) -> bytes:
        """What is stored for a text.

        place   table, row and column, as in "turns|t_1|content"
        raises  UserError for a text that is not Unicode
        """
        try:
            plain = text.encode()
        except UnicodeEncodeError:
            raise UserError(
                "the text holds half of a character, which is no Unicode", fix="send whole characters"
            ) from None
        if not self.keys:
            return PLAIN + plain
        nonce = os.urandom(NONCE_BYTES)
        return SEALED + fingerprint(self.keys[0]) + nonce + AESGCM(self.keys[0]).encrypt(nonce, plain, place.encode())

    def open(self, stored: bytes, place: str) -> str:
        """The text.

        raises  UserError when its key was not given, or it was changed since it was sealed
        """
        if stored[:1] == PLAIN:
            try:
                return stored[1:].decode()
            except UnicodeDecodeError:
                raise changed(place) from None
        mark, nonce, rest = split(stored)
        key = next((key for key in self.keys if fingerprint(key) == mark), None)
        if key is None:
            raise not_given([mark.hex()])
        try:
            return AESGCM(key).decrypt(nonce, rest, place.encode()).decode()
        except InvalidTag:
            raise changed(place) from None

    def is_current(self, stored: bytes) -> bool:
        """Whether a stored text is as this seal would store it now."""
        if not self.keys:
            return stored[:1] == PLAIN
        return stored[:1] == SEALED and split(stored)[0] == fingerprint(self.keys[0])


def split(stored: bytes) -> tuple[bytes, bytes, bytes]:
    """Mark of the key, nonce and sealed text."""
    head = 1 + MARK_BYTES
    return stored[1:head], stored[head : head + NONCE_BYTES], stored[head + NONCE_BYTES :]


def fingerprint(key: bytes) -> bytes:
    """What a key is known by; it cannot be found from it."""
    return hmac.digest(key, b"langwright store key", "sha256")[:MARK_BYTES]


def changed(place: str) -> UserError:
    """What is said of a text that does not open with its own key."""
    return UserError(
        "what is stored at {place} was changed after it was sealed, or stood in another row",
        fix="put a backup back with `langwright store restore`",
        place=place,
    )


def not_given(fingerprints: Sequence[str]) -> UserError:
    """What is said when the store needs keys that were not given."""
    return UserError(
        "the store is sealed with another key than was given: {fingerprints}",
        fix="give the key with these fingerprints, by --seal-key FILE or in the variable LANGWRIGHT_STORE_KEY",
        fingerprints=", ".join(fingerprints),
    )


# --- keys ------------------------------------------------------------------------------------------


def new_key() -> str:
    """A key as it stands in a file."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def write_key(file: Path) -> str:
    """Write a new key into a file that only its owner can read; its fingerprint.

    raises  UserError when there is a file of this name
    """
    text = new_key()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UserError(
            "{path} already exists", fix="name another file; a key that is lost cannot be made again", path=file
        ) from None
    except OSError as error:
        raise UserError(
            "{path} cannot be written: {reason}",
            fix="name a file in a folder where you may write",
            path=file,
            reason=error.strerror or error,
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return fingerprint(base64.b64decode(text)).hex()


def read_seal(file: Path | None = None) -> Seal:
    """The seal of a key file, one key a line, the newest first; else of the environment, keys apart by commas.

    raises  UserError for a file that cannot be read, or what is no key
    """
    if file is None:
        texts, where = os.environ.get(VARIABLE, "").split(","), VARIABLE
    else:
        try:
            texts, where = file.read_text(encoding="utf-8").splitlines(), str(file)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                "the key file {path} cannot be read: {reason}",
                fix="make one with `langwright store key FILE`",
                path=file,
                reason=reason,
            ) from None
    keys = tuple(parse_key(text.strip(), where) for text in texts if text.strip())
    if file is not None and not keys:
        raise UserError("the key file {path} is empty", fix="make one with `langwright store key FILE`", path=file)
    return Seal(keys)


def parse_key(text: str, where: str) -> bytes:
    """A key of 32 bytes, in base64 or as 64 hexadecimal digits."""
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise UserError(
            "{where} holds something that is no key of {bytes} bytes",
            fix="make one with `langwright store key FILE`",
            where=where,
            bytes=KEY_BYTES,
        )
    return key
