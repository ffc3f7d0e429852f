"""Who the owner is: a number, in a private chat of his own, with words of his own. Everybody else is a stranger."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsshot.telegram.updates import Ignored, OwnerTap, OwnerText, Stranger, read_update

OWNER = 71_000_001
OTHER = 82_000_002


def written(text: object = "/status", /, **changes: Any) -> dict[str, Any]:
    message = {
        "message_id": 1,
        "date": 1_800_000_000,
        "from": {"id": OWNER, "is_bot": False, "first_name": "Jean"},
        "chat": {"id": OWNER, "type": "private"},
        "text": text,
    }
    return {"update_id": 7, "message": message | changes}


def tapped(data: object = "y.x", /, **changes: Any) -> dict[str, Any]:
    query = {
        "id": "tap",
        "from": {"id": OWNER, "is_bot": False, "first_name": "Jean"},
        "message": {"message_id": 1, "date": 0, "chat": {"id": OWNER, "type": "private"}},
        "data": data,
    }
    return {"update_id": 7, "callback_query": query | changes}


def test_what_the_owner_writes_and_taps() -> None:
    assert read_update(written(), OWNER) == OwnerText(7, "/status", 1_800_000_000)
    assert read_update(tapped(), OWNER) == OwnerTap(7, "tap", "y.x")


@pytest.mark.parametrize(
    "changes",
    [
        {"from": {"id": OTHER, "is_bot": False, "first_name": "Eve"}},
        {"from": {"id": OTHER, "first_name": "Eve"}, "chat": {"id": OTHER, "type": "private"}},
        {"from": {"id": OTHER, "first_name": "Jean", "username": "jean"}},
        {"from": {"id": OWNER, "is_bot": True, "first_name": "Jean"}},
    ],
)
def test_somebody_else_is_a_stranger_whatever_he_calls_himself(changes: dict[str, Any]) -> None:
    assert isinstance(read_update(written("/sellall", **changes), OWNER), Stranger)
    assert isinstance(read_update(tapped(**changes), OWNER), Stranger)


@pytest.mark.parametrize(
    "changes",
    [
        {"chat": {"id": -100, "type": "group"}},
        {"chat": {"id": -100, "type": "supergroup"}},
        {"chat": {"id": OWNER, "type": "channel"}},
        {"chat": {"id": OTHER, "type": "private"}},
        {"sender_chat": {"id": -100, "type": "channel"}},
        {"forward_origin": {"type": "user", "sender_user": {"id": OTHER}}},
        {"forward_from": {"id": OTHER}},
        {"via_bot": {"id": 5}},
        {"text": None},
        {"date": "now"},
    ],
)
def test_in_a_group_forwarded_or_by_a_bot_it_is_not_his_word(changes: dict[str, Any]) -> None:
    assert read_update(written("/sellall", **changes), OWNER) == Ignored(7)


@pytest.mark.parametrize("kind", ["edited_message", "channel_post", "my_chat_member", "inline_query"])
def test_other_kinds_are_nothing(kind: str) -> None:
    assert read_update({"update_id": 7, kind: written("/sellall")["message"]}, OWNER) == Ignored(7)


@pytest.mark.parametrize(
    "changes",
    [
        {"message": {"chat": {"id": -100, "type": "group"}}},
        {"message": {"chat": {"id": OTHER, "type": "private"}}},
        {"message": None},
        {"inline_message_id": "1", "message": {}},
        {"data": None},
        {"data": 5},
    ],
)
def test_a_tap_counts_in_the_owners_chat_alone(changes: dict[str, Any]) -> None:
    assert read_update(tapped(**changes), OWNER) == Ignored(7)


@pytest.mark.parametrize("owner", [0, -5])
def test_without_an_owner_there_is_nobody(owner: int) -> None:
    changes = {"from": {"id": owner, "first_name": "x"}, "chat": {"id": owner, "type": "private"}}
    assert isinstance(read_update(written("/sellall", **changes), owner), Stranger)


def test_a_number_as_a_text_or_as_true_is_not_the_owners() -> None:
    for person in (str(OWNER), float(OWNER)):
        found = read_update(written("/sellall", **{"from": {"id": person, "first_name": "x"}}), OWNER)
        assert isinstance(found, Stranger | Ignored)


_KEYS = st.sampled_from(["id", "type", "text"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(content=st.dictionaries(st.sampled_from(["from", "chat", "text", "date", "data", "message", "id"]), _JSON))
def test_nothing_that_comes_ends_the_reading_and_nothing_odd_is_the_owners(content: dict[str, Any]) -> None:
    for kind in ("message", "callback_query"):
        found = read_update({"update_id": 7, kind: content}, OWNER)
        assert isinstance(found, Ignored | Stranger)
