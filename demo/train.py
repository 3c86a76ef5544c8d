"""Train two classifiers on scikit-learn's 1,797 real images of handwritten digits, and a third for the forgery.

Runs in the demo's own environment (requirements/demo.txt), as `python demo/train.py FOLDER`. Each model becomes a
folder as MLServer likes it: the model and its model-settings.json. The images that no model has seen are written to
held-out.json, for the traffic.
"""

import json
import sys
import time
from pathlib import Path

import joblib
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

HELD_OUT = 360
SERVED_NAME = "digits"


def main(folder: Path) -> None:
    """Write shallow/, vectors/, neighbours/ and held-out.json into the folder."""
    images, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(
        images, digits, test_size=HELD_OUT, random_state=0, stratify=digits
    )
    models: dict[str, ClassifierMixin] = {
        "shallow": DecisionTreeClassifier(max_depth=6, random_state=0),  # on purpose too simple for the task
        "vectors": SVC(gamma=0.001),
        "neighbours": KNeighborsClassifier(n_neighbors=3),
    }
    for name, model in models.items():
        started = time.monotonic()
        model.fit(seen, seen_digits)
        seconds = time.monotonic() - started
        _write(folder / name, model)
        metrics = {"accuracy": float(model.score(unseen, unseen_digits)), "trainingSeconds": round(seconds, 3)}
        (folder / f"{name}.json").write_text(json.dumps({"kind": type(model).__name__, "metrics": metrics}))
    samples = [
        {"pixels": [int(value) for value in pixels], "digit": int(digit)}
        for pixels, digit in zip(unseen, unseen_digits, strict=True)
    ]
    (folder / "held-out.json").write_text(json.dumps(samples, separators=(",", ":")))


def _write(folder: Path, model: ClassifierMixin) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    settings = {
        "name": SERVED_NAME,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib"},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings, indent=2) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
