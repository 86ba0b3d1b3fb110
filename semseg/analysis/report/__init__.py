"""The report of a run: collect.py reads files, the charts make figures of numbers, page.py writes the HTML."""
