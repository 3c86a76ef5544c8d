"""Bytes to move: no block of them repeats, nothing compresses them, and they are made faster than they are moved."""

import random
from pathlib import Path

_BLOCK = 8 * 1024 * 1024


def make_file(folder: Path, name: str, size: int, seed: int) -> None:
    """A file of so many bytes; every 8 MiB of it and of files with other seeds differ."""
    block = bytearray(random.Random(0).randbytes(_BLOCK))
    with (folder / name).open("wb", buffering=0) as file:
        for number, start in enumerate(range(0, size, _BLOCK)):
            block[:16] = seed.to_bytes(8, "big") + number.to_bytes(8, "big")
            file.write(memoryview(block)[: size - start])


def make_small_files(folder: Path, count: int, size: int) -> None:
    """So many files, a thousand in each folder."""
    rng = random.Random(1)
    for number in range(count):
        place = folder / f"{number // 1000:03}"
        if number % 1000 == 0:
            place.mkdir(parents=True)
        (place / f"{number:06}.bin").write_bytes(rng.randbytes(size))
