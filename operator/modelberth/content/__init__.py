"""The formats that outlive every release: trees, chunks, layouts, packs, addresses, version names.

Standard library only, no I/O: the loader in a pod, the CLI and the registry parse with the same code.
Written down for other implementers in docs/formats.md.
"""
