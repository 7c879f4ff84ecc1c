"""A small filesystem of its own, that can be full."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

SIZE = 512 << 20


class CannotMount(Exception):
    """The filesystem could not be made; says why."""


class SmallDisk:
    """An ext2 in a file, mounted. ext2 reserves no space ahead (RocksDB would, and go on writing for long on a full disk)."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.image = directory.with_suffix(".ext2")
        self.filler = directory / "filler"
        directory.mkdir(parents=True)
        with self.image.open("wb") as image:
            image.truncate(SIZE)
        run("mkfs.ext2", "-q", "-m", "0", str(self.image))
        run("mount", "-o", "loop", str(self.image), str(directory))

    def fill(self) -> None:
        """Takes what space is left; again and again, because whoever deletes files makes some."""
        filler = os.open(self.filler, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        try:
            for size in (1 << 20, 1 << 10):
                write_until_full(filler, bytes(size))
        finally:
            os.close(filler)

    def free(self) -> None:
        self.filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """What is on it stays in the image."""
        run("umount", str(self.directory))


def write_until_full(descriptor: int, data: bytes) -> None:
    try:
        while True:
            os.write(descriptor, data)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise CannotMount(f"{command[0]} is not installed") from None
    except subprocess.CalledProcessError as error:
        raise CannotMount(f"{' '.join(command)}: {error.stderr.strip()}") from None
