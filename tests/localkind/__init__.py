"""A real Kubernetes cluster without Docker, behind the commands of kind that pytest-kind uses."""
