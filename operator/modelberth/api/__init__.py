"""The custom resources: pydantic models, names and conditions. The CRDs in `crds/` are generated from here."""
