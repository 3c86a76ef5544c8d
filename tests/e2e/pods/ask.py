"""Asks a URL at a fixed rate, each time on a fresh connection, and prints one JSON line per request until it is ended."""

import json
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import count

lock = threading.Lock()


def ask(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - the test's own Service
            outcome = {"version": json.load(response)["VERSION"]}
    except Exception as error:  # noqa: BLE001 - every failure counts
        outcome = {"error": f"{type(error).__name__}: {error}"}
    with lock:
        print(json.dumps({"at": time.time(), **outcome}), flush=True)


started = time.monotonic()
with ThreadPoolExecutor(16) as pool:
    for number in count():
        time.sleep(max(0.0, started + number / float(sys.argv[2]) - time.monotonic()))
        pool.submit(ask, sys.argv[1])
