"""Write scikit-learn's 1,797 real images of handwritten digits as two versions of a data set.

Runs in the demo's own environment (requirements/demo.txt), as `python demo/training/write_data.py FOLDER`. The first
version has a hundred labelled images in train/, the second has all that are not held out; test/ is the same in both.
The held-out images are written to held-out.json as well, for the traffic.
"""

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

HELD_OUT = 360
FIRST = 100


def main(folder: Path) -> None:
    """Write first/, second/ and held-out.json into the folder."""
    images, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(
        images, digits, test_size=HELD_OUT, random_state=0, stratify=digits
    )
    for version, count in (("first", FIRST), ("second", len(seen))):
        _write(folder / version / "train", seen[:count], seen_digits[:count])
        _write(folder / version / "test", unseen, unseen_digits)
    samples = [
        {"pixels": [int(value) for value in pixels], "digit": int(digit)}
        for pixels, digit in zip(unseen, unseen_digits, strict=True)
    ]
    (folder / "held-out.json").write_text(json.dumps(samples, separators=(",", ":")))


def _write(folder: Path, images: Iterable[Iterable[float]], digits: Iterable[int]) -> None:
    """One line an image: the digit, then 64 pixels from 0 to 16."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "digits.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        for pixels, digit in zip(images, digits, strict=True):
            lines.writerow([int(digit), *(int(value) for value in pixels)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
