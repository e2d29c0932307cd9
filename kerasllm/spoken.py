"""Which of the two languages a person reads."""

from __future__ import annotations

import locale
import os


def language() -> str:
    """ "zh" where the environment speaks Chinese, else "en"."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    return "zh" if (spoken or locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"
