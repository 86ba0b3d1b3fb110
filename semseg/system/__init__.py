"""Files, folders, processes, and facts about this machine; nothing about images or models."""
