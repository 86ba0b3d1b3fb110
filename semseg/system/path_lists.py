"""Read text files that list paths: of inputs, of pairs, of annotation files."""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

from semseg.errors import InvalidInputError, MissingInputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_list_text(path: str | Path) -> str:
    """Return the text of a list: UTF-8, or UTF-16 or UTF-32 with a byte order mark, without the mark.

    Bytes that are not UTF-8 stay what they are, as in file names of other encodings.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds bytes that no text has, as a photograph or UTF-16 without a mark does.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInputError(f"no list {path}")
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "strict")
    except UnicodeError as error:
        raise InvalidInputError(f"{path} is not text ({error}); expected UTF-8, or UTF-16 with its mark") from None
    if "\0" in text:
        raise InvalidInputError(f"{path} is not text; expected UTF-8, or UTF-16 with its mark")
    return text


def resolve_listed_path(text: str, root: Path) -> Path:
    """Return the path that a line names, relative to `root` unless it is absolute.

    Unless a file with exactly that name exists, back slashes separate folders, as Windows writes them, and accents may
    be spelled in either way, `é` in one character or `e` and an accent in two, as macOS writes them.
    """
    path = root / text
    if path.exists():
        return path
    text = text.replace("\\", "/")
    spellings = (root / unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    return next((spelling for spelling in spellings if spelling.exists()), root / text)


def read_path_list(path: str | Path) -> list[tuple[int, str]]:
    """Return the lines of a list that name something, with their numbers from 1 on.

    Empty lines are left out. A line that starts with `#` is a comment, unless a file of that name lies beside the list.

    Raises:
        FileNotFoundError, ValueError: see `read_list_text`.
    """
    path = Path(path)
    lines = ((number, line.strip()) for number, line in enumerate(read_list_text(path).splitlines(), 1))
    return [(n, line) for n, line in lines if line and not (line.startswith("#") and not (path.parent / line).exists())]
