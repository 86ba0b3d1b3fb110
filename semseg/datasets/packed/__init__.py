"""Packed sets: decoded pictures and masks in compressed tiles, from which any part of any picture is read quickly."""
