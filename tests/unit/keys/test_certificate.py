"""The certificate that --tls makes: what is in it, when it is kept and when it is made anew."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from garrison.keys.certificate import ensure_certificate

NOW = 1_800_000_000.0
DAY = 86_400.0


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def test_a_client_that_trusts_the_authority_trusts_the_server(tmp_path: Path):
    cert, _, authority = ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    moment = dt.datetime.fromtimestamp(NOW, dt.UTC)
    for subject in (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))):
        verifier = PolicyBuilder().store(Store([read(authority)])).time(moment).build_server_verifier(subject)
        assert len(verifier.verify(read(cert), [])) == 2
    stranger = PolicyBuilder().store(Store([read(authority)])).time(moment).build_server_verifier(x509.DNSName("example.com"))
    with pytest.raises(VerificationError):
        stranger.verify(read(cert), [])


def test_what_they_may_do(tmp_path: Path):
    cert, _, authority = ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    leaf, signer = read(cert).extensions, read(authority).extensions
    assert leaf.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert leaf.get_extension_for_class(x509.ExtendedKeyUsage).value == x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    assert leaf.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is False
    assert signer.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(ca=True, path_length=0)
    assert signer.get_extension_for_class(x509.KeyUsage).value.digital_signature is False
    # 398 days is the longest that clients of the web take (CA/Browser Forum, Baseline Requirements 6.3.2).
    assert read(cert).not_valid_after_utc - read(cert).not_valid_before_utc < dt.timedelta(days=398)


def test_the_authoritys_key_is_nowhere(tmp_path: Path):
    cert, key, authority = ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    assert sorted(path.name for path in (tmp_path / "tls").iterdir()) == ["ca.pem", "cert.pem", "key.pem"]
    private = load_pem_private_key(key.read_bytes(), password=None).public_key()
    assert private == read(cert).public_key()
    assert private != read(authority).public_key()


def test_everything_is_the_owners_alone(tmp_path: Path):
    paths = ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    paths[1].chmod(0o644)
    ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    assert stat.S_IMODE(paths[1].stat().st_mode) == 0o600


def test_it_is_kept_until_a_month_before_its_end(tmp_path: Path):
    folder = tmp_path / "tls"
    paths = ensure_certificate(folder, "127.0.0.1", NOW)
    first = [path.read_bytes() for path in paths]
    ensure_certificate(folder, "127.0.0.1", NOW + 366 * DAY)
    assert [path.read_bytes() for path in paths] == first
    ensure_certificate(folder, "127.0.0.1", NOW + 368 * DAY)
    assert not set(first) & {path.read_bytes() for path in paths}
    assert read(paths[0]).not_valid_before_utc.timestamp() < NOW + 368 * DAY


@pytest.mark.parametrize("damage", ["gone", "garbage", "another's"])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_files_that_do_not_belong_together_are_made_anew(tmp_path: Path, damage: str, which: int):
    paths = ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    other = ensure_certificate(tmp_path / "other", "127.0.0.1", NOW)
    if damage == "gone":
        paths[which].unlink()
    else:
        paths[which].write_bytes(b"garbage" if damage == "garbage" else other[which].read_bytes())
    ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(paths[0], paths[1])
    read(paths[0]).verify_directly_issued_by(read(paths[2]))


def test_another_host_asks_for_another_certificate(tmp_path: Path):
    cert, _, _ = ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    assert names(read(cert)) == {"localhost", "127.0.0.1", "::1"}
    ensure_certificate(tmp_path / "tls", "box.example.com", NOW)
    assert names(read(cert)) == {"localhost", "127.0.0.1", "::1", "box.example.com"}
    before = cert.read_bytes()
    ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    assert cert.read_bytes() == before, "one for more than was asked will do"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - listening everywhere
def test_listening_everywhere_the_machines_name_is_in_it(tmp_path: Path, host: str):
    cert, _, _ = ensure_certificate(tmp_path / "tls", host, NOW)
    assert {socket.gethostname(), host} <= names(read(cert))


def test_a_certificate_of_the_future_is_not_served(tmp_path: Path):
    cert, _, _ = ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW + 10 * DAY)
    ensure_certificate(tmp_path / "tls", "127.0.0.1", NOW)
    assert read(cert).not_valid_before_utc.timestamp() <= NOW
