"""Names of languages by their codes, in English and in Chinese."""

from __future__ import annotations

from langwright.wording import Language

NAMES: dict[str, tuple[str, str]] = {
    "ar": ("Arabic", "阿拉伯语"), "de": ("German", "德语"), "en": ("English", "英语"), "es": ("Spanish", "西班牙语"),
    "fr": ("French", "法语"), "it": ("Italian", "意大利语"), "ja": ("Japanese", "日语"), "ko": ("Korean", "韩语"),
    "pt": ("Portuguese", "葡萄牙语"), "ru": ("Russian", "俄语"), "vi": ("Vietnamese", "越南语"), "zh": ("Chinese", "中文"),
}  # fmt: skip


def named(code: str, language: Language = "en") -> str:
    """What a language is called in a language; its code where the name is not known.

    >>> named("de", "zh"), named("xx")
    ('德语', 'xx')
    """
    english, chinese = NAMES.get(code, (code, code))
    return chinese if language == "zh" else english


def language_of(text: str) -> Language:
    """zh when at least a tenth of the text's characters are Chinese, else en: the language to ask in."""
    letters = [letter for letter in text if not letter.isspace()]
    chinese = sum("\u4e00" <= letter <= "\u9fff" for letter in letters)
    return "zh" if letters and chinese >= len(letters) / 10 else "en"
