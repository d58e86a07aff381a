"""The studio's types are those of the interface as it is now. Needs no Node: the file says what it was made from."""

from __future__ import annotations

from scripts.studio import SCHEMA, interface, mark_of


def test_the_types_are_made_from_the_interface_of_now() -> None:
    first = SCHEMA.read_text(encoding="utf-8").partition("\n")[0]
    assert first == mark_of(interface()), "the interface has changed: python -m scripts.studio types"


def test_a_changed_interface_has_another_mark() -> None:
    document = interface()
    assert mark_of(document) == mark_of(interface()) != mark_of(document.replace("JobShown", "JobSeen"))
