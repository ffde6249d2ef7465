"""Sphinx roles and formulas of docstrings as Markdown, for the documentation site (see mkdocs.yml)."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

__all__ = ["Roles", "as_markdown"]

_ROLE = re.compile(r":(?:class|meth|func|data|attr|mod|math):`~?([^`]+)`")
_MATH = re.compile(r"^( *)\.\. math::(.*(?:\n(?: *\n)*\1 +.*)*)", re.MULTILINE)


def as_markdown(text: str) -> str:
    r"""A docstring whose roles are code and whose displayed formulas are code blocks.

    Example:
        >>> as_markdown("See :meth:`build`.")
        'See `build`.'
        >>> print(as_markdown(".. math:: a + b"))
        ```text
        a + b
        ```
    """
    text = _ROLE.sub(_reference, text.replace("``", "`"))
    text = re.sub(r"^( *)Example:$", r"\1Examples:", text, flags=re.MULTILINE)  # what griffe calls the section
    return _MATH.sub(_block, text)


def _reference(match: re.Match[str]) -> str:
    """Code; a link where the site has a page for a full name."""
    name = match[1]
    code = f"`{name}`"
    return f'<autoref identifier="{name}" optional>{code}</autoref>' if name.startswith("gennas.") else code


def _block(match: re.Match[str]) -> str:
    first, _, rest = match[2].partition("\n")
    formula = "\n".join(part for part in (first.strip(), textwrap.dedent(rest).strip()) if part)
    return textwrap.indent(f"```text\n{formula}\n```", match[1])


class Roles(griffe.Extension):
    """Rewrites every docstring as it is read."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called with every module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
