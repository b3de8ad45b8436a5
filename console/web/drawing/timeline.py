"""Runs over time: a row for each job, a bar for each run, hollow bars for what is coming."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from markupsafe import Markup

from ..text import span
from .svg import cut, element, link, picture, titled

WIDTH, LEFT, TOP, ROW = 1200, 220, 30, 22
# Beyond this many bars a page would weigh too much: they become areas, and only the rows lead on.
MOST_LINKS = 1500
# The worst of several runs in one pixel is what is shown.
WORST = ("failure", "running", "aborted", "no steps", "success")


@dataclass(frozen=True)
class Bar:
    """A run, or one that is coming (no id)."""

    job: int
    status: str
    start: datetime
    end: datetime
    run: int | None = None


@dataclass(frozen=True)
class Axis:
    """The span that is shown, and the zone of its labels."""

    since: datetime
    until: datetime
    zone: ZoneInfo

    def x(self, at: datetime) -> float:
        """Return where a time is."""
        return min(float(WIDTH), max(float(LEFT), LEFT + (at.timestamp() - self._begin) * self._scale))

    @cached_property
    def _begin(self) -> float:
        return self.since.timestamp()

    @cached_property
    def _scale(self) -> float:
        return (WIDTH - LEFT) / (self.until - self.since).total_seconds()


def draw(
    axis: Axis, jobs: Sequence[tuple[int, str]], bars: Iterable[Bar], url: Callable[..., str], now: datetime
) -> Markup:
    """Return the picture. `jobs`: ids and names in the order of the rows."""
    rows: dict[int, list[Bar]] = defaultdict(list)
    for bar in bars:
        rows[bar.job].append(bar)
    merged = {job: _merged(axis, rows[job]) for job, _ in jobs}
    dense = sum(map(len, merged.values())) > MOST_LINKS
    content = [_grid(axis, len(jobs))]
    for number, (job, name) in enumerate(jobs):
        y = TOP + number * ROW
        content.append(_label(job, name, y, rows[job], url))
        content.append(
            _areas(merged[job], y) if dense else Markup("").join(_links(axis, merged[job], y, name, url))
        )
    if axis.since <= now <= axis.until:
        x = axis.x(now)
        content.append(
            element("line", {"x1": x, "x2": x, "y1": TOP - 6, "y2": TOP + len(jobs) * ROW, "class": "now"})
        )
    return picture(WIDTH, TOP + len(jobs) * ROW + 4, "Runs over time", *content)


@dataclass(frozen=True)
class _Mark:
    x: float
    width: float
    status: str
    bars: tuple[Bar, ...]


def _merged(axis: Axis, bars: list[Bar]) -> list[_Mark]:
    """Return what to draw of a row: runs that would share a pixel are one mark, with the worst of their statuses."""
    marks: list[_Mark] = []
    for bar in sorted(bars, key=lambda bar: bar.start):
        left = axis.x(bar.start)
        width = max(axis.x(bar.end) - left, 1.5)
        last = marks[-1] if marks else None
        if last and _share_a_pixel(last, bar, left, width):
            both = (*last.bars, bar)
            right = max(last.x + last.width, left + width)
            marks[-1] = _Mark(last.x, right - last.x, min((b.status for b in both), key=_badness), both)
        else:
            marks.append(_Mark(left, width, bar.status, (bar,)))
    return marks


def _share_a_pixel(last: _Mark, bar: Bar, left: float, width: float) -> bool:
    if bar.run is None:
        return last.bars[0].run is None and left < last.x + last.width + 1
    return last.bars[0].run is not None and left < last.x + 1.5 and width <= 1.5 and last.width <= 3


def _badness(status: str) -> int:
    return WORST.index(status) if status in WORST else len(WORST)


def _links(axis: Axis, marks: list[_Mark], y: int, name: str, url: Callable[..., str]) -> Iterable[Markup]:
    for mark in marks:
        shape = element(
            "rect", {"x": mark.x, "y": y + 4, "width": mark.width, "height": ROW - 8, "class": _class(mark)}
        )
        first, last = mark.bars[0], mark.bars[-1]
        begin = f"{first.start.astimezone(axis.zone):%Y-%m-%d %H:%M:%S}"
        if len(mark.bars) > 1:
            worst = "coming" if first.run is None else f"worst: {mark.status}"
            label = f"{name}: {len(mark.bars)} runs from {begin}, {worst}"
            edge = max((last.end - first.start) * 0.2, timedelta(seconds=30))
            yield link(
                url("timeline", since=_iso(first.start - edge), until=_iso(last.end + edge), job=first.job),
                label,
                shape,
            )
        elif first.run is None:
            yield element("g", {}, titled(f"{name}: due {begin}", shape))
        else:
            yield link(
                url(f"runs/{first.run}"),
                f"{name}: run {first.run}, {begin}, {span(first.end - first.start)}, {mark.status}",
                shape,
            )


def _areas(marks: list[_Mark], y: int) -> Markup:
    """Return the marks of a row as one path per status: a tenth of the text of single ones."""
    paths: dict[str, list[str]] = defaultdict(list)
    for mark in marks:
        width = f"{max(mark.width, 1.5):.0f}" if mark.width > 5 else f"{max(mark.width, 1.5):.1f}"
        paths[_class(mark)].append(f"M{mark.x:.0f} {y + 4}h{width}v{ROW - 8}h-{width}z")
    return Markup("").join(
        element("path", {"class": name, "d": "".join(parts)}) for name, parts in paths.items()
    )


def _class(mark: _Mark) -> str:
    return "bar coming" if mark.bars[0].run is None else f"bar {mark.status.replace(' ', '-')}"


def _label(job: int, name: str, y: int, bars: list[Bar], url: Callable[..., str]) -> Markup:
    failed = sum(bar.status == "failure" for bar in bars)
    runs = sum(bar.run is not None for bar in bars)
    text = element("text", {"x": LEFT - 8, "y": y + 15, "text_anchor": "end"}, cut(name))
    return link(url(f"jobs/{job}"), f"{name}: {runs} runs, {failed} failed", text)


STEPS = [
    timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=30),
    timedelta(hours=1), timedelta(hours=3), timedelta(hours=6), timedelta(days=1), timedelta(days=7), timedelta(days=30),
]  # fmt: skip


def _grid(axis: Axis, rows: int) -> Markup:
    """Return lines at whole hours, days and so on of the zone, as many as fit."""
    length = axis.until - axis.since
    step = next((step for step in STEPS if length / step <= 12), length / 6)
    lines = []
    local = axis.since.astimezone(axis.zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    wall = midnight + step * int((local.replace(tzinfo=None) - midnight) / step)
    for _ in range(40):
        at = wall.replace(tzinfo=axis.zone)
        wall += step
        if at.astimezone(UTC) < axis.since:
            continue
        if at.astimezone(UTC) > axis.until:
            break
        x = axis.x(at)
        form = (
            "%a %d %b"
            if (at.hour, at.minute, at.second) == (0, 0, 0) or step >= timedelta(days=1)
            else "%H:%M"
        )
        lines.append(
            element("line", {"x1": x, "x2": x, "y1": TOP - 6, "y2": TOP + rows * ROW, "class": "grid"})
        )
        lines.append(
            element("text", {"x": x, "y": 16, "text_anchor": "middle", "class": "axis"}, at.strftime(form))
        )
    for number in range(rows + 1):
        y = TOP + number * ROW
        lines.append(element("line", {"x1": 0, "x2": WIDTH, "y1": y, "y2": y, "class": "grid"}))
    return Markup("").join(lines)


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
