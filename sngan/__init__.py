"""Trains and evaluates one GAN. Knows nothing of sweeps, Ray, MLflow or SQL."""
