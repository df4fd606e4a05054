"""The commands of python -m sngan."""
