"""A package: what a training run does with its data.

It needs nothing of Modelberth. The working directory is the package's own folder; whatever save() writes here becomes
part of the new version, beside the files that the package had already.
"""

import csv
import os

import joblib
from sklearn.metrics import confusion_matrix
from sklearn.svm import SVC


class Main:
    """Learns which digit a handwritten 8 × 8 image shows."""

    def train(self, data_directory):
        """Parameters come as environment variables."""
        images, digits = read(data_directory)
        print(f"{len(images)} images")
        self.model = SVC(gamma=float(os.environ["GAMMA"])).fit(images, digits)

    def evaluate(self, data_directory):
        """A number or a mapping; what is written into the artifacts directory is kept with the run."""
        images, digits = read(data_directory)
        found = self.model.predict(images)
        with open(os.path.join(os.environ["artifacts_directory"], "confusion.csv"), "w", newline="") as file:
            csv.writer(file).writerows(confusion_matrix(digits, found).tolist())
        right = sum(a == b for a, b in zip(found, digits))
        return {"accuracy": right / len(digits), "vectors": len(self.model.support_)}

    def save(self):
        """The file that model-settings.json, MLServer's description of the model, names."""
        joblib.dump(self.model, "model.joblib")


def read(directory):
    """(images, digits) of a folder with digits.csv: a line an image, the digit first."""
    with open(os.path.join(directory, "digits.csv"), newline="") as file:
        lines = [[int(value) for value in line] for line in csv.reader(file)]
    return [line[1:] for line in lines], [line[0] for line in lines]
