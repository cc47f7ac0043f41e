"""Things with a form of their own: money, dates, times, telephone and order numbers, addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from serve.nano.drawing.steps import written

if TYPE_CHECKING:
    from random import Random

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_CENTS = (0, 50, 99, 95, 25, 75, 20, 40, 60, 80, 90, 10, 30, 70, 49, 29)
_MAIL = ("mail", "post", "web", "inbox", "example", "office", "home", "work", "shop", "online")
_DOMAINS = ("com", "org", "net", "de", "cn", "co.uk", "io")


@dataclass(frozen=True, slots=True)
class Money:
    """How amounts are written here. Amounts are hundredths, whole units where `places` is 0."""

    prefix: str = ""
    suffix: str = ""
    places: int = 2

    def write(self, amount: int) -> str:
        return f"{self.prefix}{written(amount, self.places)}{self.suffix}"


def money(rng: Random, *, chinese: bool) -> Money:
    if chinese:
        return rng.choice(
            (Money(), Money(), Money("¥"), Money(suffix="元"), Money(suffix="元", places=0), Money("¥", places=0))
        )
    return rng.choice(
        (Money(), Money(), Money(), Money("$"), Money("$"), Money("€"), Money("£"), Money(suffix=" €"), Money("$", places=0))
    )


def price(rng: Random, form: Money) -> int:
    """Mostly below 30, now and then up to 200."""
    units = rng.randint(0, 29) if rng.random() < 0.85 else rng.randint(30, 199)
    if not form.places:
        return max(1, units)
    cents = rng.choice(_CENTS) if rng.random() < 0.6 else rng.randint(0, 99)
    return max(15, units * 100 + cents)


def note(rng: Random, form: Money, cost: int) -> int:
    """A bank note, or a round sum, that covers `cost`."""
    unit = 100 if form.places else 1
    notes = [n * unit for n in (5, 10, 20, 50, 100, 200, 500, 1000) if n * unit > cost]
    return rng.choice(notes[:3]) if notes else (cost // (100 * unit) + 1) * 100 * unit


def note_written(rng: Random, form: Money, amount: int) -> str:
    """As a user would type it: rarely with cents."""
    units = str(amount // 10**form.places)
    return rng.choice((units, f"{form.prefix}{units}{form.suffix}", form.write(amount)))


def date(rng: Random, *, chinese: bool) -> str:
    year, month, day = rng.randint(1998, 2031), rng.randint(1, 12), rng.randint(1, 28)
    if chinese and rng.random() < 0.6:
        return rng.choice((f"{year}年{month}月{day}日", f"{year}年{month:02}月{day:02}日"))
    name = _MONTHS[month - 1]
    return rng.choice(
        (
            f"{year}-{month:02}-{day:02}",
            f"{year}-{month:02}-{day:02}",
            f"{day:02}/{month:02}/{year}",
            f"{month:02}/{day:02}/{year}",
            f"{day:02}.{month:02}.{year}",
            f"{day}.{month}.{year}",
            f"{year}/{month}/{day}",
            f"{year}/{month:02}/{day:02}",
            f"{year}.{month:02}.{day:02}",
            f"{day:02}-{month:02}-{year % 100:02}",
            *(() if chinese else _worded(rng, year, name, day)),
        ),
    )


def _worded(rng: Random, year: int, month: str, day: int) -> tuple[str, ...]:
    return (
        f"{day} {month[:3]} {year}",
        f"{month[:3]} {day}, {year}",
        f"{day} {month} {year}",
        f"{month} {day}, {year}",
        f"{rng.choice(_DAYS)} {day} {month[:3]} {year}",
        f"{day:02} {month[:3].upper()} {year}",
    )


def time(rng: Random) -> str:
    hour, minute = rng.randint(0, 23), rng.randint(0, 59)
    seconds = f"{hour:02}:{minute:02}:{rng.randint(0, 59):02}"
    half = f"{hour % 12 or 12}:{minute:02} {'AM' if hour < 12 else 'PM'}"
    return rng.choice((f"{hour:02}:{minute:02}", f"{hour:02}:{minute:02}", seconds, half))


def digits(rng: Random, count: int) -> str:
    return "".join(rng.choices("0123456789", k=count))


def phone(rng: Random, *, chinese: bool) -> str:
    if chinese:
        return rng.choice(
            (
                f"1{rng.choice('35789')}{digits(rng, 9)}",
                f"0{digits(rng, 2)}-{digits(rng, 8)}",
                f"400-{digits(rng, 3)}-{digits(rng, 4)}",
            )
        )
    return rng.choice(
        (
            f"{digits(rng, 3)}-{digits(rng, 3)}-{digits(rng, 4)}",
            f"({digits(rng, 3)}) {digits(rng, 3)}-{digits(rng, 4)}",
            f"+{rng.randint(1, 99)} {digits(rng, 3)} {digits(rng, 4)}",
            f"0{digits(rng, 2)} {digits(rng, 4)} {digits(rng, 3)}",
            f"0{digits(rng, 3)}/{digits(rng, 6)}",
            f"{digits(rng, 3)} {digits(rng, 4)}",
        ),
    )


def order(rng: Random) -> str:
    letters = "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=2))
    return rng.choice(
        (
            digits(rng, rng.randint(4, 9)),
            f"#{digits(rng, rng.randint(3, 6))}",
            f"{letters}-{digits(rng, rng.randint(3, 6))}",
            f"{letters}{digits(rng, rng.randint(4, 7))}",
            f"INV-{rng.randint(2015, 2030)}-{digits(rng, 4)}",
            f"{digits(rng, 4)}-{digits(rng, 4)}",
        ),
    )


def email(rng: Random, name: str) -> str:
    user = "".join(
        char
        for char in name.lower().replace(" ", rng.choice(("", ".", "_")))
        if char.isascii() and (char.isalnum() or char in "._")
    )
    return f"{user or 'info'}{rng.choice(('', '', digits(rng, 2)))}@{rng.choice(_MAIL)}.{rng.choice(_DOMAINS)}"
