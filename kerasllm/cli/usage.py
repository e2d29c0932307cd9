"""What the command line's library says of a command that it cannot take, in Chinese; a new sentence stays English."""

from __future__ import annotations

import re

SENTENCES = {
    r'Unknown command "(.*?)"\.(?: Did you mean "(?P<hint>.*?)"\?)? Available commands: .*': '没有命令 "{0}"',
    r"Unknown option: (\S+?)\.(?: Did you mean (?P<hint>\S+?)\?)?": "没有选项 {0}",
    r'Invalid value "(.*)" for (\S+)\. Choose from: (.*)\.': '{1} 的值不能是 "{0}"；可选：{2}',
    r'Invalid value for (\S+): unable to convert "(.*)" into int\.': '{0} 的值 "{1}" 不是整数',
    r'Command ".*" parameter (\S+) requires an argument\.': "缺少 {0} 的值",
    r'Command ".*" parameter (\S+) requires (\d+) positional arguments\. Only got (\d+)\.': (
        "{0} 需要 {1} 个值，只给出了 {2} 个"
    ),
    r"Parameter (\S+) specified multiple times\.": "{0} 给出了多次",
}


def in_chinese(sentence: str) -> str:
    """The library's sentence in Chinese, where it is a known one."""
    for pattern, chinese in SENTENCES.items():
        if found := re.fullmatch(pattern, sentence, re.DOTALL):
            hint = found.groupdict().get("hint")
            return chinese.format(*found.groups()) + (f"；是否指 {hint}？" if hint else "")
    return sentence
