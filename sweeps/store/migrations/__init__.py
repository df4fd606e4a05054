"""Alembic runs these: env.py, and one file per revision in versions."""
