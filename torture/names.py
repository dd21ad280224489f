"""Names that change while a store is open, and forks at every stage.

A write that is acknowledged is found by an opening at that moment; one that is
refused is not there; what has come to the path meanwhile stays as it is. A forked
child writes nothing.
"""

import asyncio
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from symphony_registry.errors import RegistryError, StorageError
from torture.disk import copy_files, scratch
from torture.subjects import SUBJECTS, Subject, assert_same, at_rest, logged, on_small_data, timeless
from torture.tally import Tally

STEPS = 12


class Place:
    """A store's path, what is done to it, and whether the open store is found there."""

    def __init__(self, subject: Subject, base: Path) -> None:
        self.path = base / "store"
        self.found = True
        self._base = base
        self._journal = self.path / "journal.jsonl"
        self._other = base / "other"
        self._subject = subject
        self._foreign: dict[Path, bytes] = {}

    def changes(self) -> list[Callable[[], None]]:
        """Return what can be done now."""
        if self.found:
            harmless = [self.link, self.unlock, self.walk]
            return [*harmless, self.move, self.replace, self.overwrite, self.unlink, self.remove]
        return [self.put_back, self.walk] if self._moved.exists() else [self.walk]

    @property
    def _moved(self) -> Path:
        return self._base / "moved"

    def move(self) -> None:
        """Move the store away; another one may take its place."""
        self.path.rename(self._moved)
        self.found = False
        if self._other.exists():
            shutil.copytree(self._other, self.path)
            self._know(self.path)

    def put_back(self) -> None:
        """Let the store be where it was."""
        if self.path.exists():
            shutil.rmtree(self.path)
            self._foreign.clear()
        self._moved.rename(self.path)
        self.found = True

    def link(self) -> None:
        """Move the store, and leave a symbolic link: it is found."""
        if not self.path.is_symlink():
            target = self._base / "volume"
            self.path.rename(target)
            self.path.symlink_to(target)

    def replace(self) -> None:
        """Move a copy over the journal."""
        copied = self._base / "copy"
        shutil.copy(self._journal, copied)
        copied.rename(self._journal)
        self._lose(self._journal)

    def overwrite(self) -> None:
        """Copy another journal into the file."""
        shutil.copyfile(self._other / "journal.jsonl", self._journal)
        self._lose(self._journal)

    def unlink(self) -> None:
        """Remove the journal."""
        self._journal.unlink()
        self.found = False

    def remove(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.path.resolve())
        self.found = False

    def unlock(self) -> None:
        """Remove the file that names the holder: the journal is locked as well."""
        (self.path / "LOCK").unlink(missing_ok=True)

    def walk(self) -> None:
        """Change the working directory."""
        os.chdir(self._base.parent)

    def _lose(self, journal: Path) -> None:
        self.found = False
        self._foreign[journal] = journal.read_bytes()

    def _know(self, directory: Path) -> None:
        self._foreign.update({each: each.read_bytes() for each in directory.iterdir() if each.name != "LOCK"})

    def check_foreign(self) -> None:
        """Raise unless what is not the store's is as it was."""
        for path, content in self._foreign.items():
            if path.read_bytes() != content:
                raise AssertionError(f"{path} was changed")


def run(tally: Tally, count: int, seed: int, subjects: Sequence[Subject] = SUBJECTS) -> None:
    """Make `count` random stories of each backend type."""
    rng = random.Random(seed)
    home = Path.cwd()
    try:
        with asyncio.Runner() as runner, scratch() as base, on_small_data(), logged():
            for subject in subjects:
                for number in range(count):
                    directory = Path(base, f"{subject.name} {number}")
                    directory.mkdir()
                    story: list[str] = []
                    with tally.trying(f"{subject.name}, story {number}, {story}"):
                        try:
                            runner.run(_live(tally, subject, directory, rng, story))
                        except Exception as error:
                            error.add_note(", ".join(story))
                            raise
                    shutil.rmtree(directory)
    finally:
        os.chdir(home)


async def _live(tally: Tally, subject: Subject, base: Path, rng: random.Random, story: list[str]) -> None:
    place = Place(subject, base)
    async with subject.make(base / "other") as other:
        await subject.write(other, "theirs", 1)
    os.chdir(base)
    store = subject.make(Path("store"))
    await store.connect()
    for step in range(STEPS):
        match rng.randrange(4):
            case 0:
                change = rng.choice(place.changes())
                story.append(change.__name__)
                change()
            case 1 if place.found:  # else nothing keeps the child from what is there
                story.append("fork")
                await _fork(subject, store, rng)
                tally.outcomes["forks"] += 1
            case _:
                story.append("write")
                await _write(tally, subject, store, place, f"{step}")
    story.append("close")
    await store.disconnect()
    place.check_foreign()


async def _write(tally: Tally, subject: Subject, store: Any, place: Place, id: str) -> None:
    try:
        await subject.write(store, id, 1)
    except StorageError:
        tally.outcomes["refused"] += 1
        if place.found:
            raise
    else:
        tally.outcomes["acknowledged"] += 1
        if not place.found:
            raise AssertionError(f"{id} was acknowledged, and the next opening does not find it")
        await at_rest(store)
        copy_files(place.path, copied := place.path.with_name("copied"))
        async with subject.make(copied) as survivor:
            assert_same(timeless(await subject.read(survivor)), timeless(await subject.read(store)))


async def _fork(subject: Subject, store: Any, rng: random.Random) -> None:
    """Fork in the middle of a write or not, and let the child try to write."""
    writing = asyncio.ensure_future(subject.write(store, "forked", 1)) if rng.random() < 0.5 else None
    for _ in range(rng.randrange(4)):
        await asyncio.sleep(0)
    child = os.fork()
    if not child:
        os._exit(_child(subject, store))
    _, status = os.waitpid(child, 0)  # noqa: ASYNC222
    if writing is not None:
        await asyncio.gather(writing, return_exceptions=True)
        await asyncio.gather(subject.remove(store, "forked"), return_exceptions=True)
    if status:
        raise AssertionError("a forked child wrote to the store that its parent has open")


def _child(subject: Subject, store: Any) -> int:
    async def use() -> None:
        await store.connect()
        await subject.write(store, "child", 1)

    try:
        asyncio.run(use())
    except RegistryError:
        return 0
    except BaseException:
        return 2
    return 1
