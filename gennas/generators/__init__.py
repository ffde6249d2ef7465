"""Fitting of generative models: the networks of :mod:`gennas.models` learn architectures here."""
