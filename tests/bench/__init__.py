"""What Modelberth costs, each time beside something to compare it with. `python -m tests.bench`; results in README.md."""
