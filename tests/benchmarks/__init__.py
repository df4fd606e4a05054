"""Speed and memory, measured by scripts that print one table and keep it as JSON; no timed tests."""
