"""The registry's certificates: which there have to be, when each is replaced, and how they are made. No I/O.

A certificate authority (CA) of our own signs the registry's serving certificate. Clients trust a *bundle*, so the CA
rotates without a moment in which anybody is refused:

1. long before the CA ends, a successor is made and put into the bundle, but signs nothing yet;
2. a day later, when every client has the new bundle, it takes over, and the serving certificate is made anew;
3. the predecessor stays in the bundle until it ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME = timedelta(days=3 * 365)
AUTHORITY_MARGIN = timedelta(days=180)
"""A CA with less than this to live gets a successor; more than a serving certificate lives."""
SPREAD = timedelta(days=1)
"""How long a successor is only trusted before it signs."""
SERVING_LIFETIME = timedelta(days=90)
SERVING_MARGIN = timedelta(days=30)
"""A serving certificate with less than this to live is replaced."""
_BACKDATED = timedelta(minutes=5)  # clocks differ


class CertificateError(ValueError):
    """Something that should be a certificate with its key is not."""


class Step(Enum):
    """What has to be done next, in the order in which it is done."""

    NEW_AUTHORITY = "make a CA"
    PROMOTE_SUCCESSOR = "let the successor sign"
    PREPARE_SUCCESSOR = "make a successor, trusted but not signing"
    DROP_PREDECESSOR = "stop trusting the predecessor, which has ended"
    NEW_SERVING = "make a serving certificate"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes = field(repr=False)

    @property
    def parsed(self) -> x509.Certificate:
        """The certificate.

        Raises:
            CertificateError: it is none.
        """
        return parsed(self.certificate)

    @property
    def signer(self) -> ec.EllipticCurvePrivateKey:
        """The private key.

        Raises:
            CertificateError: it is none of ours.
        """
        try:
            key = serialization.load_pem_private_key(self.key, password=None)
        except (ValueError, TypeError) as error:
            raise CertificateError("the private key is no PEM") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise CertificateError("the private key is not of an elliptic curve")
        return key

    def check(self) -> None:
        """Make sure that the two belong together.

        Raises:
            CertificateError: they do not, or one of them is broken.
        """
        if self.parsed.public_key() != self.signer.public_key():
            raise CertificateError("the private key belongs to another certificate")


@dataclass(frozen=True, slots=True)
class Authority:
    """The CA that signs, the one that will, and the one that did."""

    current: KeyPair
    successor: KeyPair | None = None
    predecessor: bytes | None = None

    @property
    def bundle(self) -> bytes:
        """What clients trust: the certificates of all of them, PEM."""
        others = [self.successor.certificate if self.successor else None, self.predecessor]
        return b"".join(pem.strip() + b"\n" for pem in (self.current.certificate, *others) if pem)


def steps(
    authority: Authority | None, serving: KeyPair | None, *, names: Sequence[str], now: datetime
) -> tuple[Step, ...]:
    """What has to be done now, so that the registry can be trusted now and for long enough.

    Args:
        authority: the CA as it is kept; None if there is none.
        serving: the serving certificate as it is kept; None if there is none.
        names: the DNS names that the serving certificate has to carry.
        now: the time.
    """
    if authority is None or authority.current.parsed.not_valid_after_utc <= now:
        return Step.NEW_AUTHORITY, Step.NEW_SERVING
    found = []
    current, successor = authority.current.parsed, authority.successor
    promoted = successor is not None and now >= successor.parsed.not_valid_before_utc + _BACKDATED + SPREAD
    if promoted:
        found.append(Step.PROMOTE_SUCCESSOR)
    elif successor is None and current.not_valid_after_utc - now < AUTHORITY_MARGIN:
        found.append(Step.PREPARE_SUCCESSOR)
    if authority.predecessor is not None and parsed(authority.predecessor).not_valid_after_utc <= now:
        found.append(Step.DROP_PREDECESSOR)
    if promoted or serving is None or not _serves(serving.parsed, current, names, now):
        found.append(Step.NEW_SERVING)
    return tuple(found)


def _serves(certificate: x509.Certificate, issuer: x509.Certificate, names: Sequence[str], now: datetime) -> bool:
    """Whether a serving certificate is the CA's, carries the names, and lives for long enough."""
    try:
        certificate.verify_directly_issued_by(issuer)
        carried = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return (
        set(carried.get_values_for_type(x509.DNSName)) == set(names)
        and certificate.not_valid_before_utc <= now
        and certificate.not_valid_after_utc - now >= SERVING_MARGIN
    )


def carry_out(
    todo: Sequence[Step], authority: Authority | None, serving: KeyPair | None, *, names: Sequence[str], now: datetime
) -> tuple[Authority, KeyPair]:
    """The CA and the serving certificate after these steps.

    Raises:
        CertificateError: there is no CA, and no step makes one.
    """
    for step in todo:
        if step is Step.NEW_AUTHORITY:
            authority = Authority(new_authority(now))
            continue
        if authority is None:
            raise CertificateError("there is no CA to go on with")
        match step:
            case Step.PREPARE_SUCCESSOR:
                authority = replace(authority, successor=new_authority(now))
            case Step.PROMOTE_SUCCESSOR if authority.successor is not None:
                authority = Authority(authority.successor, predecessor=authority.current.certificate)
            case Step.DROP_PREDECESSOR:
                authority = replace(authority, predecessor=None)
            case Step.NEW_SERVING:
                serving = new_serving(authority.current, names, now)
    if authority is None or serving is None:
        raise CertificateError("there is no CA or no serving certificate to go on with")
    return authority, serving


def new_authority(now: datetime) -> KeyPair:
    """A CA that may sign serving certificates and nothing that signs in turn."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"modelberth {now:%Y-%m-%d}")])
    usage = _usage(signs_certificates=True)
    certificate = (
        _builder(name, name, key.public_key(), now, now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def new_serving(authority: KeyPair, names: Sequence[str], now: datetime) -> KeyPair:
    """A certificate for a server with these DNS names, that never outlives its CA."""
    issuer = authority.parsed
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    ends = min(now + SERVING_LIFETIME, issuer.not_valid_after_utc)
    certificate = (
        _builder(name, issuer.subject, key.public_key(), now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.signer.public_key()), critical=False
        )
        .sign(authority.signer, hashes.SHA256())
    )
    return _pair(certificate, key)


def service_names(service: str, namespace: str) -> tuple[str, ...]:
    """The DNS names under which a Service is reached from within the cluster."""
    return (
        f"{service}.{namespace}.svc",
        f"{service}.{namespace}.svc.cluster.local",
        f"{service}.{namespace}",
        service,
    )


def parsed(pem: bytes) -> x509.Certificate:
    """A certificate from PEM.

    Raises:
        CertificateError: it is none.
    """
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateError("the certificate is no PEM") from error


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _BACKDATED)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return KeyPair(certificate.public_bytes(pem), private)
