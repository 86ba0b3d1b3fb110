"""Words that messages share."""

from semseg.system.wording import listing


def test_a_listing_names_the_first_ones_and_counts_the_rest():
    assert listing([]) == ""
    assert listing("abc") == "a, b, c"
    assert listing("abcd") == "a, b, c and 1 more"
    assert listing(range(12), 2) == "0, 1 and 10 more"
