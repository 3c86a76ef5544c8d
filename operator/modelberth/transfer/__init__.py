"""The data plane: push, load and verify against a registry and its store.

Imports nothing but the standard library and `content`, so that a pod's loader starts in hundredths of a second.
"""
