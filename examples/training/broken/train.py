"""A package with a mistake that only its first run shows."""

import csv
import os

from sklearn.svm import SVC


class Main:
    """Learns from a column that no line has."""

    def train(self, data_directory):
        """The digit stands in the first column, not in the last."""
        with open(os.path.join(data_directory, "digits.csv"), newline="") as file:
            lines = list(csv.reader(file))
        digits = [int(line[65]) for line in lines]
        self.model = SVC().fit([line[:65] for line in lines], digits)

    def save(self):
        """Never reached."""
        raise NotImplementedError
