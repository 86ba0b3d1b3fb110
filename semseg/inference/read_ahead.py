"""Read photographs in threads, before the model needs them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from semseg.inference.reading import Photograph
from semseg.inference.sources import SourceImage

NUM_READERS = 2
NUM_READERS_OF_OBJECTS = 16  # most of the time they wait for the storage
_AHEAD_PIXELS = 2**26  # that are decoded and wait for the model; 200 MB


class ReadImage(NamedTuple):
    """A photograph that was read.

    Attributes:
        source: the file.
        photograph: None for a TIFF file that is too large for the memory, which is segmented by tiles.
        seconds: that reading took.
    """

    source: SourceImage
    photograph: Photograph | None
    seconds: float

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width; None if there is no photograph."""
        if self.photograph is None:
            return None
        height, width = self.photograph.image.shape[:2]
        return height, width


class Readers:
    """Reads in a few threads."""

    def __init__(self, num_threads: int = NUM_READERS) -> None:
        self._num_threads = num_threads
        self._threads = ThreadPoolExecutor(num_threads)

    def groups(
        self,
        images: Sequence[SourceImage],
        read: Callable[[SourceImage], ReadImage | None],
        batch_of: Callable[[int], int],
    ) -> Iterator[list[ReadImage]]:
        """Read ahead, and yield groups of images of one size; each group has the oldest image that was not yielded.

        Args:
            images: in order.
            read: called in the threads; an image for which it returns None is left out.
            batch_of: returns the largest number of images in a group, for a number of pixels per image.
        """
        rest = iter(images)
        waiting: deque[Future[ReadImage | None]] = deque()
        num_ahead = self._num_threads

        def fill() -> None:
            while len(waiting) < num_ahead and (source := next(rest, None)) is not None:
                waiting.append(self._threads.submit(read, source))

        fill()
        while waiting:
            first = waiting.popleft().result()
            if first is not None and first.photograph is None:
                yield [first]
            elif first is not None and first.photograph is not None:
                height, width = first.photograph.image.shape[:2]
                batch = batch_of(height * width)
                # the larger the photographs, the fewer are read ahead
                num_ahead = max(1, min(self._num_threads + 2 * batch, _AHEAD_PIXELS // (height * width)))
                fill()
                group = [first, *_take_same_size(first, waiting, batch - 1)]
                fill()
                yield group
            fill()

    def stop(self) -> None:
        """Stop reading."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _take_same_size(first: ReadImage, waiting: deque[Future[ReadImage | None]], num_wanted: int) -> list[ReadImage]:
    """Remove up to `num_wanted` images of the size of the first from those that wait, and return them.

    Modifies `waiting`.
    """
    same_size: list[ReadImage] = []
    for future in list(waiting):
        if len(same_size) == num_wanted:
            break
        read = future.result()
        if read is None or read.size == first.size:
            waiting.remove(future)
            same_size += [read] if read is not None else []
    return same_size
