# SPDX-License-Identifier: MIT
"""Files that a command leaves: whether they can be written is found out before it measures, and each is written whole or
stays as it was.

A link leads to the file that is meant. What is no regular file, such as /dev/null or a pipe, is written to and never replaced.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.measure.program import BenchError

_NEW_MODE = 0o666

# Where no file can be put in the place of another: the folder takes none, or the file is a mount. Then it is written over.
_IN_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)


def _place(path: Path) -> Path:
    """Where a file is to be put. A descriptor that is open, as /dev/stdout, has no place: it is written to."""
    followed = path
    while followed.is_symlink() and not _is_descriptor(followed):
        followed = followed.parent / os.readlink(followed)
    return followed if _is_descriptor(followed) else Path(os.path.realpath(followed))


def _is_descriptor(path: Path) -> bool:
    folder = os.path.realpath(path.parent)
    return folder.startswith("/proc/") and folder.endswith("/fd")


def require_writable(path: Path) -> None:
    """An OSError where the file cannot be written. One that is there stays as it is, and none is left that was not there."""
    place = _place(path)
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if _is_descriptor(place) or place.exists() and not place.is_file():
        return
    try:
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _NEW_MODE))
    except FileExistsError:
        os.close(os.open(place, os.O_WRONLY | os.O_CLOEXEC))
    else:
        place.unlink()


def _umask() -> int:
    before = os.umask(0o077)
    os.umask(before)
    return before


def _like(descriptor: int, found: os.stat_result | None, mode: int) -> None:
    """Gives a new file the mode, and as far as that is allowed the owner, of the one that it replaces."""
    if found is None:
        os.fchmod(descriptor, mode & ~_umask())
        return
    with suppress(OSError):  # not allowed, or an owner that this name space does not know
        os.fchown(descriptor, found.st_uid, found.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(found.st_mode))


def _replace(place: Path, content: bytes, found: os.stat_result | None, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".hakmem-", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            _like(descriptor, found, mode)
        os.replace(name, place)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def write_whole(path: Path, data: bytes | str, mode: int = _NEW_MODE) -> None:
    """Puts `data` in the place of what the file holds. Where that fails, as on a full disk, the file stays as it was.

    Args:
      data: a text is written as UTF-8.
      mode: of a file that was not there, less the umask.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    place = _place(path)
    found = place.stat() if place.exists() else None
    if _is_descriptor(place) or found is not None and not stat.S_ISREG(found.st_mode):
        place.write_bytes(content)
        return
    try:
        _replace(place, content, found, mode)
    except OSError as error:
        if found is None or error.errno not in _IN_PLACE:
            raise
        place.write_bytes(content)


@contextmanager
def written_first(write: Callable[[], None]) -> Iterator[None]:
    """Calls `write`, and then does what is within. A file that cannot be written is an error after that: what was measured is
    printed all the same."""
    failed: Exception | None = None
    try:
        write()
    except (OSError, BenchError) as error:
        failed = error
    yield
    if failed is not None:
        raise failed
