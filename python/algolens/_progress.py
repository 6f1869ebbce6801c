"""Bars of long work, in terminals and notebooks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

#: Called with how much is done, of how much (0: nobody knows), and a line.
Progress = Callable[[int, int, str], None]


@contextlib.contextmanager
def shown(what: str, progress: bool) -> Iterator[Progress | None]:
    """A bar while work goes on; nothing where none is wanted."""
    if not progress:
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(desc=what, leave=False, bar_format="{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}]") as bar:

        def tell(done: int, of: int, line: str) -> None:
            bar.total = of or None
            bar.n = min(done, of) if of else done
            bar.set_description_str(f"{what} · {line}", refresh=False)
            bar.refresh()

        yield tell
