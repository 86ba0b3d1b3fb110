"""Read text files that list paths: inputs, pairs, or annotation files."""

from __future__ import annotations

import codecs
import unicodedata
from pathlib import Path

from semseg.errors import InvalidInputError, MissingInputError
from semseg.system.objects.addresses import refuse_address

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_list_text(path: str | Path) -> str:
    """Return the text of a list: UTF-8, or UTF-16 or UTF-32 with a byte order mark, which is removed.

    Bytes that are not UTF-8 are kept (as surrogate escapes), because file names may contain them.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is not text, for example a photograph, or UTF-16 without a byte order mark.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInputError(f"no list {path}", code="E-input-missing")
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "strict")
    except UnicodeError as error:
        raise InvalidInputError(
            f"{path} is not text ({error}); expected UTF-8, or UTF-16 with a byte order mark", code="E-input-unreadable"
        ) from None
    if "\0" in text:
        raise InvalidInputError(
            f"{path} is not text; expected UTF-8, or UTF-16 with a byte order mark", code="E-input-unreadable"
        )
    return text


def resolve_listed_path(text: str, root: Path) -> Path:
    """Return the path that a line names, relative to `root` unless it is absolute.

    If no file has exactly that name, backslashes are taken as separators (as on Windows), and names with accents are
    tried in both Unicode forms: `é` as one character, or as `e` and an accent (as on macOS).

    Raises:
        ValueError: it is an address of object storage.
    """
    refuse_address(text, "list")
    path = root / text
    if path.exists():
        return path
    text = text.replace("\\", "/")
    spellings = (root / unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    return next((spelling for spelling in spellings if spelling.exists()), root / text)


def read_path_list(path: str | Path) -> list[tuple[int, str]]:
    """Return the lines of a list that name a path, with their line numbers, starting at 1.

    Empty lines are skipped. A line that starts with `#` is a comment, unless the folder of the list has a file of that
    name.

    Raises:
        FileNotFoundError, ValueError: as `read_list_text`.
    """
    path = Path(path)
    lines = ((number, line.strip()) for number, line in enumerate(read_list_text(path).splitlines(), 1))
    return [(n, line) for n, line in lines if line and not (line.startswith("#") and not (path.parent / line).exists())]
