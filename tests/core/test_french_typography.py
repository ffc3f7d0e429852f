"""Where no line of a French text breaks: the rule, and that all the catalogue's sentences and numbers keep to it."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from marsshot.core.catalog import Catalog, load_texts
from marsshot.core.french_typography import with_firm_blanks


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("Achats : permis ; ventes aussi", "Achats_: permis_; ventes aussi"),
        ("Vendre ? Oui !", "Vendre_? Oui_!"),
        ("dont « Trade » et 95 %", "dont «_Trade_» et 95_%"),
        ("frais de 0,10 %.", "frais de 0,10_%."),
        ("dans 3 min, 10 jours, 5 s", "dans 3_min, 10_jours, 5_s"),
        ("pour 10 euros ou 500 USDT", "pour 10_euros ou 500_USDT"),
        ("{worth:money} {quote} et {qty} {symbol}", "{worth:money}_{quote} et {qty}_{symbol}"),
        ("{count} {count:token a/tokens ont} un score", "{count}_{count:token a/tokens ont} un score"),
        ("{minutes} min : {low:+.0%} à {high:+.0%}", "{minutes}_min_: {low:+.0%} à {high:+.0%}"),
    ],
)
def test_no_line_breaks_before_a_sign_or_a_unit(written: str, told: str) -> None:
    assert with_firm_blanks(written) == told.replace("_", "\u00a0")


@pytest.mark.parametrize(
    "text",
    [
        "mettez chat_id: {number}",
        "docker compose exec marsshot marsshot",
        "argument %(argument_name)s",
        "chmod 600 {path}",
        "de {first} à {last}",
        "x4, puis 30 derniers",
    ],
)
def test_other_blanks_stay_and_so_do_commands(text: str) -> None:
    assert with_firm_blanks(text) == text


def test_no_french_sentence_has_an_ordinary_blank_where_no_line_may_break() -> None:
    breaks = re.compile(r" (?:[:;?!»]|%(?![(\w]))|« ")
    assert [key for key, text in load_texts("fr").items() if breaks.search(text)] == []


AMOUNT = Catalog("fr").text("request.deposit.done", amount=Decimal("1704.634"), asset="USDT", capital=Decimal(-1))


@pytest.mark.parametrize(
    "told",
    [
        AMOUNT[AMOUNT.index("1") : AMOUNT.index("USDT")],
        Catalog("fr").show(0.951, "percent"),
        Catalog("fr").show(Decimal("1234567.8"), "price"),
        Catalog("fr").show(timedelta(days=3)),
        Catalog("fr").show(("a", "b")),
    ],
)
def test_a_number_with_its_unit_and_a_row_of_texts_have_no_ordinary_blank_where_a_line_may_not_break(
    told: str,
) -> None:
    assert not re.search(r" (?!b)", told), told
