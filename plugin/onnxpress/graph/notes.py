"""Notes: decisions of the compiler that a user reads."""

from collections.abc import Callable

AddNote = Callable[[str, str], None]
"""(where, reason); `where` is a layer, a target or a build."""
