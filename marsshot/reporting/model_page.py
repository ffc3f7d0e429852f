"""model_report.html: what model.json says, as one page that opens offline, by day and by night, on a phone too.

Takes the facts, returns text in which everything that came from outside is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any

import numpy as np

from marsshot.core.wording import counted
from marsshot.model.integrity import source_name
from marsshot.model.label import what_is_foreseen
from marsshot.reporting.charts import area, curves, percent
from marsshot.reporting.html_page import page
from marsshot.reporting.interval_charts import Dot, labelled_dot_chart, numeric_dot_chart
from marsshot.training.verdict import YARDSTICKS

Facts = Mapping[str, Any]


def model_page(facts: Facts, name: str) -> str:
    """Return the page. name: the model's file."""
    hold_out = facts["hold_out"]
    parts = [
        f'<h1>{escape(name)}</h1><p class="soft">{escape(_about(facts))}</p>',
        _verdict_list(facts),
        _figures(hold_out),
        f'<div class="pair">{_ranking(hold_out)}{_reliability(hold_out)}</div>',
        _thresholds(facts),
        f'<div class="pair">{_precision(hold_out)}{_equity(facts)}</div>',
        f'<div class="pair">{_importance(facts["importance"])}{_coverage(facts)}</div>',
        _made(facts),
    ]
    return page(f"{name}: what its scores mean", "\n".join(parts))


def _about(facts: Facts) -> str:
    return (
        f"Trained {facts['trained_at'][:16].replace('T', ' ')} UTC in {facts['mode']} mode on {facts['rows']:,} rows "
        f"(daily bars of {source_name(facts)}) of {counted(len(facts['symbols']), 'token')}, {facts['first_date']} to "
        f"{facts['last_date']}, of which {facts['base_rate']:.1%} {what_is_foreseen(facts['label'])}. A score says how "
        f"likely that is, on a scale where 0.5 is as likely as any.{_RANKS[facts['hold_out']['scale']]}"
    )


_RANKS = {
    "raw": "",
    "rank": " A rank is the share of a year of the model's own scores, on dates that it was not fitted on, below one.",
}


def _verdict_list(facts: Facts) -> str:
    verdict = facts["verdict"]
    lines = [f'<div class="{"fine" if verdict["edge"] else "warn"}">{escape(verdict["words"])}</div>']
    lines += [f'<div class="warn">{escape(words)}</div>' for words in facts["warnings"]]
    if facts.get("gate", {}).get("words"):
        lines.append(f'<p class="soft gate">{escape(facts["gate"]["words"].rstrip("."))}.</p>')
    return "".join(lines)


def _figures(hold_out: Facts) -> str:
    entries = [
        ("hold-out", f"{hold_out['dates']} dates", f"from {hold_out['first_date']}"),
        ("base rate", f"{hold_out['base_rate']:.3f}", _interval(hold_out, "base_rate")),
        ("average precision", _figure(hold_out["average_precision"]), _interval(hold_out, "average_precision")),
        *(
            (name, _figure(beside.get("average_precision")), _interval(beside, "average_precision"))
            for name, beside in ((name, hold_out[key] or {}) for key, name in YARDSTICKS.items())
        ),
        ("ROC AUC", _figure(hold_out["roc_auc"]), "0.5 is a coin"),
    ]
    cards = (
        f'<div><span class="soft">{name}</span><b>{value}</b><span class="soft">{note}</span></div>'
        for name, value, note in entries
    )
    return f'<div class="figures">{"".join(cards)}</div>'


def _ranking(hold_out: Facts) -> str:
    dots = [("base rate", _dot(hold_out, "base_rate", "quiet"))]
    if hold_out["chance"] is not None:
        dots.append(("chance", _dot(hold_out["chance"], "average_precision", "quiet")))
    for key, name in YARDSTICKS.items():
        if hold_out[key] is not None:
            dots.append((name.removesuffix(" alone"), _dot(hold_out[key], "average_precision", "other")))
    if hold_out["average_precision"] is not None:
        dots.append(("the model", _dot(hold_out, "average_precision", "own")))
    note = (
        "Average precision on the hold-out: how well the top of the list was chosen. Lines: 95 % intervals by date. "
        "Chance: the labels of other days. A model that does not beat ATR/close alone has learnt nothing."
    )
    return _card(
        "Beside what needs no model", labelled_dot_chart("Average precision", dots, "{:.2f}".format, zero=False), note
    )


def _reliability(hold_out: Facts) -> str:
    dots = [
        ((band["from"] + band["below"]) / 2, _dot(band, "hit_rate", "own", f"{band['rows']} rows"))
        for band in hold_out["bands"]
        if band["rows"]
    ]
    base = hold_out["base_rate"]
    fair = (
        [(one / 50, base * one / (base * one + (1 - base) * (50 - one))) for one in range(51)] if 0 < base < 1 else []
    )
    drawn = numeric_dot_chart(
        "Rose, by score", dots, (0.0, 1.0), percent, marks=_marks(hold_out), level=base, curve=fair
    )
    note = (
        "Share that rose, by score, with 95 % intervals. Dashed: the base rate. Curve: where the dots would lie if the "
        "scores were probabilities on the balanced scale. Where dots lie flat, a higher score means little."
    )
    return _card("How often a score came true", drawn, note)


def _precision(hold_out: Facts) -> str:
    rows = [row for row in hold_out["thresholds"] if row["rows"]]
    dots = [(float(row["threshold"]), _dot(row, "hit_rate", "own", f"{row['rows']} signals")) for row in rows]
    marks, base = _marks(hold_out), hold_out["base_rate"]
    drawn = numeric_dot_chart("Rose, by threshold", dots, (0.3, 0.9), percent, marks=marks, level=base)
    return _card(
        "Precision by threshold", drawn, "Share of the signals that rose, at each threshold. Dashed: the base rate."
    )


def _marks(hold_out: Facts) -> list[tuple[float, str]]:
    places = [(float(hold_out[name]["threshold"]), f"{name} {hold_out[name]['threshold']}") for name in ("sell", "buy")]
    return [(place, word) for place, word in places if 0.3 <= place <= 0.9]  # noqa: PLR2004 - what is drawn


def _thresholds(facts: Facts) -> str:
    hold_out, days = facts["hold_out"], facts["label"]["shift_days"]
    buy, sell = hold_out["buy"], hold_out["sell"]
    is_rank = hold_out["scale"] == "rank"
    names = (
        *(("Rank", "Score") if is_rank else ("Score",)),
        "Rose",
        "Lift",
        "Signals a day",
        "Days: none",
        "1 or 2",
        "over half",
        f"Return, {days} days",
    )
    compared = ("Days compared", "Return", "Equally volatile", "Difference")
    named = [
        (f"under {sell['threshold']} (sell)", sell, "mine"),
        *(
            (f"{row['threshold']} or more{_buys(row, buy)}", row, "mine" if row is buy else "")
            for row in _steps(hold_out)
        ),
        ("top tenth of each day", {**hold_out["top_tenth"], "raw": None}, ""),
    ]
    rows = [_row(name, row, kind, is_rank=is_rank) for name, row, kind in named]
    head = "".join(f"<th>{name}</th>" for name in (*names, *compared))
    note = (
        "Days: the share of them on which no token is picked, one or two are, more than half are. "
        "Returns: after two fees of 0.1 %, the mean of the days' means. The last four columns are of the picks "
        "that have equally volatile tokens of the same day, not picked, beside them: return less theirs is the "
        "difference. "
        "Small: 95 % intervals. Stop-loss, trailing stop and take-profit play no part here."
    )
    table = f'<div class="scroll"><table class="wide"><tr>{head}</tr>{"".join(rows)}</table></div>'
    return _card("What each threshold picked on the hold-out", table, note)


def _steps(hold_out: Facts) -> list[Facts]:
    """Return the rows of all thresholds, each once, the one to buy at among them."""
    buy = hold_out["buy"]
    others = [row for row in hold_out["thresholds"] if Decimal(row["threshold"]) != Decimal(buy["threshold"])]
    return sorted([*others, buy], key=lambda row: Decimal(row["threshold"]))


def _buys(row: Facts, buy: Facts) -> str:
    return " (buy)" if row is buy else ""


def _row(name: str, row: Facts, kind: str, *, is_rank: bool) -> str:
    cells = [
        name,
        *([_figure(row["raw"])] if is_rank else []),
        _both(row, "hit_rate", "{:.1%}"),
        _figure(row["lift"], "{:.2f}"),
        f"{row['signals_per_day']:.1f}",
        *(f"{row[f'days_with_{count}']:.0%}" for count in ("none", "one_or_two", "over_half")),
        _both(row, "mean_return_after_fees", "{:+.2%}"),
        f"{row['compared_days']}",
        _figure(row["compared_return_after_fees"], "{:+.2%}"),
        _figure(row["equally_volatile_return_after_fees"], "{:+.2%}"),
        _both(row, "more_than_equally_volatile", "{:+.2%}"),
    ]
    return f'<tr class="{kind}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _equity(facts: Facts) -> str:
    hold_out, days = facts["hold_out"], facts["label"]["shift_days"]
    moments = [_day(day["date"]) for day in hold_out["days"]]
    names = {f"picks at {hold_out['buy']['threshold']} or more": "picks", "every token alike": "all"}
    kinds = dict(zip(names, ("own", "other"), strict=True))
    lines = {}
    for name, key in names.items():
        returns = [day[f"{key}_return_after_fees"] or 0.0 for day in hold_out["days"]]
        lines[name] = (kinds[name], np.cumprod(1 + np.array(returns) / days))
    drawn = curves("Growth of 1", moments, lines, "{:.2f}".format)
    note = f"Each day 1/{days} of it goes into that day's picks for {days} days, after fees, or stays in cash."
    return _card("What the picks made of 1", drawn + _key(kinds), note)


def _importance(rows: Sequence[Facts]) -> str:
    dots = [
        (row["feature"], Dot(row["loses"], row["loses"] - row["spread"], row["loses"] + row["spread"])) for row in rows
    ]
    note = (
        "Average precision that the hold-out loses when a column is shuffled. Below zero: it would do better without. "
        "Columns that say the same share their weight."
    )
    return _card("What it looks at", labelled_dot_chart("Importance", dots, "{:.3f}".format, zero=True), note)


def _coverage(facts: Facts) -> str:
    coverage, first_tested = facts["coverage"], facts["hold_out"]["first_date"]
    dates = list(coverage["tokens_by_date"])
    counts = np.array(list(coverage["tokens_by_date"].values()), dtype=np.float64)
    parts = [("other", 0), ("own", dates.index(first_tested))]
    drawn = area("Tokens by date", [_day(date) for date in dates], counts, parts, "{:.0f}".format)
    left_out = ""
    if coverage["rows_left_out"]:
        gaps = ", ".join(f"{name} {count:,}" for name, count in coverage["rows_without"].items())
        left_out = f" {coverage['rows_left_out']:,} rows were left out, a feature is missing: {gaps}."
    key = _key({"learnt on": "other", "hold-out": "own"})
    return _card("Data", drawn + key, f"Tokens with all features, by date.{left_out}")


def _made(facts: Facts) -> str:
    search, hold_out = facts["search"], facts["hold_out"]
    folds = ", ".join(
        f"{score:.3f} (base rate {base:.3f})"
        for score, base in zip(search["average_precision"], search["base_rates"], strict=True)
    )
    entries = {
        "hold-out": f"{hold_out['first_date']} to {hold_out['last_date']}, {hold_out['note']}",
        "search": f"best of {search['tried']} on the dates before; average precision, oldest first: {folds}",
        "recipe": f"{facts['recipe']}, label {facts['label'].get('kind', 'rise')}",
        "parameters": _pairs(facts["parameters"]),
        "features": ", ".join(facts["features"]),
        "tokens": ", ".join(facts["symbols"]),
        "seed": str(facts["seed"]),
        "versions": _pairs(facts["versions"]),
    }
    told = "".join(f"<dt>{name}</dt><dd>{escape(words)}</dd>" for name, words in entries.items())
    return _card("How it was made", f"<dl>{told}</dl>", "Every date weighs the same. Past days promise nothing.")


def _pairs(values: Facts) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _dot(row: Facts, name: str, kind: str, words: str = "") -> Dot:
    tip = f"{row[name]:.3f}, {_interval(row, name)}{f', {words}' if words else ''}"
    return Dot(row[name], row[f"{name}_low"], row[f"{name}_high"], kind, tip)


def _key(kinds: Mapping[str, str]) -> str:
    entries = (f'<span><i class="{kind}"></i>{escape(name)}</span>' for name, kind in kinds.items())
    return f'<p class="key">{"".join(entries)}</p>'


def _card(title: str, body: str, note: str) -> str:
    return f'<section class="card"><h2>{title}</h2><p class="soft">{escape(note)}</p>{body}</section>'


def _figure(value: float | None, form: str = "{:.3f}") -> str:
    return "-" if value is None else form.format(value)


def _interval(row: Facts, name: str, form: str = "{:.3f}") -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return "" if low is None else f"{form.format(low)} to {form.format(high)}"


def _both(row: Facts, name: str, form: str) -> str:
    """Return the figure and, small below it, its interval."""
    interval = _interval(row, name, form)
    return _figure(row[name], form) + (f'<br><span class="soft">{interval}</span>' if interval else "")
