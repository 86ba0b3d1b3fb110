"""Groups of pictures that must not be divided between splits: of one drive, sequence, patient, street or flight.

Neighbouring frames resemble each other so much that a model which has seen one knows the other; a score on such a
split is too high. The evidence for groups, in the order in which `propose` asks for it:

1. File names and folders (`names`). They are free, and they say what the author of the set knew.
2. Time and place of EXIF, or the time in the file name (`capture`): pictures within 60 seconds or 25 metres.
3. Similarity of the pictures (`similarity`): it confirms names on a sample, and alone finds only frames of a video.
"""
