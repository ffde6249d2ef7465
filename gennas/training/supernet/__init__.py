"""Supernets: networks that share the weights of all architectures of a space."""
