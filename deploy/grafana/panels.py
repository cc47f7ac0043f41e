"""Grafana panels as plain dictionaries: what they have in common, so that a dashboard says only what it shows."""

from typing import Any

Json = dict[str, Any]
COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def target(expr: str, legend: str) -> Json:
    """One query of a panel, without its letter."""
    return {"datasource": DATASOURCE, "expr": expr, "legendFormat": legend, "editorMode": "code", "range": True}


def panel(kind: str, title: str, text: str, unit: str, *targets: Json, width: int, height: int, **defaults: Any) -> Json:
    """Build a panel without its place; `text` names the metric and says what to do."""
    return {
        "type": kind,
        "title": title,
        "description": text,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": [{**query, "refId": chr(ord("A") + number)} for number, query in enumerate(targets)],
        "fieldConfig": {"defaults": {"unit": unit, **defaults}, "overrides": []},
    }


def stat(title: str, text: str, unit: str, expr: str, steps: tuple[tuple[float | None, str], ...], **defaults: Any) -> Json:
    """Build a number a pool, coloured by the step that it reaches."""
    thresholds = {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}
    built = panel("stat", title, text, unit, target(expr, "{{pool}}"), width=4, height=5, thresholds=thresholds, **defaults)
    options = {
        "colorMode": "value",
        "graphMode": "area",
        "textMode": "value_and_name",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    }
    return built | {"options": options}


def graph(title: str, text: str, unit: str, *targets: Json, width: int = 8, **defaults: Any) -> Json:
    """Build lines over time that start at zero."""
    custom = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False} | defaults.pop("custom", {})
    built = panel("timeseries", title, text, unit, *targets, width=width, height=8, min=0, custom=custom, **defaults)
    legend = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}
    return built | {"options": {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}}


def dashed(legend: str) -> Json:
    """Override the lines whose legend matches the regular expression."""
    style = {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}}
    return {"matcher": {"id": "byRegexp", "options": legend}, "properties": [style]}


def row(title: str) -> Json:
    """Build the headline over the panels that follow it."""
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": COLUMNS, "h": 1}}


def note(text: str) -> Json:
    """Build a line of Markdown across the page."""
    options = {"mode": "markdown", "content": text}
    return {"type": "text", "title": "", "options": options, "gridPos": {"w": COLUMNS, "h": 3}, "transparent": True}


def placed(panels: list[Json]) -> list[Json]:
    """Give each panel its id and its place: left to right, a new line when the width is used up."""
    x = y = line = 0
    for number, item in enumerate(panels, start=1):
        place = item["gridPos"]
        if x + place["w"] > COLUMNS:
            x, y, line = 0, y + line, 0
        item["id"] = number
        item["gridPos"] = {"x": x, "y": y, **place}
        x, line = x + place["w"], max(line, place["h"])
    return panels


def variable(name: str, label: str, query: str) -> Json:
    """Build a choice of label values, several at a time; all at first."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }
