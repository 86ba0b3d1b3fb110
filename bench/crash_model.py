"""Which files a power cut may leave behind: a model of a file system that promises no more than POSIX does.

A program is recorded (`recording.py`), and `CrashModel` computes what may be on the disk after the power was cut
between two of its system calls:

* Data reaches the disk at the `fsync` of its file. Before that, each write may be there, in part or not at all; the
  length of the file may be there without the data, which then reads as zeros.
* A name (create, rename, unlink, mkdir, symlink) reaches the disk at the `fsync` of its folder. Before that, each of
  these operations may have happened or not, in any order, but operations on one name keep their order.
* A rename is atomic: both of its names change, or none.

ext4, XFS and Btrfs promise more. The method is that of ALICE (Pillai et al., All File Systems Are Not Created Equal,
OSDI 2014) and of CrashMonkey (Mohan et al., Finding Crash-Consistency Bugs with Bounded Black-Box Crash Testing,
OSDI 2018): record the calls, generate the states that are legal after a crash, and run the program's own recovery.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.recording import Operation

_BLOCK = 4096
_ROOT = 0
_REBOOT_S = 60
RULES = ("none", "all", "sizes", "half", "blocks")
"""What may have reached the disk of the data that was not synced: nothing, all, only the length, the first half of the
writes, or some blocks."""


class State(NamedTuple):
    """What is on the disk after a crash.

    Attributes:
        event: after which event the power was cut.
        links: targets of symbolic links by path.
        files: content by path.
        folders: paths.
    """

    event: int
    links: dict[str, str]
    files: dict[str, bytes]
    folders: set[str]

    def identity(self) -> tuple:
        """Return the same for equal states."""
        files = frozenset((path, len(content), hash(content)) for path, content in self.files.items())
        return files, frozenset(self.links.items()), frozenset(self.folders)

    def write(self, folder: Path) -> None:
        """Write the files to a new folder, as old as after a reboot."""
        folder.mkdir(parents=True)
        for name in sorted(self.folders):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
            os.utime(folder / name, (time.time() - _REBOOT_S,) * 2)
        for name, target in self.links.items():
            (folder / name).symlink_to(target)


class _Event(NamedTuple):
    """A step of a recorded operation: names that change together, data of a file, or the sync of a file or folder."""

    names: tuple[tuple[int, str, int | None], ...] = ()  # folder, name, file or None
    file: int | None = None  # of data
    offset: int = 0
    data: bytes | None = None  # None: `offset` is the new length
    synced: int | None = None
    target: str = ""  # of a rename


class CrashModel:
    """Computes legal states.

    Args:
        folder: the recorded folder before the program ran, all of which is on the disk.
        operations: of the program.
    """

    def __init__(self, folder: Path, operations: list[Operation]) -> None:
        self._names: dict[int, dict[str, int]] = {_ROOT: {}}  # entries of folders, by number
        self._links: dict[int, str] = {}
        self._before: dict[int, bytes] = {}
        self._next = _ROOT + 1
        self._add_existing(folder, _ROOT)
        self._names_before = {number: dict(names) for number, names in self._names.items()}
        self._sizes = {number: len(content) for number, content in self._before.items()}
        self.events: list[_Event] = []
        self._contents: dict[tuple, bytes] = {}
        for operation in operations:
            self.events.extend(self._events_of(operation))

    def final(self) -> State:
        """Return the state after the last event, as the program has left it."""
        return self.state(len(self.events), lambda event: True, lambda file: "all", random.Random(0))

    def live(self, event: int) -> State:
        """Return what the program saw before the crash."""
        return self.state(event, lambda event: True, lambda file: "all", random.Random(0))

    def published(self) -> dict[str, set[bytes]]:
        """Return the versions that each file had when it was complete.

        A file is complete before the program starts, and when it gets its name, or that of its folder, by a rename.
        """
        versions: dict[str, set[bytes]] = {}
        for path, content in self.live(0).files.items():
            versions.setdefault(path, set()).add(content)
        for i, event in enumerate(self.events):
            for path, content in self.live(i + 1).files.items() if event.target else ():
                if path == event.target or path.startswith(f"{event.target}/"):
                    versions.setdefault(path, set()).add(content)
        return versions

    def states(self, num_random: int, seed: int = 0) -> Iterator[State]:
        """Yield different states: for each event the extremes, and some by chance."""
        rng = random.Random(seed)
        seen = set()
        for event in range(len(self.events) + 1):
            for number in range(4 + num_random):
                if number < 4:
                    keeps = [False, True, True, True][number]
                    rule = ["none", "none", "sizes", "half"][number]
                    state = self.state(event, lambda _, keeps=keeps: keeps, lambda _, rule=rule: rule, rng)
                else:
                    share = rng.random()
                    state = self.state(
                        event, lambda _, share=share: rng.random() < share, lambda _: rng.choice(RULES), rng
                    )
                if (identity := state.identity()) not in seen:
                    seen.add(identity)
                    yield state

    def state(
        self, event: int, keeps: Callable[[int], bool], rule_of: Callable[[int], str], rng: random.Random
    ) -> State:
        """Return the state after a crash.

        Args:
            event: the number of events before it.
            keeps: whether a change of names that is not synced has happened, by its number.
            rule_of: of RULES, by file.
            rng: for `blocks`.
        """
        last_sync = {e.synced: i for i, e in enumerate(self.events[:event]) if e.synced is not None}
        kept: set[int] = set()
        last_change: dict[tuple[int, str], int] = {}
        before: dict[int, list[int]] = {}
        for i, change in enumerate(self.events[:event]):
            if not change.names:
                continue
            before[i] = [last_change[key] for n in change.names if (key := n[:2]) in last_change]
            last_change.update({n[:2]: i for n in change.names})
            if all(last_sync.get(n[0], -1) > i for n in change.names):
                waiting = [i]
                while waiting:  # what it is based on is on the disk, too
                    kept.add(number := waiting.pop())
                    waiting += [other for other in before[number] if other not in kept]
        for i, based_on in before.items():
            if i not in kept and all(other in kept for other in based_on) and keeps(i):
                kept.add(i)
        names = {number: dict(entries) for number, entries in self._names_before.items()}
        for i in sorted(kept):
            for folder, name, file in self.events[i].names:
                names.setdefault(folder, {}).pop(name, None)
                if file is not None:
                    names[folder][name] = file
        data: dict[int, list[int]] = {}
        for i, change in enumerate(self.events[:event]):
            if change.file is not None:
                data.setdefault(change.file, []).append(i)
        state = State(event, {}, {}, set())
        self._collect(_ROOT, "", names, lambda file: self._content(file, data, last_sync, rule_of, rng), state)
        return state

    def _collect(self, folder: int, start: str, names: dict, content_of: Callable[[int], bytes], state: State) -> None:
        for name, number in names.get(folder, {}).items():
            path = f"{start}{name}"
            if number in self._links:
                state.links[path] = self._links[number]
            elif number in self._names:
                state.folders.add(path)
                self._collect(number, f"{path}/", names, content_of, state)
            else:
                state.files[path] = content_of(number)

    def _content(self, file: int, data: dict, last_sync: dict, rule_of: Callable[[int], str], rng) -> bytes:
        changes = data.get(file, [])
        synced = [i for i in changes if last_sync.get(file, -1) > i]
        rule = rule_of(file) if len(synced) < len(changes) else "none"
        key = (file, len(synced), len(changes) if rule != "none" else 0, rule)
        if key in self._contents:
            return self._contents[key]
        content = self._build(file, synced, changes[len(synced) :], rule, rng)
        if rule != "blocks":
            self._contents[key] = content
        return content

    def _build(self, file: int, synced: list[int], rest: list[int], rule: str, rng: random.Random) -> bytes:
        content = bytearray(self._before.get(file, b""))
        for i in synced:
            self._apply(content, self.events[i])
        if rule == "half":
            for i in rest[: len(rest) // 2]:
                self._apply(content, self.events[i])
            event = self.events[rest[len(rest) // 2]]
            self._apply(content, event._replace(data=event.data and event.data[: len(event.data) // 2]))
        elif rule == "sizes":
            for i in rest:
                event = self.events[i]
                self._apply(content, event._replace(data=event.data and bytes(len(event.data))))
        elif rule == "all":
            for i in rest:
                self._apply(content, self.events[i])
        elif rule == "blocks":
            for i in rest:
                event = self.events[i]
                if event.data is None:
                    if rng.random() < 0.5:
                        self._apply(content, event)
                    continue
                blocks = (event.data[at : at + _BLOCK] for at in range(0, len(event.data), _BLOCK))
                some = b"".join(block if rng.random() < 0.5 else bytes(len(block)) for block in blocks)
                self._apply(content, event._replace(data=some))
        return bytes(content)

    @staticmethod
    def _apply(content: bytearray, event: _Event) -> None:
        if event.data is None:
            del content[event.offset :]
            content.extend(bytes(event.offset - len(content)))
        else:
            content.extend(bytes(max(0, event.offset - len(content))))
            content[event.offset : event.offset + len(event.data)] = event.data

    def _add_existing(self, path: Path, folder: int) -> None:
        for entry in sorted(path.iterdir()) if path.is_dir() else ():
            number, self._next = self._next, self._next + 1
            self._names[folder][entry.name] = number
            if entry.is_symlink():
                self._links[number] = str(entry.readlink())
            elif entry.is_dir():
                self._names[number] = {}
                self._add_existing(entry, number)
            else:
                self._before[number] = entry.read_bytes()

    def _find(self, path: str) -> tuple[int, str, int | None]:
        """Return the folder, the name in it, and the file of a path in the names that the program sees."""
        *parents, name = path.split("/")
        folder = _ROOT
        for parent in parents:
            folder = self._names[folder][parent]
        return folder, name, self._names[folder].get(name)

    def _change(self, *names: tuple[int, str, int | None]) -> _Event:
        for folder, name, file in names:
            self._names[folder].pop(name, None)
            if file is not None:
                self._names[folder][name] = file
        return _Event(names=names)

    def _events_of(self, operation: Operation) -> Iterator[_Event]:
        """Yield the events of an operation; none if it failed or had no effect."""
        kind = operation.kind
        if operation.path == ".":
            if kind == "fsync":
                yield _Event(synced=_ROOT)
            return
        try:
            folder, name, file = self._find(operation.path)
        except KeyError:  # no such folder: mkdir(parents=True) tries the last one first
            return
        if kind == "open":
            is_truncated = operation.flags & os.O_TRUNC and not operation.flags & os.O_EXCL
            if file in self._links and file is not None:
                target = os.path.normpath(Path(operation.path).parent / self._links[file])
                yield from self._events_of(operation._replace(path=target))
            elif file is None and operation.flags & os.O_CREAT:
                number, self._next = self._next, self._next + 1
                self._sizes[number] = 0
                yield self._change((folder, name, number))
            elif file is not None and is_truncated and self._sizes[file]:
                self._sizes[file] = 0
                yield _Event(file=file)
        elif kind in ("write", "truncate") and file is not None:
            offset = self._sizes[file] if operation.offset == -1 else operation.offset
            end = offset + len(operation.data)
            self._sizes[file] = end if kind == "truncate" else max(end, self._sizes[file])
            yield _Event(file=file, offset=offset, data=operation.data if kind == "write" else None)
        elif kind == "fsync" and file is not None:
            yield _Event(synced=file)
        elif kind == "rename" and file is not None:
            to_folder, to_name, _ = self._find(operation.target)
            yield self._change((folder, name, None), (to_folder, to_name, file))._replace(target=operation.target)
        elif kind in ("unlink", "rmdir") and file is not None:
            if not self._names.get(file):  # else a folder that is not empty
                yield self._change((folder, name, None))
        elif kind in ("mkdir", "symlink") and file is None:
            number, self._next = self._next, self._next + 1
            if kind == "mkdir":
                self._names[number] = {}
            else:
                self._links[number] = operation.target
            yield self._change((folder, name, number))
