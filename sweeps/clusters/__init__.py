"""Studies on clusters: batch scripts and manifests, their submission, and what becomes of them."""
