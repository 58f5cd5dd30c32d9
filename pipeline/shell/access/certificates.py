"""Certificates for a broker of our own: an authority, and what it vouches for.

Only for `sightline broker --secure`, on loopback. A cluster in production has an authority already.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
BROKER_DAYS = 825  # it is made anew at each start
_PURPOSES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
_SKEW = timedelta(minutes=5)  # a clock that is a little behind believes it, too


class Certified(NamedTuple):
    """A private key (PKCS#8) and its certificate, both PEM."""

    key: bytes
    certificate: bytes


def make_authority(now: datetime | None = None) -> Certified:
    """A new authority, which vouches for itself and for no further authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Sightline broker authority")
    public = key.public_key()
    made = (
        _builder(name, name, public, AUTHORITY_DAYS, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    return _certified(key, made.sign(key, hashes.SHA256()))


def make_broker(
    authority: Certified, common_name: str, addresses: list[str], now: datetime | None = None
) -> Certified:
    """A certificate for a broker that is reached at `addresses` (names, IP addresses), as a server
    and, between brokers, as a client.
    """
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = serialization.load_pem_private_key(authority.key, None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    made = (
        _builder(_name(common_name), issuer.subject, public, BROKER_DAYS, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(_PURPOSES),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName([_place(a) for a in addresses]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    return _certified(key, made.sign(issuer_key, hashes.SHA256()))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    days: int,
    now: datetime | None,
) -> x509.CertificateBuilder:
    begin = (now or datetime.now(UTC)) - _SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _place(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _certified(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Certified:
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certified(private, certificate.public_bytes(pem))
