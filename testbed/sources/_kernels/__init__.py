"""Compiled kernels (numba). Nothing here is imported before tokens are asked for, so that commands start fast.

`philox` makes random words, `alias` builds tables of integer laws, `chain` walks through them. Each has a slow, obvious
twin in the tests. Compiled code is kept on disk, one entry a source file: a change in one file is not seen by the
cached kernels of another that calls it, so touch (or delete the `__pycache__` of) the callers too.

Threads that wait give their processor back instead of spinning: on a busy machine two spinning threads make a call of
a few microseconds take milliseconds. OpenMP reads this once, before its first region; a user's own setting stands.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
