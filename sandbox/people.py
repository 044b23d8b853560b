"""People of the seeded world, made on demand from (seed, index): nothing is stored, any of them can be made at any time.

`Crowd` answers both ways: index -> person, number -> who holds it. A number is index and slot sent through an affine permutation of its range, so holders
are found by arithmetic.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from sandbox import messy
from sandbox.lead_sources import LEAD_SOURCES, LeadSource
from sandbox.messy import Digits, Way
from sandbox.places import BY_CODE, COMPANY_FIRST, COMPANY_SECOND, COUNTRIES, JOBS, Country, Place, Range

DAY = 86_400_000
YEAR = 365 * DAY
MOBILE, DIRECT, HOME, SWITCHBOARD, FAX = range(5)
SLOTS = 8
"""Numbers set aside per person and range; the ones above FAX belong to nobody."""
GROUP = 33
"""Of each 33 people 7 stand in both CRMs, 13 in Salesforce only, 13 in HubSpot only: 20 in each."""
_PATTERN = "BSHSHBSHSHHSBSHHSSHBHSHSBHSHSBHSB"
_CRMS = {"B": "both", "S": "salesforce", "H": "hubspot"}
_U32 = 2**32

_COUNTRY_TABLE = tuple(country for country in COUNTRIES for _ in range(country.weight))
_SOURCE_TABLE = tuple(index for index, source in enumerate(LEAD_SOURCES) for _ in range(source.weight))


class Company(NamedTuple):
    """A company: `switchboard` is shared by its people."""

    serial: int
    name: str
    domain: str
    country: str
    place: Place
    switchboard: Digits


class OptOut(NamedTuple):
    """A person who said stop. `where`: "both", "salesforce", "hubspot": the CRM whose flag is set; "call": said to an agent only, no flag anywhere."""

    at: int
    where: str


class Written(NamedTuple):
    """A phone field as it stands in a CRM. `field`: work, mobile, home, other, fax, whatsapp.

    `raw` is the text and `way` how it came about; `e164` the number a careful person reads out of it (None if nobody can), `meant` the person's own number.
    They differ for a typo and for another person's number (way "wrong_person").
    """

    field: str
    raw: str
    way: str
    kind: str
    e164: str | None
    meant: str


class Person(NamedTuple):
    """A person. `numbers` maps slots (MOBILE, DIRECT, HOME, SWITCHBOARD, FAX) to the true numbers; times are epoch ms.

    `crms` is "both", "salesforce" or "hubspot"; `is_lead` says whether Salesforce holds a Lead instead of a Contact; `same_as` is the serial of the person
    this record repeats (a duplicate, likely to be merged), else None.
    """

    serial: int
    crms: str
    is_lead: bool
    first: str
    last: str
    email: str
    company: Company
    job: str
    country: str
    place: Place
    source: LeadSource
    created_at: int
    modified_at: int
    linkedin: str | None
    numbers: dict[int, Digits]
    opt_out: OptOut | None
    email_opt_out: bool
    same_as: int | None

    @property
    def pid(self) -> str:
        """The person's name in the world ("p12"); a duplicate has the pid of the one it repeats."""
        return f"p{self.serial if self.same_as is None else self.same_as}"


class Crowd:
    """Everybody, for one seed, number of contacts per CRM and epoch (ms)."""

    def __init__(self, seed: int, contacts: int, epoch: int) -> None:
        self.seed = seed
        self.contacts = contacts
        self.epoch = epoch
        self.size = max(1, -(-contacts // 20)) * GROUP
        self._key = hashlib.blake2b(f"ringtrue sandbox {seed}".encode(), digest_size=32).digest()
        self._permutations = {(item.country, item.kind): self._permutation(item) for item in _ranges()}
        self._prefixes = _prefix_table()
        self.company = lru_cache(maxsize=4096)(self._company)
        self._identity = lru_cache(maxsize=4096)(self._make_identity)

    def draws(self, purpose: bytes, number: int) -> tuple[int, ...]:
        """Sixteen random 32-bit numbers for a purpose (up to 8 bytes) and a number, always the same ones."""
        digest = hashlib.blake2b(number.to_bytes(16, "big"), key=self._key, person=purpose).digest()
        return struct.unpack("<16I", digest)

    def person(self, index: int) -> Person:
        """The person of an index, 0 <= index < size."""
        draw = self.draws(b"record", index)
        repeats = index >= GROUP * 8 and draw[0] % 100 == 0
        base = index - GROUP * (1 + draw[1] % 7) if repeats else index
        person = self._identity(base)
        source = person.source
        created = self.epoch - 3 * YEAR + (3 * YEAR - 2 * DAY) * index // self.size + draw[2] % (DAY // 2)
        modified = created + (self.epoch - created) * draw[3] // _U32
        if draw[4] % 100 < 12:
            modified = max(created, self.epoch - 20 * DAY)
        email = person.email
        if repeats:
            email = email.replace("@", f".{index}@")
            source = LEAD_SOURCES[_SOURCE_TABLE[draw[5] % len(_SOURCE_TABLE)]]
        opt_out = person.opt_out
        if opt_out is not None and not repeats:
            opt_out = opt_out._replace(at=created + (self.epoch - created) * draw[6] // _U32)
        elif repeats:
            opt_out = None
        return person._replace(
            serial=index,
            source=source,
            created_at=created,
            modified_at=modified,
            email=email,
            opt_out=opt_out,
            same_as=base if repeats else None,
        )

    def people(self, start: int = 0, count: int | None = None) -> Iterator[Person]:
        """People in order of their index."""
        stop = self.size if count is None else min(self.size, start + count)
        return (self.person(index) for index in range(start, stop))

    def crms(self, index: int) -> str:
        """Where the person of an index stands: "both", "salesforce" or "hubspot"."""
        return _CRMS[_PATTERN[index % GROUP]]

    def company_index(self, index: int) -> int:
        """Who works where: six people to a company, and every tenth block of 48 shares one big company."""
        block = index // 48
        return block * 8 if block % 10 == 0 else index // 6

    def holder(self, e164: str) -> tuple[Range, Digits, str | None, int] | None:
        """(range, digits, holder, slot) of a number in one of the world's ranges, None for any other number.

        The holder is a pid ("p12"), a company ("c3"), or None if the number was given to nobody of this world.
        """
        found = self._place_in_range(e164)
        if found is None:
            return None
        item, digits, offset = found
        factor_inverse, shift = self._permutations[(item.country, item.kind)][1:]
        index, slot = divmod((offset - shift) * factor_inverse % item.size, SLOTS)
        if index >= self.size:
            return item, digits, None, slot
        if slot == SWITCHBOARD:
            known = index <= self.company_index(self.size - 1) and self.company(index).switchboard == digits
            return item, digits, f"c{index}" if known else None, slot
        person = self._identity(index)
        return item, digits, f"p{index}" if person.numbers.get(slot) == digits else None, slot

    def written(self, person: Person, crm: str) -> list[Written]:
        """The person's phone fields as `crm` ("salesforce", "hubspot") holds them, possibly none."""
        draw = self.draws(b"fields", person.serial)
        style = self.draws(b"style-h" if crm == "hubspot" else b"style-s", person.serial)
        numbers = person.numbers
        fields: list[tuple[str, int]] = []
        if DIRECT in numbers:
            fields.append(("work", DIRECT))
        elif SWITCHBOARD in numbers:
            fields.append(("work", SWITCHBOARD))
        if MOBILE in numbers:
            fields.append(("mobile", MOBILE) if fields or draw[0] & 3 else ("work", MOBILE))
            if crm == "hubspot" and draw[1] % 10 == 0:
                fields.append(("whatsapp", MOBILE))
        if HOME in numbers:
            fields.append(("home", HOME))
        if SWITCHBOARD in numbers and draw[2] % 20 == 0 and DIRECT in numbers:
            fields.append(("other", SWITCHBOARD))
        if FAX in numbers:
            fields.append(("fax", FAX))
        return [
            self._write(
                person, field, numbers[slot], draw[3 + place], draw[9 + place], style[2 * place], style[2 * place + 1]
            )
            for place, (field, slot) in enumerate(fields[:6])
        ]

    def name_of(self, holder: str) -> str:
        """The name of a holder: a person ("p12"), a company ("c3") or a stranger ("x...")."""
        if holder.startswith("p"):
            person = self._identity(int(holder[1:]))
            return f"{person.first} {person.last}"
        if holder.startswith("c"):
            return self.company(int(holder[1:])).name
        draw = self.draws(b"stranger", int(holder[1:]))
        country = COUNTRIES[draw[0] % len(COUNTRIES)]
        return f"{country.given[draw[1] % len(country.given)]} {country.family[draw[2] % len(country.family)]}"

    def _make_identity(self, base: int) -> Person:
        draw = self.draws(b"identity", base)
        company = self.company(self.company_index(base))
        country = BY_CODE[company.country]
        shared = country.mobile is country.fixed
        has_mobile, has_direct = draw[0] % 100 < 78, draw[1] % 100 < 38
        numbers: dict[int, Digits] = {}
        if has_direct:
            numbers[DIRECT] = self._number(country.fixed, base, DIRECT)
        if has_mobile or not has_direct:
            numbers[MOBILE] = self._number(country.mobile, base, MOBILE)
        if draw[2] % 100 < (30 if has_direct else 60):
            numbers[SWITCHBOARD] = company.switchboard
        if draw[3] % 100 < 9:
            numbers[HOME] = self._number(country.fixed, base, HOME)
        if draw[4] % 100 < 6:
            numbers[FAX] = self._number(country.fixed, base, FAX)
        if shared and country.area_places:
            place = country.area_places[numbers.get(MOBILE, numbers.get(DIRECT, company.switchboard)).area]
        else:
            place = country.places[draw[5] % len(country.places)]
        first = country.given[draw[6] % len(country.given)]
        last = country.family[draw[7] % len(country.family)]
        email = f"{_ascii(first)}.{_ascii(last)}.{base}@{company.domain}".lower()
        if country.native and draw[8] % 2:
            first, last = country.native[draw[9] % len(country.native)]
        source = LEAD_SOURCES[_SOURCE_TABLE[draw[10] % len(_SOURCE_TABLE)]]
        crms = self.crms(base)
        opt_out = None
        if draw[11] % 100 < 4:
            flags = ("both", "both", "salesforce", "hubspot", "call") if crms == "both" else (crms, crms, crms, "call")
            opt_out = OptOut(self.epoch, flags[draw[12] % len(flags)])
        return Person(
            serial=base,
            crms=crms,
            is_lead=draw[13] % 10 < 3,
            first=first,
            last=last,
            email=email,
            company=company,
            job=JOBS[draw[14] % len(JOBS)],
            country=country.code,
            place=place,
            source=source,
            created_at=0,
            modified_at=0,
            linkedin=f"https://www.linkedin.com/in/sandbox-{base}" if draw[15] % 100 < 35 else None,
            numbers=numbers,
            opt_out=opt_out,
            email_opt_out=draw[15] // 100 % 100 < 7,
            same_as=None,
        )

    def _write(
        self, person: Person, field: str, number: Digits, fate: int, pick: int, style: int, detail: int
    ) -> Written:
        source = person.source
        meant = number.e164
        share = fate / _U32
        edge = source.damaged
        if share < edge:
            way = messy.DAMAGED[(pick % 3) if source.slug == "excel_import" and pick % 5 else pick % len(messy.DAMAGED)]
            return Written(field, way.write(number, pick >> 8), way.name, way.kind, None, meant)
        edge += source.placeholder
        if share < edge:
            way = messy.PLACEHOLDERS[pick % len(messy.PLACEHOLDERS)]
            return Written(field, way.write(number, pick >> 8), way.name, way.kind, None, meant)
        edge += source.typo
        if share < edge:
            return Written(
                field, messy.TYPO.write(number, pick), "typo", "typo", messy.typo_of(number, pick).e164, meant
            )
        edge += source.wrong_person
        if share < edge:
            other = self._identity((person.serial + 1 + pick % (self.size - 1)) % self.size)
            number = next(iter(other.numbers.values()))
            return Written(
                field,
                f"+{number.calling_code} {number.area} {number.rest}",
                "wrong_person",
                "wrong_person",
                number.e164,
                meant,
            )
        ways: tuple[Way, ...] = messy.READABLE if share < edge + source.readable else messy.PLAIN
        way = ways[style % len(ways)]
        return Written(field, way.write(number, detail), way.name, way.kind, number.e164, meant)

    def _company(self, index: int) -> Company:
        draw = self.draws(b"company", index)
        country = _COUNTRY_TABLE[draw[0] % len(_COUNTRY_TABLE)]
        first = COMPANY_FIRST[draw[1] % len(COMPANY_FIRST)]
        second = COMPANY_SECOND[draw[2] % len(COMPANY_SECOND)]
        switchboard = self._number(country.fixed, index, SWITCHBOARD)
        places = country.area_places
        place = places[switchboard.area] if places else country.places[draw[3] % len(country.places)]
        domain = f"{first}-{second}-{index}.example".lower().replace(" ", "-")
        return Company(index, f"{first} {second} {index}", domain, country.code, place, switchboard)

    def _number(self, item: Range, index: int, slot: int) -> Digits:
        factor, _, shift = self._permutations[(item.country, item.kind)]
        offset = ((index * SLOTS + slot) * factor + shift) % item.size
        prefix, rest = divmod(offset, 10**item.free)
        return _digits(item, f"{item.prefixes[prefix]}{rest:0{item.free}d}")

    def _permutation(self, item: Range) -> tuple[int, int, int]:
        if self.size * SLOTS > item.size:
            raise ValueError(f"Too many contacts: {item.country} has only {item.size:,} {item.kind} numbers.")
        draw = self.draws(b"range", int.from_bytes(f"{item.country}{item.kind}".encode(), "big"))
        factor = int(item.size * 0.618) + draw[0] % 100_000
        while math.gcd(factor, item.size) != 1:
            factor += 1
        return factor, pow(factor, -1, item.size), draw[1] % item.size

    def _place_in_range(self, e164: str) -> tuple[Range, Digits, int] | None:
        if not e164.startswith("+") or not e164[1:].isascii() or not e164[1:].isdigit():
            return None
        for width in range(4, 7):
            for item, number, code in self._prefixes.get(e164[1 : 1 + width], ()):
                rest = e164[1 + width :]
                if len(rest) == item.free:
                    national = e164[1 + len(code) :]
                    return item, _digits(item, national), number * int(10**item.free) + int(rest)
        return None


@lru_cache(maxsize=1)
def _ranges() -> tuple[Range, ...]:
    return tuple(
        {(item.country, item.kind): item for country in COUNTRIES for item in (country.mobile, country.fixed)}.values()
    )


@lru_cache(maxsize=1)
def _prefix_table() -> dict[str, list[tuple[Range, int, str]]]:
    table: dict[str, list[tuple[Range, int, str]]] = {}
    for item in _ranges():
        code = BY_CODE[item.country].calling_code
        for number, prefix in enumerate(item.prefixes):
            table.setdefault(code + prefix, []).append((item, number, code))
    return table


def _digits(item: Range, national: str) -> Digits:
    country: Country = BY_CODE[item.country]
    split = 3 if country.code in ("US", "CA", "GB", "DE", "IT", "CN") else 2
    return Digits(
        country.calling_code,
        "" if item.country == "CN" and item.kind == "mobile" else country.trunk,
        national[:split],
        national[split:],
    )


_PLAIN_LETTERS = str.maketrans("áàâäãåçéèêëíìîïñóòôöõúùûüýßÁÉÍÓÚÎÜÖÄ'", "aaaaaaceeeeiiiinooooouuuuysAEIOUIUOA-")


@lru_cache(maxsize=4096)
def _ascii(name: str) -> str:
    return name.translate(_PLAIN_LETTERS).replace("-", "").replace(" ", "")
