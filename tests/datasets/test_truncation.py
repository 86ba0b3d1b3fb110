import io

import pytest
from PIL import Image

from semseg.datasets.truncation import find_damage, find_png_chunk
from tests.checks.sets import photograph


def written(kind, **options):
    file = io.BytesIO()
    photograph(0, (300, 200)).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_a_complete_file_has_no_damage(kind):
    assert find_damage(written(kind)) == ""
    assert find_damage(written("JPEG", progressive=True)) == ""


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_file_cut_anywhere_is_truncated(kind):
    content = written(kind)
    for share in (0.3, 0.6, 0.9, 0.99):
        assert find_damage(content[: int(len(content) * share)]).startswith("truncated: ")


def test_the_end_of_an_embedded_preview_is_not_the_end_of_the_picture():
    content = written("JPEG")
    preview = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
    whole = content[:2] + preview + content[2:]
    assert find_damage(whole) == ""
    assert find_damage(whole[:-500]) == "truncated: no end mark"


def test_one_changed_byte_in_a_png_shows():
    content = bytearray(written("PNG"))
    content[len(content) // 2] ^= 1
    assert find_damage(bytes(content)) == "damaged: checksum of a part 'IDAT' differs"


def test_empty_and_unwritten_files():
    assert find_damage(b"") == "zero bytes"
    assert find_damage(bytes(5000)) == "only zeros at its beginning"


def test_a_part_of_a_png_is_found_without_decoding():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert find_png_chunk(written("PNG", exif=exif), b"eXIf")
    assert find_png_chunk(written("PNG"), b"eXIf") is None
    assert find_png_chunk(written("JPEG"), b"eXIf") is None
