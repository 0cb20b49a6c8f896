"""Capture deep-sky subs, live-stack them, and tell the truth about their noise."""

import os

# numpy's linear algebra here is small: of its threads one per core would spin, at 2 % of all CPU time.
# It counts only before numpy is imported, hence in this place.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
