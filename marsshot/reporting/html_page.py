"""The frame of a page that stands alone: style for light, dark and phone, nothing from outside."""

from __future__ import annotations

from html import escape

from marsshot.core.catalog import Language
from marsshot.infra.chart_style import FONT, THEMES

_COLOURS = (
    f":root {{ color-scheme: light dark; {THEMES['light'].as_css()} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root {{ {THEMES['dark'].as_css()} }} }}\n"
    f"body {{ font: 16px/1.5 {FONT}; }}\n"
)
STYLE = (
    _COLOURS
    + """
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); }
main { max-width: 1080px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.1rem; margin: 0 0 8px; }
p { margin: 0 0 10px; }
.soft { color: var(--soft); font-size: .9rem; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 16px; margin-top: 16px;
  min-width: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 0 16px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin-top: 16px; }
.figures div { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 10px 14px; }
.figures b { display: block; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.warn { color: var(--warn); background: var(--warn-back); border-left: 4px solid; border-radius: 6px;
  padding: 12px 16px; margin-top: 16px; }
.fine { color: var(--good); background: var(--card); border-left: 4px solid; border-radius: 6px;
  padding: 12px 16px; margin-top: 16px; }
.warn ul, .fine ul { margin: 0; padding-left: 18px; }
.scroll { overflow-x: auto; }
.tall { max-height: 520px; overflow: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 500; position: sticky; top: 0; background: var(--card); }
th:first-child, td:first-child, .left { text-align: left; }
tr.mine td { font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
rect.good { fill: var(--good); } rect.bad { fill: var(--bad); }
svg { display: block; width: 100%; height: auto; }
svg.bar { width: 120px; height: 10px; display: inline-block; }
svg text { fill: var(--soft); font-size: 14px; }
svg .grid { stroke: var(--grid); }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .own { stroke: var(--own); stroke-width: 2.6; }
svg .other { stroke: var(--other); } svg .quiet { stroke: var(--quiet); }
svg .area.own { fill: var(--own); opacity: .45; stroke: none; }
svg .area.bad { fill: var(--bad); opacity: .45; stroke: none; }
svg .area.other { fill: var(--other); opacity: .45; stroke: none; }
svg .level { stroke: var(--quiet); stroke-dasharray: 6 5; stroke-width: 1.6; }
svg .mark { stroke: var(--rule); stroke-width: 1.6; }
svg .whisker { stroke-width: 2.4; opacity: .75; }
svg .beam { stroke-width: 14; opacity: .4; }
svg .dot { stroke: none; }
svg .dot.own { fill: var(--own); } svg .dot.other { fill: var(--other); } svg .dot.quiet { fill: var(--quiet); }
.key span { margin-right: 16px; white-space: nowrap; }
.key i { display: inline-block; width: 18px; height: 3px; margin-right: 6px; vertical-align: middle; }
.key .own { background: var(--own); } .key .other { background: var(--other); }
.key .quiet { background: var(--quiet); }
.wide th { white-space: normal; vertical-align: bottom; }
td .soft { font-weight: 400; font-size: .8rem; }
td.heat { border: 1px solid var(--card); text-align: center; }
.pair svg text { font-size: 21px; }
.gate { margin-top: 16px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 0; font-size: .92rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 600px) { svg text, .pair svg text { font-size: 24px; } th, td { padding: 5px 7px; } }
"""
)


def page(title: str, body: str, language: Language) -> str:
    """Return a whole page. body: markup."""
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>{body}</main></body></html>\n"
    )


def heat(share: float) -> str:
    """Return the style of a table cell between bad (-1) over nothing (0) to good (1)."""
    colour = "--good" if share >= 0 else "--bad"
    strength = round(min(abs(share), 1.0) * 55)
    return f"background: color-mix(in srgb, var({colour}) {strength}%, var(--card))"
