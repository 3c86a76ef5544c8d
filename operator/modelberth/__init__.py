"""Modelberth: a model alias is the deploy control.

    import modelberth
    modelberth.push("model/", "mnist", alias="best")
    path = modelberth.load("mnist:best")

Importing this package imports nothing else: `push` and `load` bring what they need when they are first used.
"""

__version__ = "0.1.0"
