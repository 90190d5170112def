"""Tables that count services: one row a category, perhaps with a total."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model import CountClaim, Location
from auditor.regexp import regexp
from auditor.sources.documents.markdown import Table
from auditor.sources.documents.phrases import phrases
from auditor.sources.documents.sections import Section
from auditor.words import normal

_COUNTED = regexp(
    r"(?:number of |no of |total )?(?:micro ?)?(?:services|containers)(?: count)?|(?:micro ?)?service count|of services"
)
_NUMBERS = regexp(r"count|number|total|quantity|amount|no")
_SERVICES = phrases("(?:micro-?)?services")
_NUMBER = regexp(r"(\d{1,3})(\+)?(?:[ ](?:micro-?)?services)?")
_TOTAL = regexp(r"(?:grand |over ?all )?total(?: services)?|sum|all|overall")
_MOST = 500


def sums(section: Section, path: str) -> Iterator[CountClaim]:
    """The numbers of the tables of a section that count services."""
    if section.excluded:
        return
    for block in section.blocks:
        if isinstance(block, Table):
            yield from _sum(block, section, path)


def _sum(table: Table, section: Section, path: str) -> Iterator[CountClaim]:
    header = [normal(cell) for cell in table.header]
    column = next((index for index, cell in enumerate(header) if index and _COUNTED.fullmatch(cell)), None)
    if column is None and _SERVICES.search(section.title):
        column = next((index for index, cell in enumerate(header) if index and _NUMBERS.fullmatch(cell)), None)
    if column is None:
        return
    rows = [row for row in table.rows if len(row.cells) > column and row.cells[column] and not row.struck]
    found = [(row, _NUMBER.fullmatch(row.cells[column].strip())) for row in rows]
    if len(found) < 2 or not all(match for _, match in found):
        return
    total, at_least = 0, False
    for row, match in found:
        number, more = int(match[1]) if match else 0, bool(match and match[2])
        place = Location(path, row.line)
        if _TOTAL.fullmatch(normal(row.cells[0])):
            yield CountClaim(f"a total of {number}{'+' if more else ''} services", number, more, place)
            return
        total, at_least = total + number, at_least or more
        yield CountClaim(f"{row.cells[0]}: {number} services", number, more, place, row.cells[0])
    if 1 < total <= _MOST:
        yield CountClaim(f"rows that sum to {total} services", total, at_least, Location(path, table.line))
