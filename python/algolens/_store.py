"""The folder of work that is done in units: a local path, or a URI of what all machines share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import _algolens
from ._algolens import AlgolensError


class Store:
    """A folder whose files are written whole: a local path, or a URI that pyarrow knows (``s3://bucket/sweep``)."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        #: The folder as it was said; of a local one the whole path.
        self.folder = os.fspath(folder)
        self._fs: Any = None
        if "://" in self.folder:
            self._fs, self._root = _file_system(self.folder)
        else:
            self.folder = self._root = os.path.abspath(self.folder)

    def read(self, name: str) -> bytes | None:
        """A file's bytes; None where there is none."""
        with self._said(name, "a file that can be read"):
            try:
                if self._fs is None:
                    return Path(self._root, name).read_bytes()
                with self._fs.open_input_stream(f"{self._root}/{name}") as file:
                    return file.read()
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Writes a file whole: whoever reads it sees all of it, or what was there before."""
        with self._said(name, "a file that can be written"):
            if self._fs is None:
                path = Path(self._root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                _algolens.write_whole(str(path), data)
            else:
                self._write_there(name, data)

    def names(self, folder: str) -> set[str]:
        """The names of the files in a folder, without those of files that are not whole."""
        with self._said(folder, "a folder that can be read"):
            try:
                found = self._names(folder)
            except FileNotFoundError:
                return set()
        return {name for name in found if not name.startswith(PART)}

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        with self._said(name, "a file that can be removed"), contextlib.suppress(FileNotFoundError):
            if self._fs is None:
                os.remove(os.path.join(self._root, name))
            else:
                self._fs.delete_file(f"{self._root}/{name}")

    def claim(self, name: str, expected: bytes) -> bytes:
        """Begins work in a folder, where ``name`` says which work it is: what it says, ``expected`` or what was there.

        An error where the folder has other files only.
        """
        found = self.read(name)
        if found is None:
            if self.names(""):
                raise AlgolensError(f"{self.folder}: expected an empty folder, or one with a {name}, found other files")
            self.write(name, expected)
            # Of two who begin at once, one sees the other's.
            found = self.read(name) or b""
        return found

    def _names(self, folder: str) -> list[str]:
        if self._fs is None:
            return os.listdir(os.path.join(self._root, folder))
        from pyarrow import fs

        selector = fs.FileSelector(f"{self._root}/{folder}", allow_not_found=True)
        return [info.base_name for info in self._fs.get_file_info(selector)]

    def _write_there(self, name: str, data: bytes) -> None:
        path = f"{self._root}/{name}"
        folder, _, last = path.rpartition("/")
        self._fs.create_dir(folder, recursive=True)
        # What is not whole has a name of its own, whoever writes it; not every file system replaces what a name has.
        part = f"{folder}/{PART}{os.urandom(8).hex()}-{last}"
        with self._fs.open_output_stream(part) as file:
            file.write(data)
        try:
            self._fs.move(part, path)
        except OSError:
            self._fs.delete_file(path)
            self._fs.move(part, path)

    @contextlib.contextmanager
    def _said(self, name: str, expected: str) -> Iterator[None]:
        """Failures of the file system, in one line."""
        try:
            yield
        except AlgolensError:
            raise
        except (OSError, ValueError, NotImplementedError) as error:
            at = f"{self.folder}/{name}".rstrip("/")
            raise AlgolensError(f"{at}: expected {expected}, found {one_line(error)}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.folder,)


#: How the names of files begin that are not whole.
PART = ".algolens-"


def one_line(error: Exception) -> str:
    """What an exception says, in one line."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said.strip().split("\n")[0].strip() or type(error).__name__


def _file_system(uri: str) -> tuple[Any, str]:
    try:
        from pyarrow import fs
    except ImportError:
        raise AlgolensError(
            f"folder: expected pyarrow, by which {uri} is read: pip install pyarrow, found none"
        ) from None
    try:
        system, path = fs.FileSystem.from_uri(uri)
    except (OSError, ValueError, NotImplementedError) as error:
        raise AlgolensError(f"folder: expected a URI that pyarrow knows, found {uri}: {one_line(error)}") from None
    return system, path.rstrip("/")
