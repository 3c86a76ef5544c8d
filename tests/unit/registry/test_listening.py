"""A cluster may give a pod addresses of either IP version, or of both."""

import socket

import pytest

from modelberth.registry.listening import listen


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_either_ip_version_reaches_it(address):
    """One socket answers to both."""
    if ":" in address and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with listen(0, backlog=5) as server, socket.create_connection((address, server.getsockname()[1])) as client:
        accepted, _ = server.accept()
        with accepted:
            assert client.getpeername()[0] == address


def test_a_host_without_ipv6_listens_on_ipv4(monkeypatch):
    """There the kernel has no such sockets at all."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listen(0, backlog=5) as server:
        assert server.family == socket.AF_INET
        assert server.getsockname()[0] == "0.0.0.0"


def test_answers_do_not_wait_for_acknowledgements():
    """A connection takes over that it sends at once."""
    with listen(0, backlog=5) as server, socket.create_connection(("127.0.0.1", server.getsockname()[1])):
        accepted, _ = server.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_port_that_is_taken_is_an_error():
    """Two registries on one port would each get a part of the requests."""
    with listen(0, backlog=5) as server, pytest.raises(OSError, match="in use"):
        listen(server.getsockname()[1], backlog=5)
