"""Shows what is in the store: figures, the report, the app. Never trains, never writes results."""
