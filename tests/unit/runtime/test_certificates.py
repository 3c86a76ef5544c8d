"""Certificates: decided by dates alone, and proven by a real TLS handshake at every moment of a rotation."""

import socket
import ssl
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelberth.runtime.certificates import (
    AUTHORITY_LIFETIME,
    AUTHORITY_MARGIN,
    SERVING_LIFETIME,
    SERVING_MARGIN,
    SPREAD,
    CertificateError,
    KeyPair,
    Step,
    carry_out,
    new_authority,
    new_serving,
    parsed,
    service_names,
    steps,
)

NAMES = service_names("modelberth-registry", "modelberth")
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


def advanced(authority, serving, now):
    """What keeping them at this moment makes of them, and what had to be done."""
    todo = steps(authority, serving, names=NAMES, now=now)
    return (*carry_out(todo, authority, serving, names=NAMES, now=now), todo)


def handshake(bundle: bytes, serving: KeyPair, name: str) -> None:
    """Connect for real to a server with this certificate, trusting this bundle."""
    with tempfile.TemporaryDirectory() as folder:
        chain, key = Path(folder, "tls.crt"), Path(folder, "tls.key")
        chain.write_bytes(serving.certificate)
        key.write_bytes(serving.key)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, key)
    client = ssl.create_default_context(cadata=bundle.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()

    def serve():
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(ours, server_hostname=name).close()
    finally:
        ours.close()
        thread.join()


class TestDecisions:
    def test_from_nothing_to_everything(self):
        """Without any Secret a CA and a serving certificate are made, and then there is nothing to do."""
        authority, serving, todo = advanced(None, None, NOW)
        assert todo == (Step.NEW_AUTHORITY, Step.NEW_SERVING)
        assert steps(authority, serving, names=NAMES, now=NOW) == ()

    @pytest.mark.parametrize(
        ("later", "todo"),
        [
            (SERVING_LIFETIME - SERVING_MARGIN, ()),
            (SERVING_LIFETIME - SERVING_MARGIN + DAY, (Step.NEW_SERVING,)),
            (SERVING_LIFETIME + 300 * DAY, (Step.NEW_SERVING,)),
        ],
    )
    def test_a_serving_certificate_is_replaced_a_month_before_it_ends(self, later, todo):
        """Not before, then, and also long after it has ended."""
        authority, serving, _ = advanced(None, None, NOW)
        assert steps(authority, serving, names=NAMES, now=NOW + later) == todo

    def test_other_names_need_another_certificate(self):
        """A release with another Service name gets a certificate that fits."""
        authority, serving, _ = advanced(None, None, NOW)
        assert steps(authority, serving, names=(*NAMES, "more"), now=NOW) == (Step.NEW_SERVING,)

    def test_a_certificate_of_another_ca_is_replaced(self):
        """Also one that somebody put into the Secret by hand."""
        authority, _, _ = advanced(None, None, NOW)
        foreign = new_serving(new_authority(NOW), NAMES, NOW)
        assert steps(authority, foreign, names=NAMES, now=NOW) == (Step.NEW_SERVING,)

    def test_a_lost_serving_secret_leaves_the_ca_alone(self):
        """Deleting what the registry mounts changes nothing for those who trust."""
        authority, _, _ = advanced(None, None, NOW)
        after, serving, todo = advanced(authority, None, NOW)
        assert (after, todo) == (authority, (Step.NEW_SERVING,))
        handshake(after.bundle, serving, NAMES[0])

    def test_an_ended_ca_is_replaced_at_once(self):
        """An operator that was off for years starts over instead of handing out what nobody can verify."""
        authority, serving, _ = advanced(None, None, NOW)
        todo = steps(authority, serving, names=NAMES, now=NOW + AUTHORITY_LIFETIME)
        assert todo == (Step.NEW_AUTHORITY, Step.NEW_SERVING)

    def test_without_a_ca_there_is_nothing_to_go_on_with(self):
        """A step that needs a CA says so."""
        with pytest.raises(CertificateError):
            carry_out((Step.NEW_SERVING,), None, None, names=NAMES, now=NOW)


class TestRotation:
    def test_nobody_is_refused_on_any_day_of_seven_years(self):
        """Each day, whoever fetched the bundle up to a day ago trusts what is served now."""
        born = NOW - 5 * 365 * DAY  # handshakes look at the real clock, so only dates are compared below
        authority, serving, done = None, None, []
        bundles = []
        for day in range(7 * 365):
            now = born + day * DAY
            authority, serving, todo = advanced(authority, serving, now)
            done += todo
            bundles = [*bundles[-1:], authority.bundle]
            for bundle in bundles:
                trusted = [
                    parsed(pem + b"-----END CERTIFICATE-----\n")
                    for pem in bundle.split(b"-----END CERTIFICATE-----\n")[:-1]
                ]
                issuers = [ca for ca in trusted if ca.subject == serving.parsed.issuer]
                assert any(issued(serving.parsed, ca) and ca.not_valid_after_utc > now for ca in issuers)
            assert serving.parsed.not_valid_after_utc > now
        assert done.count(Step.NEW_AUTHORITY) == 1
        assert done.count(Step.PROMOTE_SUCCESSOR) == done.count(Step.PREPARE_SUCCESSOR) >= 2
        assert done.count(Step.DROP_PREDECESSOR) >= 1

    def test_a_successor_is_trusted_for_a_day_before_it_signs(self):
        """Its bundle spreads first; the predecessor stays trusted until it ends."""
        authority, serving, _ = advanced(None, None, NOW - AUTHORITY_LIFETIME + AUTHORITY_MARGIN - DAY)
        old = authority.current
        authority, serving, todo = advanced(authority, serving, NOW)
        assert Step.PREPARE_SUCCESSOR in todo
        assert authority.current == old
        spread = authority.bundle
        assert steps(authority, serving, names=NAMES, now=NOW + SPREAD - timedelta(minutes=1)) == ()
        authority, serving, todo = advanced(authority, serving, NOW + SPREAD)
        assert todo == (Step.PROMOTE_SUCCESSOR, Step.NEW_SERVING)
        assert authority.predecessor == old.certificate
        assert authority.bundle.count(b"BEGIN CERTIFICATE") == 2
        assert set(spread.split(b"-----END CERTIFICATE-----\n")) == set(
            authority.bundle.split(b"-----END CERTIFICATE-----\n")
        )


class TestHandshake:
    def test_every_name_of_the_service_is_served(self):
        """Real OpenSSL, in its strict mode, accepts the chain under each name."""
        authority, serving, _ = advanced(None, None, NOW)
        for name in NAMES:
            handshake(authority.bundle, serving, name)

    def test_another_name_or_another_ca_is_refused(self):
        """The certificate proves who is there, not just that somebody is."""
        authority, serving, _ = advanced(None, None, NOW)
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(authority.bundle, serving, "minio.storage.svc")
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(new_authority(NOW).certificate, serving, NAMES[0])


class TestKeyPairs:
    def test_a_key_of_another_certificate_is_refused(self):
        """A damaged Secret is noticed before it is served."""
        one, other = new_authority(NOW), new_authority(NOW)
        with pytest.raises(CertificateError, match="another certificate"):
            KeyPair(one.certificate, other.key).check()

    @pytest.mark.parametrize(("certificate", "key"), [(b"x", None), (None, b"x")])
    def test_what_is_no_pem_is_refused(self, certificate, key):
        """With a sentence instead of a stack of OpenSSL errors."""
        good = new_authority(NOW)
        with pytest.raises(CertificateError, match="no PEM"):
            KeyPair(certificate or good.certificate, key or good.key).check()

    def test_keys_do_not_show(self):
        """A pair that ends up in a log or a traceback keeps its key to itself."""
        assert "PRIVATE" not in repr(new_authority(NOW))


def issued(certificate, authority):
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 (InvalidSignature is no ValueError)
        return False
    return True
