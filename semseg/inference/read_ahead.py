"""Photographs that are read before the model comes to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from semseg.inference.reading import Photograph
from semseg.inference.sources import SourceImage

NUM_READERS = 2
_AHEAD_PIXELS = 2**26  # that are decoded and wait for the model: 200 MB


class ReadImage(NamedTuple):
    """A photograph, and the seconds that reading it took."""

    source: SourceImage
    photograph: Photograph | None  # None: a TIFF file too large for that, which goes by tiles
    seconds: float

    @property
    def size(self) -> tuple[int, int] | None:
        return self.photograph.image.shape[:2] if self.photograph else None


class Readers:
    """A few threads that read."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(NUM_READERS)

    def groups(
        self,
        images: Sequence[SourceImage],
        read: Callable[[SourceImage], ReadImage | None],
        batch_of: Callable[[int], int],
    ) -> Iterator[list[ReadImage]]:
        """Read ahead, and yield images of one size together; the oldest is always among them.

        Args:
            images: in order.
            read: called in the threads; None leaves an image out.
            batch_of: says how many images of a number of pixels go together at most.
        """
        rest, waiting = iter(images), deque()
        num_ahead, batch = 2, 1

        def fill() -> None:
            while len(waiting) < num_ahead and (source := next(rest, None)) is not None:
                waiting.append(self._threads.submit(read, source))

        fill()
        while waiting:
            first = waiting.popleft().result()
            if first is not None and first.size is None:
                yield [first]
            elif first is not None:
                height, width = first.size
                batch = batch_of(height * width)
                # a photograph that fills the memory has few others wait behind it
                num_ahead = max(1, min(NUM_READERS + 2 * batch, _AHEAD_PIXELS // (height * width)))
                fill()
                group = [first, *_alike(first, waiting, batch - 1)]
                fill()
                yield group
            fill()

    def stop(self) -> None:
        """Read no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _alike(first: ReadImage, waiting: deque[Future], num_wanted: int) -> list[ReadImage]:
    """Take up to `num_wanted` images of the same size out of those that wait."""
    found = []
    for future in list(waiting):
        if len(found) == num_wanted:
            break
        read = future.result()
        if read is None or read.size == first.size:
            waiting.remove(future)
            found += [read] if read is not None else []
    return found
