"""Control codes: what stands before a text, in training and in use alike, and says what it is to be like.

Source    Keskar et al. 2019, arXiv:1909.05858 (CTRL), section 3: p(x | c), the code before the text
Differs   only the text is learned, not the code; some texts are learned without one, so that the same model can be
          asked for none (Ho & Salimans 2022, arXiv:2207.12598, algorithm 1), which `contrast` needs
"""

from __future__ import annotations

import re

from langwright.data.characters import CHARACTERS

_CHINESE = re.compile(f"[{CHARACTERS}]")


def code(label: str) -> str:
    """The code of a label, with what parts it from the text.

    >>> code("Positive"), code("好评")
    ('Positive: ', '好评：')
    """
    return f"{label}：" if _CHINESE.search(label) else f"{label}: "
