"""What the fake servers of the tests share: real sockets, no log, no delays of TCP's."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Ends with its last request."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True  # nor the delayed acknowledgement of an answer's first part
    wbufsize = -1

    def log_message(self, *_):
        """Silence."""
