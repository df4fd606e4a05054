"""Decides what to run, runs it, remembers it, judges it. Imports sngan, never torch itself."""
