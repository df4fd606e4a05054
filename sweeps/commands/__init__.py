"""The commands of python -m sweeps.launch, one module per kind."""
