"""TLS: a real handshake with a certificate made here, and what is refused."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from langwright.errors import UserError
from langwright.inference.fake import parrot
from langwright.serving.access.tls import Tls, read_tls
from langwright.serving.running import listen, server_for, url_of


def pair(folder: Path, name: str, password: bytes | None = None) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    sealing = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    (folder / f"{name}.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealing)
    )
    return str(folder / f"{name}.pem"), str(folder / f"{name}.key")


@pytest.mark.spec("PR5", "what travels is encrypted by TLS 1.2 or later with the certificate that the server was given")
def test_a_server_with_tls(tmp_path: Path) -> None:
    cert, key = pair(tmp_path, "here")
    tls = read_tls(cert, key)
    assert tls == Tls(Path(cert), Path(key))
    listener = listen("127.0.0.1", 0)
    up = threading.Event()
    server = server_for({"parrot": parrot()}, "127.0.0.1", listener, tls=tls, ready=lambda url: up.set())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert up.wait(20)
    url = url_of("127.0.0.1", listener, tls)
    assert url.startswith("https://")
    trusting = ssl.create_default_context(cafile=cert)
    with httpx.Client(verify=trusting, trust_env=False) as client:
        answer = client.post(f"{url}/v1/completions", json={"model": "parrot", "prompt": "a"}, headers={"Origin": url})
        assert answer.status_code == 200
        stream = answer.extensions["network_stream"].get_extra_info("ssl_object")
        assert stream.version() in ("TLSv1.2", "TLSv1.3")
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.ConnectError):  # nobody vouches for it
        client.get(f"{url}/health/live")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(cert)
    with pytest.warns(DeprecationWarning):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with httpx.Client(verify=old, trust_env=False) as client, pytest.raises(httpx.ConnectError):
        client.get(f"{url}/health/live")
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.HTTPError):  # and not in plain
        client.get(url.replace("https", "http") + "/health/live")
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def test_what_is_no_pair(tmp_path: Path) -> None:
    cert, key = pair(tmp_path, "here")
    other, other_key = pair(tmp_path, "there")
    _, locked = pair(tmp_path, "locked", b"password")
    (tmp_path / "text").write_text("hello")
    assert read_tls(None, None) is None
    for given in ((cert, None), (None, key)):
        with pytest.raises(UserError, match="certificate and its key"):
            read_tls(*given)
    for given in (
        (cert, other_key),
        (other, key),
        (str(tmp_path / "text"), key),
        (cert, str(tmp_path / "text")),
        (key, cert),
        (str(tmp_path / "locked.pem"), locked),
    ):
        with pytest.raises(UserError, match="no certificate with its key"):
            read_tls(*given)
    with pytest.raises(UserError, match="cannot be read"):
        read_tls(cert, str(tmp_path / "none"))
