"""Where the registry listens: on every address of its pod, of both IP versions where there are two."""

import socket


def listen(port: int, *, backlog: int) -> socket.socket:
    """A listening socket: for IPv4 and IPv6 at once, or for IPv4 on a host that has nothing else.

    Raises:
        OSError: the port is taken.
    """
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
    return socket.create_server(("", port), backlog=backlog)
