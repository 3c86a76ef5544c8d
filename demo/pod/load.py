"""Runs in a pod: sends images to a Service at a fixed rate, each on a connection of its own, and prints each outcome.

`load.py URL IMAGES REQUESTS_PER_SECOND` runs until it is ended. One JSON line per request, in the order of answers:
{"at": seconds since the epoch, "version": who answered, "right": whether the digit is, "seconds": how long it took}
or {"at", "error"}.
"""

import json
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import count, cycle

TIMEOUT_SECONDS = 10
_printing = threading.Lock()


def main(url: str, images: str, rate: float) -> None:
    """Start one request every 1/rate seconds, however long the earlier ones take."""
    with open(images, encoding="utf-8") as file:
        samples = cycle(json.load(file))
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=32) as pool:
        for number in count():
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            pool.submit(_report, url, next(samples))


def _report(url: str, sample: dict[str, object]) -> None:
    at = time.time()
    try:
        version, digit = _ask(url, sample["pixels"])
        outcome = {"at": at, "version": version, "right": digit == sample["digit"], "seconds": time.time() - at}
    except Exception as error:  # noqa: BLE001 - every failure counts, whatever it is
        outcome = {"at": at, "error": f"{type(error).__name__}: {error}"}
    with _printing:
        print(json.dumps(outcome), flush=True)


def _ask(url: str, pixels: object) -> tuple[str, int]:
    """One inference by the Open Inference Protocol; urllib closes the connection after the answer."""
    tensor = {"name": "image", "shape": [1, 64], "datatype": "FP64", "data": pixels}
    body = json.dumps({"inputs": [tensor]}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - our own Service
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
        answer = json.load(response)
    return answer["model_version"], answer["outputs"][0]["data"][0]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
