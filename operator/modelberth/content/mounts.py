"""Where a loader in a pod finds what the operator mounted for it. Both import it from here: the loader starts without
the API's models.
"""

TOKEN_FOLDER = "/var/run/secrets/modelberth"  # noqa: S105 (a folder, not a token)
TOKEN_FILE = f"{TOKEN_FOLDER}/token"
"""The token for the registry."""

REGISTRY_FOLDER = "/var/run/modelberth/registry"
"""The registry's URL (`url`) and its CA (`ca.crt`)."""
