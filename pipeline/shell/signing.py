"""Ed25519 keys on disk: one to sign with, for its owner alone, and its public half beside it."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.shell.access.handover import write_private
from pipeline.shell.settings import FailedError, WrongUseError


def make_key(private: Path, public: Path) -> None:
    """A new pair; each file is for its owner alone until that gives the public one away."""
    made = Ed25519PrivateKey.generate()
    write_down(public, public_pem(made.public_key()))
    write_down(
        private,
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """An Ed25519 key that others cannot read, or a `WrongUseError`."""
    refuse_readable(path)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise WrongUseError(f"{path}: no private key in PEM without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongUseError(f"{path}: no Ed25519 key")
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """An Ed25519 public key, or a `WrongUseError`."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise WrongUseError(f"{path}: no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise WrongUseError(f"{path}: no Ed25519 key")
    return key


def refuse_readable(path: Path) -> None:
    """A secret that others may read is no secret: a `WrongUseError`."""
    try:
        if path.stat().st_mode & 0o077:
            raise WrongUseError(f"{path}: others may read it: chmod 600, or make a new one")
    except OSError as error:
        raise WrongUseError(f"{path}: {error.strerror}") from None


def write_down(path: Path, content: bytes) -> None:
    """Write a file for its owner alone; it is on disk when this returns."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, content)
        with path.open("rb") as file:
            os.fsync(file)
        sync_folder(path.parent)
    except OSError as error:
        raise FailedError(f"{error.filename or path}: {error.strerror}") from None


def sync_folder(folder: Path) -> None:
    """What was made, renamed or removed in it is on disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
