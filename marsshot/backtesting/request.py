"""The request of a backtest: settings with their changes, tokens, span, dataset; validated before work begins.

Reads files, runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from embedded_market.market_data.history import date_of, unix_day
from marsshot.backtesting.history.binance_history import Wanted
from marsshot.backtesting.history.market_history import MARKET, Dataset, place_of_bar, read_dataset
from marsshot.backtesting.simulation.simulated_market import RecordedPairRules
from marsshot.backtesting.simulation.trading_costs import read_exchange_info
from marsshot.bot.environment import DEMO_TOKENS
from marsshot.config.loader import read_settings
from marsshot.config.settings import Settings
from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError

ALL, TRAINING = "all", "training"
RECENT_DAYS = 90


@dataclass(frozen=True, slots=True)
class FetchHistory:
    """How bars are fetched, and the day on which that is done."""

    today: date
    dataset: Callable[[Settings, Wanted], Dataset]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRequest:
    """One backtest to run. settings.tokens_daily are the tokens that may be bought."""

    settings: Settings
    dataset: Dataset
    rules: RecordedPairRules
    first: date
    last: date
    training_tokens: tuple[str, ...]

    @property
    def span(self) -> tuple[date, date]:
        """First and last day."""
        return self.first, self.last


def read_request(
    config: Path,
    *,
    changes: Mapping[str, str],
    tokens: str | None,
    data: Path | None,
    rules: Path | None,
    first: date | None,
    last: date | None,
    fetch: FetchHistory | None = None,
) -> BacktestRequest:
    """Read and validate a backtest's request. Raises InputError.

    fetch: where bars come from in place of the disk.

    tokens: a list such as ADA,DOT, "all" that the data holds, "training": those of them that models learn from, or
    None: tokens_daily of the settings.
    """
    if first and last and first > last:
        raise InputError(LocalizedText("backtest.fault.from_after_to", first=first, last=last))
    chosen = {} if tokens in {None, ALL, TRAINING} else {"tokens_daily": f"[{tokens}]"}
    options = {"--set": changes, "--tokens": chosen}
    if fetch is not None:
        if data is not None or tokens == ALL:
            raise InputError(LocalizedText("backtest.fault.source_and_data"))
        return _fetched_request(settings_with(config, options), tokens, rules, (first, last), fetch)
    # The data has one name for each token.
    settings = settings_with(config, {**options, "--data": {"symbols": "{}"}})
    training = DEMO_TOKENS if data is None else settings.training_tokens
    wanted = None if tokens == ALL else {*settings.tokens_daily, *training}
    dataset = read_dataset(data, wanted, first, last)
    if tokens in {ALL, TRAINING}:
        there = tuple(one for one in dataset.symbols if tokens == ALL or one in training)
        settings = settings.model_copy(update={"tokens_daily": there})
    first, last = _span(dataset, settings.training.days, first, last)
    _refuse_unknown(dataset, settings.tokens_daily)
    _refuse_gaps(dataset, data, {*settings.tokens_daily, *MARKET}, first, last)
    return BacktestRequest(
        settings=settings,
        dataset=dataset,
        rules=RecordedPairRules(rows=read_exchange_info(rules), path=rules) if rules else RecordedPairRules(),
        first=first,
        last=last,
        training_tokens=tuple(token for token in training if token in dataset.symbols),
    )


def settings_with(config: Path, options: Mapping[str, Mapping[str, str]]) -> Settings:
    """Return the settings with the changes of each option, in their order. Raises InputError.

    A fault is told as that of the option that brought it in, and not as the file's.
    """
    applied: dict[str, str] = {}
    for changes in options.values():
        applied |= changes
    try:
        return read_settings(config, applied)
    except InputError as error:
        known = _faults_of(config, {})
        if known:
            raise
        for option, changes in options.items():
            if before := _faults_of(config, changes):
                raise InputError(*(_as_fault_of(option, one) for one in before)) from None
        one, *others = [option for option, changes in options.items() if changes]
        named: str = one
        for other in others:
            named = LocalizedText("backtest.fault.two_options", one=named, other=other)
        raise InputError(*(_as_fault_of(named, fault) for fault in error.faults)) from None


def _faults_of(config: Path, changes: Mapping[str, str]) -> Sequence[str]:
    try:
        read_settings(config, changes)
    except InputError as error:
        return error.faults
    return ()


def _as_fault_of(option: str, fault: str) -> LocalizedText:
    told = fault.values.get("fault") if isinstance(fault, LocalizedText) else None
    return LocalizedText("fault.in_file", path=option, fault=fault if told is None else told)


def _fetched_request(
    settings: Settings,
    tokens: str | None,
    rules: Path | None,
    span: tuple[date | None, date | None],
    fetch: FetchHistory,
) -> BacktestRequest:
    """Return a request over bars that are fetched now: of the last 90 days where no span is named."""
    if tokens == TRAINING:
        settings = settings.model_copy(update={"tokens_daily": settings.training_tokens})
    yesterday = fetch.today - timedelta(days=1)
    last = min(span[1] or yesterday, yesterday)
    first = span[0] or last - timedelta(days=RECENT_DAYS - 1)
    if first > last:
        raise InputError(LocalizedText("backtest.fault.not_over", first=first, last=last))
    wanted = Wanted(traded=settings.tokens_daily, training=settings.training_tokens, first=first, last=last)
    dataset = fetch.dataset(settings, wanted)
    there = tuple(token for token in settings.tokens_daily if token in dataset.symbols)
    if not there:
        raise InputError(LocalizedText("backtest.fault.no_tokens"))
    return BacktestRequest(
        settings=settings.model_copy(update={"tokens_daily": there}),
        dataset=dataset,
        rules=RecordedPairRules(rows=read_exchange_info(rules), path=rules) if rules else RecordedPairRules(),
        first=first,
        last=last,
        training_tokens=tuple(token for token in settings.training_tokens if token in dataset.symbols),
    )


def _span(dataset: Dataset, training_days: int, first: date | None, last: date | None) -> tuple[date, date]:
    """Return the span asked for; by default all that is left after a model's worth of days."""
    begins, ends = date_of(dataset.history.first_day), date_of(dataset.history.last_day)
    first = first or min(begins + timedelta(days=training_days), ends)
    last = last or ends
    if not begins < first <= last <= ends:
        asked, there = {"first": first, "last": last}, {"begins": begins, "ends": ends}
        raise InputError(LocalizedText("backtest.fault.outside", dataset=dataset.name, **asked, **there))
    return first, last


def _refuse_unknown(dataset: Dataset, tokens: Sequence[str]) -> None:
    if unknown := [token for token in tokens if token not in dataset.symbols]:
        raise InputError(LocalizedText("backtest.fault.unknown_tokens", dataset=dataset.name, tokens=tuple(unknown)))


def _refuse_gaps(dataset: Dataset, data: Path | None, tokens: Collection[str], first: date, last: date) -> None:
    """Raise InputError about the first token with a hole in its record within the span, or the day before."""
    for token in sorted(tokens):
        coin = dataset.history.coins.get(token)
        if coin is None:
            raise InputError(LocalizedText("backtest.fault.no_bar", dataset=dataset.name, token=token))
        begin, end = max(coin.first_day, unix_day(first) - 1), min(coin.last_day, unix_day(last))
        if missing := [day for day in range(begin, end + 1) if day not in coin.bars]:
            before = date_of(missing[0] - 1)
            where = place_of_bar(data, token, before) if data else dataset.name
            raise InputError(
                LocalizedText(
                    "backtest.fault.gap",
                    where=where,
                    token=token,
                    before=before,
                    count=len(missing),
                    first=date_of(missing[0]),
                )
            )
    for token in MARKET:
        if dataset.history.coins[token].last_day < unix_day(last) - 1:
            ends = date_of(dataset.history.coins[token].last_day)
            raise InputError(LocalizedText("backtest.fault.market_ends", dataset=dataset.name, token=token, ends=ends))
