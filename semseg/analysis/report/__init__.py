"""One page about a run: collect (files to plain data), charts (numbers to figures), page (all of it to HTML)."""
