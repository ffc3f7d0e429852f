"""model_report.html: what model.json says, as one page that opens offline, by day and by night, on a phone too.

Takes the facts, returns text in which everything that came from outside is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from html import escape
from typing import Any

import numpy as np

from marsshot.core.catalog import Catalog
from marsshot.model.integrity import source_name
from marsshot.model.label import what_is_foreseen
from marsshot.reporting.charts import area, curves
from marsshot.reporting.html_page import page
from marsshot.reporting.interval_charts import Dot, labelled_dot_chart, numeric_dot_chart
from marsshot.training.promotion_gate import gate_text
from marsshot.training.verdict import YARDSTICKS, verdict_text, warning_text

Facts = Mapping[str, Any]

COUNTS = ("none", "one_or_two", "over_half")  # of the tokens that a threshold picks in a day


def model_page(facts: Facts, name: str, catalog: Catalog) -> str:
    """Return the page. name: the model's file."""
    return _ModelPage(facts, catalog).html(name)


class _ModelPage:
    """The page of a model's facts in a language."""

    def __init__(self, facts: Facts, catalog: Catalog) -> None:
        self._facts = facts
        self._hold_out: Facts = facts["hold_out"]
        self._catalog = catalog

    def html(self, name: str) -> str:
        """Return the page."""
        parts = [
            f'<h1>{escape(name)}</h1><p class="soft">{escape(self._about())}</p>',
            self._verdict_list(),
            self._figures(),
            f'<div class="pair">{self._ranking()}{self._reliability()}</div>',
            self._thresholds(),
            f'<div class="pair">{self._precision()}{self._equity()}</div>',
            f'<div class="pair">{self._importance(self._facts["importance"])}{self._coverage()}</div>',
            self._made(),
        ]
        title = self._catalog.text("model.report.title", file=name)
        return page(title, "\n".join(parts), self._catalog.language)

    def _say(self, name: str, **values: object) -> str:
        """Return a text of the page by the end of its key."""
        return self._catalog.text(f"model.report.{name}", **values)

    def _about(self) -> str:
        facts = self._facts
        about = self._say(
            "about",
            time=datetime.fromisoformat(facts["trained_at"]),
            mode=facts["mode"],
            rows=facts["rows"],
            source=source_name(facts),
            tokens=len(facts["symbols"]),
            first=date.fromisoformat(facts["first_date"]),
            last=date.fromisoformat(facts["last_date"]),
            share=facts["base_rate"],
            foreseen=what_is_foreseen(facts["label"]),
        )
        return f"{about} {self._say('ranks')}" if self._hold_out["scale"] == "rank" else about

    def _verdict_list(self) -> str:
        facts, render = self._facts, self._catalog.render
        verdict = facts["verdict"]
        told, *reasons = map(render, verdict_text(verdict["reasons"]))
        rows = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
        lines = [f'<div class="{"fine" if verdict["edge"] else "warn"}"><b>{escape(told)}</b><ul>{rows}</ul></div>']
        lines += [f'<div class="warn">{escape(render(words))}</div>' for words in warning_text(facts["warnings"])]
        gate = facts.get("gate", {})
        if gate.get("reason"):
            lines.append(f'<p class="soft gate">{escape(render(gate_text(gate["reason"], gate["values"])))}</p>')
        return "".join(lines)

    def _figures(self) -> str:
        hold_out = self._hold_out
        first = date.fromisoformat(hold_out["first_date"])
        entries = [
            (self._say("hold_out"), self._say("dates", count=hold_out["dates"]), self._say("from", first=first)),
            (self._beside("base_rate"), self._figure(hold_out["base_rate"]), self._interval(hold_out, "base_rate")),
            (
                self._catalog.text("model.table.average_precision"),
                self._figure(hold_out["average_precision"]),
                self._interval(hold_out, "average_precision"),
            ),
            *(
                (
                    self._catalog.text(f"model.table.{key}"),
                    self._figure(beside.get("average_precision")),
                    self._interval(beside, "average_precision"),
                )
                for key in YARDSTICKS
                for beside in [hold_out[key] or {}]
            ),
            ("ROC AUC", self._figure(hold_out["roc_auc"]), self._say("coin")),
        ]
        cards = (
            f'<div><span class="soft">{name}</span><b>{value}</b><span class="soft">{note}</span></div>'
            for name, value, note in entries
        )
        return f'<div class="figures">{"".join(cards)}</div>'

    def _beside(self, key: str) -> str:
        return self._catalog.text(f"model.beside.{key}")

    def _ranking(self) -> str:
        hold_out = self._hold_out
        dots = [(self._beside("base_rate"), self._dot(hold_out, "base_rate", "quiet"))]
        if hold_out["chance"] is not None:
            dots.append((self._beside("chance"), self._dot(hold_out["chance"], "average_precision", "quiet")))
        for key in YARDSTICKS:
            if hold_out[key] is not None:
                dots.append((self._beside(key), self._dot(hold_out[key], "average_precision", "other")))
        if hold_out["average_precision"] is not None:
            dots.append((self._beside("model"), self._dot(hold_out, "average_precision", "own")))
        name = self._catalog.text("model.table.average_precision")
        drawn = labelled_dot_chart(name, dots, ".2f", self._catalog, zero=False)
        return _card(self._say("beside"), drawn, self._say("beside_note"))

    def _reliability(self) -> str:
        hold_out = self._hold_out
        dots = [
            (
                (band["from"] + band["below"]) / 2,
                self._dot(band, "hit_rate", "own", self._say("rows", count=band["rows"])),
            )
            for band in hold_out["bands"]
            if band["rows"]
        ]
        base = hold_out["base_rate"]
        fair = (
            [(one / 50, base * one / (base * one + (1 - base) * (50 - one))) for one in range(51)]
            if 0 < base < 1
            else []
        )
        drawn = numeric_dot_chart(
            self._say("by_score"),
            dots,
            (0.0, 1.0),
            ".0%",
            self._catalog,
            marks=self._marks(),
            level=base,
            curve=fair,
        )
        return _card(self._say("reliability"), drawn, self._say("reliability_note"))

    def _precision(self) -> str:
        hold_out = self._hold_out
        rows = [row for row in hold_out["thresholds"] if row["rows"]]
        dots = [
            (float(row["threshold"]), self._dot(row, "hit_rate", "own", self._say("signals", count=row["rows"])))
            for row in rows
        ]
        drawn = numeric_dot_chart(
            self._say("by_threshold"),
            dots,
            (0.3, 0.9),
            ".0%",
            self._catalog,
            marks=self._marks(),
            level=hold_out["base_rate"],
        )
        return _card(self._say("precision"), drawn, self._say("precision_note"))

    def _marks(self) -> list[tuple[float, str]]:
        places = [(name, Decimal(self._hold_out[name]["threshold"])) for name in ("sell", "buy")]
        return [
            (float(place), self._say(f"mark.{name}", threshold=place))
            for name, place in places
            if 0.3 <= float(place) <= 0.9  # noqa: PLR2004 - what is drawn
        ]

    def _thresholds(self) -> str:
        hold_out, days = self._hold_out, self._facts["label"]["shift_days"]
        buy, sell = hold_out["buy"], hold_out["sell"]
        is_rank, table = hold_out["scale"] == "rank", self._catalog.text
        names = (
            *(("rank", "score") if is_rank else ("score",)),
            *("rose", "lift", "signals", *COUNTS, "return"),
            *("compared", "compared_return", "equally_volatile", "difference"),
        )
        named = [
            (table("model.table.under", threshold=Decimal(sell["threshold"])), sell, "mine"),
            *((self._threshold_name(row, buy), row, "mine" if row is buy else "") for row in _steps(hold_out)),
            (self._say("top_tenth"), {**hold_out["top_tenth"], "raw": None}, ""),
        ]
        rows = "".join(self._row(name, row, kind, is_rank=is_rank) for name, row, kind in named)
        head = "".join(f"<th>{self._column(name, days)}</th>" for name in names)
        drawn = f'<div class="scroll"><table class="wide"><tr>{head}</tr>{rows}</table></div>'
        return _card(self._say("thresholds"), drawn, self._say("thresholds_note"))

    def _threshold_name(self, row: Facts, buy: Facts) -> str:
        key = "model.table.from_buy" if row is buy else "model.table.from"
        return self._catalog.text(key, threshold=Decimal(row["threshold"]))

    def _column(self, name: str, days: int) -> str:
        return self._say("column.return", days=days) if name == "return" else self._say(f"column.{name}")

    def _row(self, name: str, row: Facts, kind: str, *, is_rank: bool) -> str:
        cells = [
            name,
            *([self._figure(row["raw"])] if is_rank else []),
            self._both(row, "hit_rate", ".1%"),
            self._figure(row["lift"], ".2f"),
            self._figure(row["signals_per_day"], ".1f"),
            *(self._figure(row[f"days_with_{count}"], ".0%") for count in COUNTS),
            self._both(row, "mean_return_after_fees", "+.2%"),
            self._figure(row["compared_days"], ""),
            self._figure(row["compared_return_after_fees"], "+.2%"),
            self._figure(row["equally_volatile_return_after_fees"], "+.2%"),
            self._both(row, "more_than_equally_volatile", "+.2%"),
        ]
        return f'<tr class="{kind}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'

    def _equity(self) -> str:
        hold_out, days = self._hold_out, self._facts["label"]["shift_days"]
        moments = [_day(day["date"]) for day in hold_out["days"]]
        picked = self._say("picked", threshold=Decimal(hold_out["buy"]["threshold"]))
        names = {picked: ("picks", "own"), self._say("every_token"): ("all", "other")}
        lines = {}
        for name, (key, kind) in names.items():
            returns = [day[f"{key}_return_after_fees"] or 0.0 for day in hold_out["days"]]
            lines[name] = (kind, np.cumprod(1 + np.array(returns) / days))
        drawn = curves(self._say("growth"), moments, lines, ".2f", self._catalog)
        key = _key({name: kind for name, (_, kind) in names.items()})
        return _card(self._say("picks"), drawn + key, self._say("picks_note", days=days))

    def _importance(self, rows: Sequence[Facts]) -> str:
        dots = [
            (row["feature"], Dot(row["loses"], row["loses"] - row["spread"], row["loses"] + row["spread"]))
            for row in rows
        ]
        title = self._say("importance")
        drawn = labelled_dot_chart(title, dots, ".3f", self._catalog, zero=True)
        return _card(title, drawn, self._say("importance_note"))

    def _coverage(self) -> str:
        coverage, first_tested = self._facts["coverage"], self._hold_out["first_date"]
        dates = list(coverage["tokens_by_date"])
        counts = np.array(list(coverage["tokens_by_date"].values()), dtype=np.float64)
        parts = [("other", 0), ("own", dates.index(first_tested))]
        note = self._say("data_note")
        drawn = area(note, [_day(one) for one in dates], counts, parts, ".0f", self._catalog)
        if coverage["rows_left_out"]:
            gaps = tuple(self._say("gap", column=one, rows=count) for one, count in coverage["rows_without"].items())
            note = f"{note} {self._say('left_out', rows=coverage['rows_left_out'], gaps=gaps)}"
        key = _key({self._say("learnt_on"): "other", self._say("hold_out"): "own"})
        return _card(self._say("data"), drawn + key, note)

    def _made(self) -> str:
        facts, search, hold_out = self._facts, self._facts["search"], self._hold_out
        folds = tuple(
            self._say("fold", score=score, base=base)
            for score, base in zip(search["average_precision"], search["base_rates"], strict=True)
        )
        label = self._say(f"label.{facts['label'].get('kind', 'rise')}")
        span = {end: date.fromisoformat(hold_out[f"{end}_date"]) for end in ("first", "last")}
        entries = {
            "hold_out": self._say("made_hold_out", note=self._catalog.text("model.hold_out_note"), **span),
            "search": self._say("search_told", tried=search["tried"], folds=folds),
            "recipe": self._say("recipe_told", recipe=facts["recipe"], label=label),
            "parameters": _pairs(facts["parameters"]),
            "features": ", ".join(facts["features"]),
            "tokens": ", ".join(facts["symbols"]),
            "seed": str(facts["seed"]),
            "versions": _pairs(facts["versions"]),
        }
        told = "".join(f"<dt>{self._say(name)}</dt><dd>{escape(words)}</dd>" for name, words in entries.items())
        return _card(self._say("made"), f"<dl>{told}</dl>", self._say("made_note"))

    def _dot(self, row: Facts, name: str, kind: str, words: str = "") -> Dot:
        tip = ", ".join(one for one in (self._figure(row[name]), self._interval(row, name), words) if one)
        return Dot(row[name], row[f"{name}_low"], row[f"{name}_high"], kind, tip)

    def _figure(self, value: float | None, form: str = ".3f") -> str:
        return "-" if value is None else self._catalog.show(value, form)

    def _interval(self, row: Facts, name: str, form: str = ".3f") -> str:
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        if low is None:
            return ""
        return self._catalog.text("model.range", low=self._figure(low, form), high=self._figure(high, form))

    def _both(self, row: Facts, name: str, form: str) -> str:
        """Return the figure and, small below it, its interval."""
        interval = self._interval(row, name, form)
        return self._figure(row[name], form) + (f'<br><span class="soft">{interval}</span>' if interval else "")


def _steps(hold_out: Facts) -> list[Facts]:
    """Return the rows of all thresholds, each once, the one to buy at among them."""
    buy = hold_out["buy"]
    others = [row for row in hold_out["thresholds"] if Decimal(row["threshold"]) != Decimal(buy["threshold"])]
    return sorted([*others, buy], key=lambda row: Decimal(row["threshold"]))


def _pairs(values: Facts) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _key(kinds: Mapping[str, str]) -> str:
    entries = (f'<span><i class="{kind}"></i>{escape(name)}</span>' for name, kind in kinds.items())
    return f'<p class="key">{"".join(entries)}</p>'


def _card(title: str, body: str, note: str) -> str:
    return f'<section class="card"><h2>{escape(title)}</h2><p class="soft">{escape(note)}</p>{body}</section>'
