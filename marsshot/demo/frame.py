"""One frame of the demo on a terminal: height and width decide what is shown, nothing is cut. Values in, lines out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from rich.text import Text

from marsshot.core.book import Book
from marsshot.core.catalog import Catalog
from marsshot.core.decisions import DailyRules, Decision
from marsshot.core.exit_settings import ExitRules
from marsshot.demo.lines import fitting, table, with_rest_counted
from marsshot.demo.story import RuleAhead, Trade, near_misses, nearest_rule
from marsshot.portfolio.performance import index_at
from marsshot.strategy.decision_reasons import by_score

WIDE = 150  # columns from which on the day's scores stand beside the rest
SCORES_WIDTH = 54
BAR_WIDTH, SCORE_BAR_WIDTH = 12, 20
SMALLEST_TABLE = 4  # lines: a blank one, the heading, a position, how many more there are
NEAR = Decimal("0.05")  # a rule so near is marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where the demo stands. trades: the newest first. decisions: of the last daily pass. prices: of the positions."""

    now: datetime
    day: int
    days: int
    book: Book
    prices: Mapping[str, Decimal]
    btc_change: float | None
    largest_fall: Decimal
    trades: Sequence[Trade]
    decisions: Sequence[Decision]
    exit_rules: ExitRules
    daily_rules: DailyRules

    @property
    def worth(self) -> Decimal:
        """Cash and positions."""
        held = self.book.positions.items()
        return self.book.capital + sum((one.qty * self.price(symbol) for symbol, one in held), Decimal(0))

    def price(self, symbol: str) -> Decimal:
        """Return the last price of a held token; before there is one, the price that it was bought at."""
        return self.prices.get(symbol, self.book.positions[symbol].entry_price)


def frame(scene: Scene, width: int, height: int, catalog: Catalog) -> list[Text]:
    """Return the lines of a frame, `height` at most."""
    end = Text(catalog.text("demo.end"), style="bold")
    if height < len(("head", "trade", "end")):
        return [end]
    if width >= WIDE:
        left_width = width - SCORES_WIDTH - 2
        left = _body(scene, left_width, height - 1, catalog, with_scores=False)
        return [*_beside(left, left_width, _score_column(scene, height - 1, catalog)), end]
    return [*_body(scene, width, height - 1, catalog, with_scores=True), end]


def _body(scene: Scene, width: int, height: int, catalog: Catalog, *, with_scores: bool) -> list[Text]:
    """Return head, positions, scores and trades; what there is least need of goes first where there is little room."""
    head, scores = _head(scene, width, catalog), _scores(scene, width, catalog) if with_scores else []
    while len(head) + len(scores) + 4 > height and (scores or len(head) > 1):
        (scores or head).pop()
    room = height - len(head) - len(scores)
    trades_room = max(1, min(len(scene.trades) + 2, room - min(len(scene.book.positions) + 2, room * 2 // 3)))
    trades = _trades(scene, width, trades_room, catalog)
    positions = _positions(scene, width, room - len(trades), catalog)
    return [*head, *positions, *scores, *trades][:height]


def _head(scene: Scene, width: int, catalog: Catalog) -> list[Text]:
    book, gain = scene.book, index_at(scene.worth, scene.book) - 1
    worth = Text.assemble(
        catalog.text("demo.worth", worth=scene.worth, quote=book.quote_asset),
        " (",
        (catalog.format_field(gain, "change"), colour(gain)),
        ")",
    )
    more = [catalog.text("demo.cash", cash=book.capital)]
    if scene.btc_change is not None:
        more.append(catalog.text("demo.btc", change=scene.btc_change))
    done = BAR_WIDTH * scene.day // scene.days
    bar = Text.assemble(("━" * done, "green"), ("─" * (BAR_WIDTH - done), "bright_black"))
    day = catalog.text("demo.day", day=scene.day, days=scene.days)
    fall = catalog.text("demo.fall", fall=scene.largest_fall)
    return [
        fitting((worth, *more), width),
        fitting((Text(_fully(scene.now, catalog), style="bold"), day, bar, fall), width),
        fitting((Text(catalog.text("demo.title"), style="bright_black"),), width),
    ]


# --------------------------------------------------------------------------- positions


def _positions(scene: Scene, width: int, room: int, catalog: Catalog) -> list[Text]:
    """Return the positions, those nearest to a rule first, as many as there is room for, and how many more."""
    ahead = {
        symbol: nearest_rule(held, scene.price(symbol), scene.exit_rules)
        for symbol, held in scene.book.positions.items()
    }
    if not ahead:
        return [Text(), Text(catalog.text("demo.no_positions"), style="bright_black")][2 - min(room, 2) :]
    if room < min(len(ahead) + 2, SMALLEST_TABLE):
        return []
    order = sorted(ahead, key=lambda symbol: abs(ahead[symbol].distance))
    shown = order if len(order) + 2 <= room else order[: max(0, room - 3)]
    names = ("token", "price", "gain", "worth", "near", "entry", "quantity", "rules")
    spaced = {"near", "rules"}  # as their cells are, beside numbers
    titles = (" " * (name in spaced) + catalog.text(f"demo.column.{name}") for name in names)
    heading = [Text(title, style="bold") for title in titles]
    rows = [_position(symbol, ahead[symbol], scene, catalog) for symbol in shown]
    lines = [Text(), *table([heading, *rows], frozenset({0, 4, 7}), width)]
    if len(shown) < len(order):
        lines.append(Text(catalog.text("demo.more", count=len(order) - len(shown)), style="bright_black"))
    return lines


def _position(symbol: str, ahead: RuleAhead, scene: Scene, catalog: Catalog) -> list[Text | str]:
    held, price = scene.book.positions[symbol], scene.price(symbol)
    gain = price / held.entry_price - 1
    flags = (("part_sold", held.partial_sold), ("armed", held.trailing_armed), ("skipped", held.did_skip_sell_once))
    return [
        symbol,
        catalog.format_field(price, "price"),
        Text(catalog.format_field(gain, "change"), style=colour(gain)),
        catalog.format_field(held.qty * price, "money"),
        Text(f" {ahead.text(catalog)}", style="bold yellow" if abs(ahead.distance) <= NEAR else ""),
        catalog.format_field(held.entry_price, "price"),
        catalog.format_field(held.qty, "price"),
        " " + ", ".join(catalog.text(f"demo.{name}") for name, is_so in flags if is_so),
    ]


# --------------------------------------------------------------------------- scores and trades


def _scores(scene: Scene, width: int, catalog: Catalog) -> list[Text]:
    """Return the day's scores, and what was lacking for a trade, in a few lines."""
    scored = [one for one in by_score(scene.decisions) if one.probability is not None]
    if not scored:
        return []
    title = Text(_scores_title(scene, catalog), style="bold")
    scores = [f"{one.symbol} {catalog.format_field(one.probability, '.2f')}" for one in scored]
    misses = [one.text(catalog) for one in near_misses(scene.decisions, scene.daily_rules)]
    lines = [Text(), title, with_rest_counted(scores, width, catalog, gap="  ")]
    return [*lines, fitting((catalog.text("demo.misses"), *misses[:3]), width)] if misses else lines


def _scores_title(scene: Scene, catalog: Catalog) -> str:
    rules = scene.daily_rules
    return catalog.text("demo.scores", buy=rules.buy_threshold, sell=rules.sell_threshold)


def _score_column(scene: Scene, height: int, catalog: Catalog) -> list[Text]:
    """Return the day's scores, a line each, with a bar and what was done; then the nearest misses."""
    scored = [one for one in by_score(scene.decisions) if one.probability is not None]
    if not scored:
        return []
    rows: list[list[Text | str]] = [
        [
            one.symbol,
            catalog.format_field(one.probability, ".3f"),
            Text("█" * round(SCORE_BAR_WIDTH * float(one.probability or 0)), style="cyan"),
            catalog.text(f"action.{one.action}"),
        ]
        for one in scored
    ]
    room = height - 7
    lines = [Text(_scores_title(scene, catalog), style="bold"), Text()]
    lines += table(rows[:room], frozenset({0, 2, 3}), SCORES_WIDTH)
    if len(rows) > room:
        lines.append(Text(catalog.text("demo.more", count=len(rows) - room), style="bright_black"))
    misses = [one.text(catalog) for one in near_misses(scene.decisions, scene.daily_rules)][:3]
    return [*lines, Text(), Text(catalog.text("demo.misses"), style="bold"), *map(Text, misses)][:height]


def _trades(scene: Scene, width: int, room: int, catalog: Catalog) -> list[Text]:
    """Return the newest trades, the newest first."""
    if not scene.trades:
        return [Text(), Text(catalog.text("demo.no_trades"), style="bright_black")][-room:]
    heading = [Text(), Text(catalog.text("demo.trades"), style="bold")]
    lines = heading[max(0, 3 - room) :]
    for trade in scene.trades[: room - len(lines)]:
        style = "green" if trade.is_purchase or (trade.gain or 0) >= 0 else "red"
        lines.append(Text(trade.text(catalog), style=style, no_wrap=True))
    return lines


def _beside(left: Sequence[Text], left_width: int, right: Sequence[Text]) -> list[Text]:
    lines = []
    for number in range(max(len(left), len(right))):
        line = left[number].copy() if number < len(left) else Text()
        line.pad_right(left_width + 2 - line.cell_len)
        lines.append(line.append_text(right[number]) if number < len(right) else line)
    return lines


def colour(gain: Decimal) -> str:
    """Return the colour of a gain or a loss."""
    return "green" if gain >= 0 else "red"


def _fully(moment: datetime, catalog: Catalog) -> str:
    return catalog.format_field(moment, "") if catalog.language == "fr" else f"{moment:%a %d %b %Y %H:%M} UTC"
