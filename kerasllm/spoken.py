"""Which of the two languages a person reads, and what Chinese calls the things that a run's folder names in English."""

from __future__ import annotations

import locale
import os
import re
from collections.abc import Mapping
from typing import Any

SIDES = {"train": "训练", "validation": "验证", "test": "测试"}
NAMES = {
    **SIDES,
    # states
    "queued": "排队中",
    "running": "运行中",
    "stopping": "正在停止",
    "stopped": "已停止",
    "failed": "失败",
    "completed": "已完成",
    "gone": "进程已消失",
    "unreadable": "无法读取",
    # phases
    "starting": "正在启动",
    "starting the kernel": "正在启动内核",
    "cell": "单元格",
    "loading Keras": "正在加载 Keras",
    "reading the data": "读取数据",
    "building the network": "构建网络",
    "compiling": "编译",
    "training": "训练中",
    "scoring": "评分",
}


def language() -> str:
    """ "zh" where the environment speaks Chinese, else "en"."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    return "zh" if (spoken or locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"


def said(english: str, chinese: str) -> str:
    """What a person reads, in their language."""
    return chinese if language() == "zh" else english


def message(status: Mapping[str, Any]) -> str:
    """What a run's status tells of its end, in the person's language."""
    english = str(status.get("message", ""))
    return said(english, status.get("message_zh") or english)


def named(name: str, language: str) -> str:
    """A state, a phase or a split in `language`; a phase's count, as in "cell 2/5", is kept."""
    what, count = re.fullmatch(r"(.*?)( \d+/\d+)?", name).groups("")  # type: ignore[union-attr]
    return NAMES.get(what, what) + count if language == "zh" else name
