"""Where the registry listens: on every address of its pod, of both IP versions where there are two."""

import socket


def listen(port: int, *, backlog: int) -> socket.socket:
    """A listening socket: for IPv4 and IPv6 at once, or for IPv4 on a host that has nothing else.

    Its connections send at once. asyncio sees to that for sockets of its own making only; else the second part of an
    answer waits for the client's delayed acknowledgement of the first, 40 milliseconds on Linux.

    Raises:
        OSError: the port is taken.
    """
    if socket.has_dualstack_ipv6():
        server = socket.create_server(("", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
    else:
        server = socket.create_server(("", port), backlog=backlog)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server
