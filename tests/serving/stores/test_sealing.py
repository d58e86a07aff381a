"""Texts at rest: what lies in the file, which keys open it, what is said when they do not."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from langwright.errors import UserError
from langwright.serving.stores.complaints import StoreError
from langwright.serving.stores.conversations import add_turn, begin_conversation, conversation, turns_of
from langwright.serving.stores.copying import reseal
from langwright.serving.stores.opening import Stores, open_stores, serving
from langwright.serving.stores.sealing import Seal, fingerprint, read_seal, write_key
from langwright.serving.stores.tables import SEALED

Opened = Callable[..., Stores]
ONE, OTHER = Seal((b"1" * 32,)), Seal((b"2" * 32,))
BOTH = Seal(OTHER.keys + ONE.keys)


def test_a_sealed_text_is_aes_256_gcm() -> None:
    """Opened by the cipher's own parts, not by ours: AES in GCM mode with the place as associated data."""
    stored = ONE.close("你好", "turns|t|content")
    assert stored[:1] == b"\x01" and stored[1:9] == fingerprint(b"1" * 32)
    nonce, rest, tag = stored[9:21], stored[21:-16], stored[-16:]
    cipher = Cipher(algorithms.AES256(b"1" * 32), modes.GCM(nonce, tag)).decryptor()
    cipher.authenticate_additional_data(b"turns|t|content")
    assert (cipher.update(rest) + cipher.finalize()).decode() == "你好"


def test_equal_texts_do_not_look_equal() -> None:
    assert len({ONE.close("yes", "p") for _ in range(100)}) == 100


@pytest.mark.parametrize("at", [0, 1, 5, 9, 15, 21, -1])
def test_one_changed_bit_is_noticed(at: int) -> None:
    stored = bytearray(ONE.close("yes", "p"))
    stored[at] ^= 1  # the first byte now says that it is plain, which its bytes are not
    with pytest.raises(UserError, match="another key" if at in (1, 5) else "was changed"):
        ONE.open(bytes(stored), "p")


def test_a_text_put_into_another_row_does_not_open() -> None:
    with pytest.raises(UserError, match="stood in another row"):
        ONE.open(ONE.close("yes", "turns|a|content"), "turns|b|content")


def columns(stores: Stores) -> bytes:
    """All that lies in columns for texts of people."""
    with stores.reading() as connection:
        rows = [connection.execute(table.select()).mappings().all() for table in SEALED]
        found = [row[c.name] for table, part in zip(SEALED, rows, strict=True) for row in part for c in SEALED[table]]
    return b"".join(bytes(one) for one in found if one is not None)


@pytest.mark.spec("PR5", "texts of people lie in the database sealed by AES-256-GCM when a key is given")
def test_sealed_texts_lie_nowhere_in_plain(url: str, opened: Opened) -> None:
    from tests.serving.stores.test_rows import everything_of

    stores = opened(url, ONE)
    everything_of(stores, "me")
    assert b"of me" not in columns(stores)
    if stores.file is not None:
        files = b"".join(f.read_bytes() for f in stores.file.parent.glob(stores.file.name + "*"))
        assert b"of me" not in files
    assert [turn.content for c in [conversation_id(stores)] for turn in turns_of(stores, "me", c)] == ["words of me"]


def conversation_id(stores: Stores) -> str:
    with stores.reading() as connection:
        return str(connection.exec_driver_sql("SELECT id FROM conversations").scalar_one())


@pytest.mark.spec("PR5", "without the key, or with another, the store says which one it needs")
def test_another_key_is_refused_at_once(url: str, opened: Opened) -> None:
    begin_conversation(opened(url, ONE), "me")
    for seal in (Seal(), OTHER):
        with pytest.raises(UserError, match=fingerprint(b"1" * 32).hex()):
            open_stores(url, seal)
    opened(url, texts=False)


@pytest.mark.spec("PR5", "a new key takes the place of the old one, which is then no longer needed")
def test_keys_rotate(url: str, opened: Opened) -> None:
    from tests.serving.stores.test_rows import everything_of

    everything_of(opened(url), "plain")
    everything_of(opened(url, ONE), "sealed")
    stores = opened(url, BOTH)
    one = begin_conversation(stores, "new", title="new")
    assert b"plain" in columns(stores)
    assert reseal(stores) == 14 and reseal(stores) == 0
    assert b"plain" not in columns(stores)
    with pytest.raises(UserError, match="sealed with another key"):
        open_stores(url, ONE)
    now = opened(url, OTHER)
    assert conversation(now, "new", one.id).title == "new"
    from langwright.serving.stores.persons import export_person

    assert "words of plain" in str(export_person(now, "plain")) and "prompt of sealed" in str(
        export_person(now, "sealed")
    )


def test_a_rotation_is_whole_or_not_at_all(url: str, opened: Opened) -> None:
    stores = opened(url, ONE)
    one = begin_conversation(stores, "me", title="first")
    turn = add_turn(stores, "me", one.id, "user", "hello")
    with stores.writing() as connection:
        connection.exec_driver_sql(
            f"UPDATE turns SET content = (SELECT title FROM conversations) WHERE id = '{turn.id}'"
        )
    both = opened(url, BOTH)
    before = columns(both)
    with pytest.raises(UserError, match="was changed"):
        reseal(both)
    assert columns(both) == before


def test_no_rotation_beside_a_server(url: str, opened: Opened) -> None:
    stores = opened(url, ONE)
    with serving(opened(url, ONE)), pytest.raises(StoreError, match="in use"):
        reseal(stores)


# --- key files -----------------------------------------------------------------------------------------


def test_key_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    assert write_key(file) == read_seal(file).current
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UserError, match="already exists"):
        write_key(file)
    with pytest.raises(UserError, match="cannot be written"):
        write_key(tmp_path / "none" / "key")
    (tmp_path / "two").write_text("31" * 32 + "\n\n" + base64.b64encode(b"2" * 32).decode() + "\n")
    assert read_seal(tmp_path / "two").keys == (b"1" * 32, b"2" * 32)
    monkeypatch.delenv("LANGWRIGHT_STORE_KEY", raising=False)
    assert read_seal() == Seal()
    monkeypatch.setenv("LANGWRIGHT_STORE_KEY", "31" * 32 + ",")
    assert read_seal().keys == ONE.keys
    assert "111" not in repr(read_seal())


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), ("short", "no key of 32 bytes"), ("zz" * 32, "no key"), ("31" * 31, "no key")])  # fmt: skip
def test_what_is_no_key(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(UserError, match=said):
        read_seal(tmp_path / "key")
    with pytest.raises(UserError, match="cannot be read"):
        read_seal(tmp_path)
