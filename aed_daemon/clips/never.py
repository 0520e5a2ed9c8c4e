"""Whether this build may record at all.

`make deb NEVER_RECORD=1` and `NEVER_RECORD=1 systemd/install.sh` replace this file in what they
install: no configuration can turn recording on there.
"""

from __future__ import annotations

NEVER_RECORD: bool = False

REASON = "this build of aed-daemon never records (it was made with NEVER_RECORD=1)"
