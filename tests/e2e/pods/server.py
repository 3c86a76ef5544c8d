"""A model server in a few lines: answers with the version it was given and the bytes it serves, once it has them."""

import http.server
import json
import os
import pathlib
import signal
import sys

FOLDER = pathlib.Path(os.environ["MODELBERTH_MODEL_DIR"])
MODEL = (FOLDER / "model.txt").read_text(encoding="utf-8")  # no model, no server


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        identity = {key: os.environ[f"MODELBERTH_{key}"] for key in ("MODEL", "ALIAS", "VERSION", "DIGEST")}
        body = json.dumps({**identity, "content": MODEL}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
