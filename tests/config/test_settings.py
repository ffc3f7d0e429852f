"""config.yaml as it is read: what is complete, what is refused and in which words."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from marsshot.config.bot_files import BOT_FILES
from marsshot.config.loader import check_settings, read_settings
from marsshot.config.settings import Settings
from marsshot.config.training_tokens import DEFAULT_TRAINING_TOKENS
from marsshot.core.catalog import load_texts
from marsshot.core.errors import InputError
from marsshot.core.exit_settings import ExitSettings
from marsshot.core.lever_settings import LeverSettings
from tests.helpers.builders import ROOT, seed_content, some_settings
from tests.helpers.config_faults import SEED, changed, faults, faults_of_text, written
from tests.helpers.exit_settings import bounds_of

D = Decimal


def sections_of_the_model() -> dict[str, type[BaseModel]]:
    return {
        name: field.annotation
        for name, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


# --------------------------------------------------------------------------- what is complete


def test_the_shipped_file_is_valid_and_starts_the_demo() -> None:
    settings = read_settings(ROOT / "config.yaml")
    assert settings.mode == "demo"
    assert settings.secrets == ()


def test_the_shipped_file_has_the_rules_of_the_owner() -> None:
    shipped, seed = read_settings(ROOT / "config.yaml"), some_settings()
    assert shipped.exit_rules == seed.exit_rules
    assert shipped.daily_rules == seed.daily_rules
    assert shipped.strategy == seed.strategy.model_copy(update={"max_share_per_token": D("0.20")})
    assert seed.strategy.max_share_per_token == 1, "a file without the key splits as the seed says"


def test_the_shipped_file_names_every_key_there_is() -> None:
    sections = sections_of_the_model()
    keys = {f"{name}.{key}" for name, section in sections.items() for key in section.model_fields}
    keys |= Settings.model_fields.keys() - sections.keys()
    content = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    named = {f"{name}.{key}" for name, section in content.items() if isinstance(section, dict) for key in section}
    named |= {name for name, value in content.items() if not isinstance(value, dict) or name == "symbols"}
    assert named == keys


def _uncommented_keys(text: str) -> list[str]:
    """Return the keys with no comment on their line, above them, or above the section that they stand in."""
    silent, section_said, said_above = [], False, False
    for line in text.splitlines():
        key = re.match(r"( *)([a-z_]+):(.*)", line)
        if line.lstrip().startswith("#"):
            said_above = True
        elif key is None:
            said_above = said_above and bool(line.strip())
        else:
            said = said_above or " #" in key[3]
            if not key[1]:
                section_said = said
            if not said and not (key[1] and section_said) and key[3].strip():
                silent.append(key[2])
            said_above = False
    return silent


def test_a_key_without_a_comment_is_found() -> None:
    text = "# said\na: 1\nb: 2 # said\n\n# said of all\nc:\n  d: 1\n\ne:\n  f: 1 # said\n  g: 2\n"
    assert _uncommented_keys(text) == ["g"]


def test_every_key_of_the_shipped_file_is_explained() -> None:
    assert _uncommented_keys((ROOT / "config.yaml").read_text(encoding="utf-8")) == []


def test_a_file_with_the_owners_keys_and_a_mode_is_complete(tmp_path: Path) -> None:
    settings = read_settings(written(tmp_path, SEED))
    assert settings.mode == "live"
    assert settings.language == "en"
    assert settings.quote_asset == "USDT"
    assert settings.training_tokens == DEFAULT_TRAINING_TOKENS
    assert settings.symbols == {}
    assert settings.strategy.daily_update_minute_utc == 30
    assert settings.strategy.max_price_divergence == D("0.10")
    assert settings.strategy.max_history_divergence == D("0.50")
    label = {"days": 365, "shift_days": 2, "threshold": D("0.05"), "label": "rise"}
    assert settings.training.model_dump() == label | {"n_iter": 30, "recipe": "seed"}
    assert settings.strategy.score_scale == "raw"
    assert settings.lunarcrush.base_url == "https://lunarcrush.com"
    assert settings.lunarcrush.requests_per_minute == 10
    assert settings.coinbase.base_url == "https://api.coinbase.com"
    assert settings.binance_api.base_url == "https://api.binance.com"


def test_a_file_without_keys_logging_and_the_partial_share_is_complete_too() -> None:
    settings = some_settings()
    assert settings.strategy.partial_take_profit_ratio == D("0.20")
    assert settings.logging.file == "bot.log"
    assert settings.secrets == ()


def test_about_150_tokens_train_the_model_where_none_are_named() -> None:
    assert 140 <= len(DEFAULT_TRAINING_TOKENS) <= 160
    assert len(set(DEFAULT_TRAINING_TOKENS)) == len(DEFAULT_TRAINING_TOKENS)


def test_the_owners_names_are_translated_once() -> None:
    rules = some_settings().exit_rules
    assert (rules.stop_loss_fall, rules.trailing_fall) == (D("0.50"), D("0.30"))
    assert (rules.partial_exit_multiple, rules.partial_exit_share) == (D("2.0"), D("0.20"))
    assert rules.trailing_start_multiple == D("3.0")
    daily = some_settings().daily_rules
    assert (daily.buy_threshold, daily.sell_threshold, daily.big_gain_multiple) == (D("0.70"), D("0.30"), D("4.0"))


def test_numbers_are_the_exact_decimals_of_their_text(tmp_path: Path) -> None:
    text = SEED.replace("stop_loss_pct: 0.50", "stop_loss_pct: 0.1000000000000000055511151231")
    settings = read_settings(written(tmp_path, text))
    assert str(settings.strategy.stop_loss_pct) == "0.1000000000000000055511151231"
    assert str(settings.strategy.buy_threshold) == "0.70"


@pytest.mark.parametrize("number", ["1e3", "1E+3", "+1000", "1000", "1000.", "1000.00"])
def test_a_number_may_be_written_in_the_usual_ways(tmp_path: Path, number: str) -> None:
    settings = read_settings(written(tmp_path, SEED.replace("1000.0", number)))
    assert settings.strategy.capital_initial == 1000


@pytest.mark.parametrize("text", ["1_000", "0x3e8", "1:30", ".inf", ".nan", "1,5", "yes", "'1000'"])
def test_what_only_looks_like_a_number_is_none(tmp_path: Path, text: str) -> None:
    (line,) = faults_of_text(tmp_path, SEED.replace("1000.0", text))
    assert line.startswith(": strategy.capital_initial: ")
    assert line.endswith(" is not allowed; a number is needed")


def test_tokens_that_yaml_takes_for_yes_and_no_stay_text(tmp_path: Path) -> None:
    text = SEED.replace('  - "FET"\n', "  - ON\n  - NO\n  - Y\n  - OFF\n  - 1INCH\n")
    settings = read_settings(written(tmp_path, text))
    assert settings.tokens_daily == ("ON", "NO", "Y", "OFF", "1INCH", "AGIX", "ARB", "OP")


@pytest.mark.parametrize("ticker", ["NA", "NAN", "NULL", "TRUE", "FALSE", "1E5", "42", "None".upper()])
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_a_ticker_that_yaml_takes_for_something_else_stays_text(tmp_path: Path, ticker: str, quote: str) -> None:
    text = SEED.replace('  - "FET"\n', f"  - {quote}{ticker}{quote}\n")
    text += f"symbols:\n  {quote}{ticker}{quote}: {{lunarcrush: other}}\n"
    settings = read_settings(written(tmp_path, text))
    assert settings.tokens_daily == (ticker, "AGIX", "ARB", "OP")
    assert settings.lunarcrush_coin(ticker) == "other"


@pytest.mark.parametrize(
    ("ticker", "shown"), [("null", "an empty value"), ("~", "an empty value"), ("true", "True"), ("1.5", "1.5")]
)
def test_a_ticker_that_yaml_keeps_for_itself_is_told_with_its_place(tmp_path: Path, ticker: str, shown: str) -> None:
    (line,) = faults_of_text(tmp_path, SEED.replace('  - "FET"\n', f"  - {ticker}\n"))
    assert line == f": tokens_daily.0: {shown} is not allowed; a text is needed (put it in quotes)"


@pytest.mark.parametrize("venue", ["lunarcrush", "coinbase", "binance"])
def test_a_venues_name_that_yaml_reads_as_nothing_is_not_passed_over(tmp_path: Path, venue: str) -> None:
    (line,) = faults_of_text(tmp_path, f"{SEED}symbols:\n  FET: {{{venue}: NULL}}\n")
    assert line.startswith(f": symbols.FET.{venue}: an empty value is not allowed; ")
    assert "quotes" in line
    assert read_settings(written(tmp_path, f'{SEED}symbols:\n  FET: {{{venue}: "NULL"}}\n'))


@pytest.mark.parametrize("quote", ["USDT", "USDC", "FDUSD", "USD1"])
def test_prices_are_compared_in_dollars_and_these_are_worth_one(quote: str) -> None:
    assert check_settings(changed("quote_asset", quote), Path("config.yaml"), {}).quote_asset == quote


@pytest.mark.parametrize("quote", ["EUR", "BTC", "USD", "BUSD", "TUSD", "DAI"])
def test_what_is_no_dollar_is_refused_as_quote_asset_and_the_reason_told(quote: str) -> None:
    (line,) = faults(changed("quote_asset", quote))
    assert line == (
        f"quote_asset: {quote!r} is not allowed; one of USDT, USDC, FDUSD, USD1 is needed: "
        "the prices of all venues are compared in dollars"
    )


# --------------------------------------------------------------------------- faults

# key: the smallest and the largest value that is allowed (or just inside), and the nearest ones that are not
BOUNDS: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "strategy.capital_initial": ((D("0.01"), D(1_000_000_000)), (D(0), D("-1"), D("1000000000.01"))),
    "strategy.buy_threshold": ((D("0.0001"), D(1)), (D("1.0001"), D(2))),
    "strategy.sell_threshold": ((D(0), D("0.6999")), (D("-0.0001"),)),
    "strategy.big_gain_exception_pct": ((D("1.0001"), D(1000)), (D(1), D("1000.1"))),
    "strategy.check_interval_seconds": ((1, 86_400), (0, 86_401, -300)),
    "strategy.daily_update_hour_utc": ((0, 23), (-1, 24)),
    "strategy.daily_update_minute_utc": ((0, 59), (-1, 60)),
    "strategy.max_price_divergence": ((D("0.0001"), D(10)), (D(0), D("10.1"))),
    "strategy.max_history_divergence": ((D("0.0001"), D(10)), (D(0), D("10.1"))),
    "strategy.max_share_per_token": ((D("0.0001"), D(1)), (D(0), D("1.0001"))),
    "strategy.btc_trend_days": ((0, 400), (-1, 401)),
    "strategy.cooldown_days": ((0, 365), (-1, 366)),
    "strategy.max_drawdown_pause": ((D(0), D("0.9999")), (D("-0.0001"), D(1))),
    "training.days": ((36, 5000), (35, 5001)),
    "training.shift_days": ((1, 30), (0, 31)),
    "training.threshold": ((D("0.0001"), D(10)), (D(0), D("10.1"))),
    "training.n_iter": ((1, 10_000), (0, 10_001)),
    "lunarcrush.requests_per_minute": ((1, 10_000), (0, 10_001)),
    "bitvavo.operator_id": ((0, 2**53 - 1), (-1, 2**53)),
    # A further exit rule needs no line here.
    **{f"strategy.{key}": bounds_of(field) for key, field in ExitSettings.model_fields.items()},
}
# Those of the owner's own rules, to tell that their bounds are read well.
OWNERS_BOUNDS = {
    "strategy.stop_loss_pct": ((D("0.0001"), D("0.9999")), (D(0), D(1))),
    "strategy.partial_take_profit_pct": ((D("0.0001"), D(1000)), (D(0), D("1000.0001"))),
    "strategy.partial_take_profit_ratio": ((D("0.0001"), D("0.9999")), (D(0), D(1))),
    "strategy.trailing_trigger_pct": ((D("1.0001"), D(1000)), (D(1), D("1000.0001"))),
    "strategy.trailing_pct": ((D("0.0001"), D("0.9999")), (D(0), D(1))),
}


@pytest.mark.parametrize(("days", "is_allowed"), [(19, False), (20, True), (1, False)])
def test_a_mean_of_fewer_than_twenty_days_is_refused(days: int, is_allowed: bool) -> None:
    told = faults(changed("strategy.btc_trend_days", days))
    meaning = load_texts("en")["fault.config.meaning.btc_trend_days"]
    assert told == ([] if is_allowed else [f"strategy.btc_trend_days: {days} is not allowed; it must be {meaning}"])


def test_the_owners_exit_rules_have_their_bounds() -> None:
    assert OWNERS_BOUNDS.items() <= BOUNDS.items()


def test_the_table_of_bounds_has_every_number_there_is() -> None:
    numbers = {
        f"{name}.{key}"
        for name, section in sections_of_the_model().items()
        for key, field in section.model_fields.items()
        if field.annotation in {int, Decimal}
    }
    assert numbers == BOUNDS.keys()


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, (inside, _) in BOUNDS.items() for value in inside])
def test_a_value_at_its_bound_is_allowed(key: str, value: Any) -> None:
    others = {"strategy.sell_threshold": D(0)} if key == "strategy.buy_threshold" else {}
    assert faults(changed(key, value, **others)) == []


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, (_, outside) in BOUNDS.items() for value in outside])
def test_a_value_beyond_its_bound_is_told_with_what_is_allowed(key: str, value: Any) -> None:
    (line,) = faults(changed(key, value))
    assert line.startswith(f"{key}: {value} is not allowed; it must be ")
    assert any(word in line for word in ("above", "under", "at most", "or more", "or less", "from 0 to"))


@pytest.mark.parametrize("key", BOUNDS)
@pytest.mark.parametrize("value", ["300", "true", None, [], {}])
def test_a_number_of_the_wrong_type_is_told(key: str, value: Any) -> None:
    (line,) = faults(changed(key, value))
    shown = "an empty value" if value is None else repr(value)
    assert line.startswith(f"{key}: {shown} is not allowed; ")


# A key of an exit rule or a lever is told with its meaning instead.
WHOLE = [key for key, (inside, _) in BOUNDS.items() if isinstance(inside[0], int)]
EXPLAINED = {f"strategy.{key}" for section in (ExitSettings, LeverSettings) for key in section.model_fields}


@pytest.mark.parametrize("key", [key for key in WHOLE if key not in EXPLAINED])
def test_a_whole_number_is_asked_for_where_one_is_needed(key: str) -> None:
    assert faults(changed(key, D("30.5"))) == [f"{key}: 30.5 is not allowed; a whole number is needed"]


@pytest.mark.parametrize(
    ("sell", "buy", "nonsense"),
    [("0.30", "0.70", False), ("0.6999", "0.70", False), ("0.70", "0.70", True), ("0.71", "0.70", True)],
)
def test_the_sell_threshold_must_be_under_the_buy_threshold(sell: str, buy: str, nonsense: bool) -> None:
    lines = faults(changed("strategy.sell_threshold", D(sell), **{"strategy.buy_threshold": D(buy)}))
    told = f"strategy.sell_threshold: {sell} is not allowed; it must be under strategy.buy_threshold, which is {buy}"
    assert lines == ([told] if nonsense else [])


def test_zero_is_no_buy_threshold() -> None:
    lines = faults(changed("strategy.buy_threshold", D(0), **{"strategy.sell_threshold": D(0)}))
    assert lines[0] == "strategy.buy_threshold: 0 is not allowed; it must be a score: above 0, at most 1"


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("mode", "Demo", "mode: 'Demo' is not allowed; it must be one of 'demo', 'paper' or 'live'"),
        ("language", "de", "language: 'de' is not allowed; it must be one of 'en' or 'fr'"),
        ("mode", True, "mode: True is not allowed; it must be one of 'demo', 'paper' or 'live'"),
        ("strateggy", {}, "strateggy: is not a key of this file; mind the spelling, or take it out"),
        ("strategy.stop_los", D(1), "strategy.stop_los: is not a key of this file; mind the spelling, or take it out"),
        ("strategy", [], "strategy: [] is not allowed; a section is needed: keys below it, indented"),
        ("logging", None, "logging: an empty value is not allowed; a section is needed: keys below it, indented"),
        ("logging.file", "", "logging.file: '' is not allowed; it must not be empty"),
        ("logging.file", 7, "logging.file: 7 is not allowed; a text is needed (put it in quotes)"),
        ("tokens_daily", "FET", 'tokens_daily: \'FET\' is not allowed; a list is needed, such as ["FET", "OP"]'),
        ("tokens_daily", [], "tokens_daily: [] is not allowed; at least one entry is needed"),
        ("tokens_daily", ["OP", 1], "tokens_daily.1: 1 is not allowed; a text is needed (put it in quotes)"),
        ("tokens_daily", ["FET", "OP", "FET"], "tokens_daily: FET stands there 2 times; once is enough"),
        ("training_tokens", ["FET", "FET"], "training_tokens: FET stands there 2 times; once is enough"),
        ("tokens_daily", ["USDT"], "tokens_daily: USDT is the quote asset, it cannot be bought with itself"),
        ("symbols", [], "symbols: [] is not allowed; a section is needed: keys below it, indented"),
        ("symbols", {"FET": "ASI"}, "symbols.FET: 'ASI' is not allowed; a section is needed: keys below it, indented"),
        (
            "symbols",
            {"FET": {"kraken": "ASI"}},
            "symbols.FET.kraken: is not a key of this file; mind the spelling, or take it out",
        ),
        (
            "symbols",
            {"FET": {"binance": "OP"}},
            "symbols: 2 tokens of tokens_daily are called OP at Binance; each needs a pair of its own",
        ),
    ],
)
def test_a_fault_is_one_line_with_key_value_and_what_is_allowed(key: str, value: Any, line: str) -> None:
    assert faults(changed(key, value)) == [line]


@pytest.mark.parametrize("ticker", ["fet", "FET-USD", "FET/USDT", "", "A" * 21, "F_ET", "FET ", "FET\n"])
def test_a_ticker_is_capitals_and_digits(ticker: str) -> None:
    assert faults(changed("tokens_daily", ["OP", ticker])) == [
        f"tokens_daily.1: {ticker!r} is not allowed; a ticker is needed: capitals and digits only, such as FET or 1INCH"
    ]
    assert len(faults(changed("symbols", {"FET": {"coinbase": ticker}}))) == 1
    assert len(faults(changed("quote_asset", ticker))) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("tokens_daily", ["fet"]), ("strategy.sell_threshold", True), ("strategy.buy_threshold", False)],
)
def test_one_fault_is_one_line(key: str, value: Any) -> None:
    assert len(faults(changed(key, value))) == 1


@pytest.mark.parametrize("key", ["mode", "tokens_daily", "strategy"])
def test_a_missing_key_is_told(key: str) -> None:
    content = seed_content()
    del content[key]
    (line,) = faults(content)
    assert line.startswith(f"{key}: is missing")


def test_a_missing_mode_is_told_with_the_modes_there_are() -> None:
    content = seed_content()
    del content["mode"]
    assert faults(content) == ["mode: is missing; it must be one of 'demo', 'paper' or 'live'"]


@pytest.mark.parametrize("key", sorted(seed_content()["strategy"]))
def test_each_of_the_owners_rules_must_be_given(key: str) -> None:
    content = seed_content()
    del content["strategy"][key]
    (line,) = faults(content)
    assert line.startswith(f"strategy.{key}: is missing")


def test_all_faults_are_told_at_once() -> None:
    content = changed(
        "strategy.stop_loss_pct",
        D(50),
        **{
            "strategy.trailing_pct": "0.3",
            "strategy.sell_threshold": D("0.9"),
            "strategy.stop_loss": D("0.5"),
            "coinbase.base_url": "http://api.coinbase.com",
            "lunarcrush.api_key": 12345,
            "tokens_daily": ["fet", "OP", "OP"],
        },
    )
    del content["mode"]
    keys = [line.split(":")[0] for line in faults(content)]
    assert sorted(keys) == [
        "coinbase.base_url",
        "lunarcrush.api_key",
        "mode",
        "strategy.sell_threshold",
        "strategy.stop_loss",
        "strategy.stop_loss_pct",
        "strategy.trailing_pct",
        "tokens_daily",
        "tokens_daily.0",
    ]


def test_faults_of_the_file_end_with_exit_code_2(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_settings(tmp_path / "config.yaml")
    assert caught.value.exit_code == 2
    assert (
        str(caught.value) == f"{tmp_path / 'config.yaml'}: there is no such file; name the settings with --config PATH"
    )


# --------------------------------------------------------------------------- files that are no settings

NO_YAML = "is not correct YAML; look at the colons, quotes and indents here and just above"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ": holds no settings; every line needs the form 'key: value'"),
        ("# only a comment\n", ": holds no settings; every line needs the form 'key: value'"),
        ("- a list\n", ": holds no settings; every line needs the form 'key: value'"),
        ("live", ": holds no settings; every line needs the form 'key: value'"),
        ("mode: live\nmode: paper\n", ", line 2: mode is given twice"),
        ("strategy:\n  trailing_pct: 1\n  trailing_pct: 1\n", ", line 3: trailing_pct is given twice"),
        ("strategy: {a: 1, a: 2}\n", ", line 1: a is given twice"),
        ("mode: live\n[a]: 1\n", ", line 2: a key must be a plain word"),
        ("mode:\n\tlive\n", f", line 2: {NO_YAML} (found character '\\t' that cannot start any token)"),
        ('mode: "live\n', f", line 2: {NO_YAML} (found unexpected end of stream)"),
        ("tokens_daily: [FET\n", f", line 2: {NO_YAML} (expected ',' or ']', but got '<stream end>')"),
        ("mode: live: paper\n", f", line 1: {NO_YAML} (mapping values are not allowed here)"),
        ("mode: live\n---\nmode: live\n", f", line 2: {NO_YAML} (but found another document)"),
    ],
)
def test_a_file_that_holds_no_settings_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    assert faults_of_text(tmp_path, text) == [line]


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"mode: \xff\n")
    with pytest.raises(InputError, match=r"config\.yaml: is not a UTF-8 text file$"):
        read_settings(path)
    path.write_bytes(b"mode: \x00\n")
    with pytest.raises(InputError, match=r"config\.yaml: is not YAML: .*$"):
        read_settings(path)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r": cannot be read: Is a directory$"):
        read_settings(tmp_path)


_WORDS = "mode live strategy tokens_daily : - [ ] { } , \" ' # &a *a | > << ? 0.1 -1 1e9 null ~ é % @ !x ---".split()
_PIECES = st.sampled_from([*_WORDS, " ", ": ", "- ", "\n", "\n  ", "\t", "\x85"])


@given(st.lists(_PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_whatever_the_file_holds_it_is_settings_or_lines_that_say_why_not(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    with pytest.raises(InputError):
        read_settings(path)


@pytest.mark.parametrize("value", ["!!float abc", "!!int abc", "!!bool abc", "!!timestamp 2001-99-99", "1" * 5000])
def test_a_value_that_yaml_cannot_make_is_one_line(tmp_path: Path, value: str) -> None:
    assert len(faults_of_text(tmp_path, SEED + f"training: {{days: {value}}}\n")) == 1


# --------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("mode", "trades", "book", "log", "pause"),
    [
        ("live", "trades.csv", "bot_state.json", "bot.log", "PAUSE"),
        ("paper", "trades.paper.csv", "bot_state.paper.json", "bot.paper.log", "PAUSE.paper"),
        ("demo", "trades.demo.csv", "bot_state.demo.json", "bot.demo.log", "PAUSE.demo"),
    ],
)
def test_demo_and_paper_put_their_name_into_every_file(mode: str, trades: str, book: str, log: str, pause: str) -> None:
    settings = some_settings(mode=mode)
    names = [str(settings.file(name)) for name in ("trades.csv", "bot_state.json", settings.logging.file, "PAUSE")]
    assert names == [trades, book, log, pause]


def test_the_mode_stands_before_the_last_ending() -> None:
    assert some_settings(mode="paper").file("mars.shot.log") == Path("mars.shot.paper.log")


@pytest.mark.parametrize("name", [".", "..", "/", "/var/log/bot.log", "logs/bot.log", "../bot.log", "a\\b", "a\0b"])
def test_a_log_is_a_plain_name_in_the_bots_folder(name: str) -> None:
    assert len(faults(changed("logging.file", name))) == 1


@pytest.mark.parametrize(
    "name",
    [file.name for file in BOT_FILES if file.is_reserved]
    + ["trades.paper.csv", "PAUSE.demo", "pause", "bot_state.json.bak", "bot_state.paper.json.bak.tmp", "main.py"]
    + ["bot_state.json.lock", "model.demo.candidate.pkl", "model_report.paper.html", "seen.json.tmp", "other.yaml"],
)
def test_a_log_that_would_write_into_another_file_is_refused(name: str) -> None:
    (line,) = faults(changed("logging.file", name))
    assert line.startswith(f"logging.file: '{name}' is not allowed; ")
    assert line.endswith("such as bot.log")


@pytest.mark.parametrize("name", ["bot.log", "mars.log", "PAUSE.log", "trades.log", "sell all", "équité.csv.1"])
def test_a_log_may_have_any_name_that_means_nothing_to_the_bot(name: str) -> None:
    assert faults(changed("logging.file", name)) == []


def test_a_venue_name_counts_only_where_it_is_given() -> None:
    settings = some_settings(symbols={"FET": {"coinbase": "ASI", "lunarcrush": "artificial-superintelligence"}})
    assert settings.coinbase_asset("FET") == "ASI"
    assert settings.lunarcrush_coin("FET") == "artificial-superintelligence"
    assert settings.binance_asset("FET") == "FET"
    assert settings.pair("FET") == "FETUSDT"
    assert settings.coinbase_asset("OP") == "OP"


def test_the_pair_is_made_of_binances_name_and_the_quote_asset() -> None:
    settings = some_settings(quote_asset="USDC", symbols={"FET": {"binance": "ASI"}})
    assert settings.pair("FET") == "ASIUSDC"
    assert settings.pair("OP") == "OPUSDC"
