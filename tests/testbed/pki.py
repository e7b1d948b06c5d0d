"""A certificate authority for one test cluster, made with the openssl command.

Leaves name their own key and their issuer's (SKI, AKI), their key usage and their extended key usage:
Python 3.13 refuses certificates without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testbed.processes import run

DAYS = "30"
_EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Authority:
    """Issues certificates into one directory."""

    directory: Path

    @property
    def certificate(self) -> Path:
        """What clients and servers trust."""
        return self.directory / "ca.crt"

    @property
    def service_account_key(self) -> Path:
        """The private key that signs service account tokens."""
        return self.directory / "service-account.key"

    @property
    def service_account_public_key(self) -> Path:
        """The key that service account tokens are checked with."""
        return self.directory / "service-account.pub"

    @classmethod
    def create(cls, directory: Path) -> Authority:
        """Makes a new authority, and the pair of keys for service accounts."""
        directory.mkdir(parents=True, mode=0o700)
        made = cls(directory)
        run(["openssl", "req", "-x509", *_EC_KEY, "-days", DAYS, "-subj", "/CN=terrace-testbed-ca",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign",
             "-keyout", directory / "ca.key", "-out", made.certificate])  # fmt: skip
        private, public = made.service_account_key, made.service_account_public_key
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private])
        run(["openssl", "ec", "-in", private, "-pubout", "-out", public])
        return made

    def issue(self, name: str, *, user: str, group: str = "", hosts: tuple[str, ...] = ()) -> KeyPair:
        """A certificate for a user and, with hosts, for a server too.

        Args:
            name: of the files.
            user: the common name, which Kubernetes takes as the user's name.
            group: the organisation, which Kubernetes takes as the user's group.
            hosts: subject alternative names, as in "DNS:localhost" and "IP:127.0.0.1".
        """
        pair = KeyPair(certificate=self.directory / f"{name}.crt", key=self.directory / f"{name}.key")
        request, extensions = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        subject = f"/O={group}/CN={user}" if group else f"/CN={user}"
        extensions.write_text(_extensions(hosts or (f"DNS:{name}",)))
        run(["openssl", "req", *_EC_KEY, "-subj", subject, "-keyout", pair.key, "-out", request])
        run(["openssl", "x509", "-req", "-in", request, "-extfile", extensions, "-days", DAYS, "-CAcreateserial",
             "-CA", self.certificate, "-CAkey", self.directory / "ca.key", "-out", pair.certificate])  # fmt: skip
        return pair


def _extensions(hosts: tuple[str, ...]) -> str:
    return (
        f"subjectAltName={','.join(hosts)}\n"
        "subjectKeyIdentifier=hash\n"
        "authorityKeyIdentifier=keyid\n"
        "keyUsage=critical,digitalSignature,keyEncipherment\n"
        "extendedKeyUsage=serverAuth,clientAuth\n"
    )
