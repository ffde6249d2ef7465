"""Generators by name: what strategies draw from, what can be trained, what saved weights belong to."""

from __future__ import annotations

from typing import Any

from gennas.models.base import Generator
from gennas.registry import Registry, configured
from gennas.spaces.base import Space

__all__ = ["GENERATORS", "is_generator", "new_generator"]

GENERATORS: Registry[Any] = Registry("generator", "gennas.generators")
"""Classes of generators, or functions that make one; imported when they are used, for they bring PyTorch along."""

GENERATORS.register_path("diffusion", "gennas.generators.diffusion:DiffusionGenerator")
GENERATORS.register_path("autoregressive", "gennas.generators.autoregressive:AutoregressiveGenerator")
GENERATORS.register_path("latent", "gennas.generators.latent:LatentDiffusionGenerator")


def new_generator(name: str, space: Space, num_conditions: int, seed: int, guidance_scale: float = 1.0) -> Generator:
    """An untrained generator.

    Args:
        name: in :data:`GENERATORS`, or an import path. A class with ``settings_type`` is made as gennas' own are;
            others, and functions, get those of ``space``, ``schema``, ``legal``, ``num_conditions``, ``seed`` and
            ``guidance_scale`` that they have as parameters.
        space: of the architectures.
        num_conditions: what it can be asked for.
        seed: of its weights.
        guidance_scale: strength of the conditions.

    Raises:
        UnknownNameError: no generator has that name.
        ConfigError: it needs more than that.
    """
    made = GENERATORS.get(name)
    if hasattr(made, "settings_type"):
        settings = made.settings_type(guidance_scale=guidance_scale)
        own: Generator = made(space.schema, space.legal, num_conditions, settings, seed)
        return own
    given = {"space": space, "schema": space.schema, "legal": space.legal, "num_conditions": num_conditions}
    other: Generator = configured(f"generator {name!r}", made, {}, **given, seed=seed, guidance_scale=guidance_scale)
    return other


def is_generator(part: object) -> bool:
    """Whether a class, or an object, can be fitted and sampled."""
    return callable(getattr(part, "fit", None)) and callable(getattr(part, "sample", None))
