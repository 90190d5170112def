"""Numbers of services in a text: "25+ services", "29 ultra-focused microservices", "four independent services"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from auditor.model import CountClaim, Location
from auditor.regexp import regexp
from auditor.sources.documents.markdown import Block, Item, List, Paragraph, Table
from auditor.sources.documents.phrases import phrases, words
from auditor.sources.documents.sections import Section, starts_with_number

_FEWEST, _MOST = 2, 500
_SPELT = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
    "eighteen nineteen",
)
_NUMBERS = {word: number for number, word in enumerate(" ".join(_SPELT).split(), 1)}
_TEN_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: number for number, word in zip(range(20, 100, 10), _TEN_WORDS.split(), strict=True)}
_UNITS = [word for word, number in _NUMBERS.items() if number < 10]
# A number in words, up to ninety-nine, or in dozens; alone, "one" counts nothing.
SPELT = (
    rf"(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_UNITS)}))?|(?:(?:a|one|two|three|four|five)[ ])dozen"
    rf"|{'|'.join(word for word, number in _NUMBERS.items() if number > 1)}"
)
_COUNT = regexp(
    rf"(?i)(?:^|(?<=[\s(\[\"']))(\d{{1,3}}|{SPELT})(\+|[ ]plus(?=[ ])|[ ]or[ ]more(?=[ ]))?[ ]"
    r"((?:[A-Za-z][A-Za-z/&'-]{0,30}[ ]){0,3})(micro-?services|services)\b"
)
_TOTAL = regexp(
    r"(?i)\b(?:total(?:[ ]number[ ]of)?|number[ ]of|count[ ]of|all)[ ](?:[a-z-]{1,30}[ ])?(?:micro-?)?services"
    r"[ ]?(?:[:=]|is|are)?[ ]?(\d{1,3})(\+)?(?![\w.,/%-])"
)
_HYPHENED = regexp(r"(?i)(?:^|(?<=[\s(]))(\d{1,3})(\+)?-(?:micro-?)?service[ ](?:stack|system|platform|architecture)\b")

# Words between the number and "services" that say nothing about which services are meant.
_PLAIN = words(
    """
    a actual autonomous compose composed containerised containerized decoupled dedicated deployed different distinct
    docker dockerised dockerized enterprise enterprise-grade focused fully independent independently individual
    integrated interconnected isolated loosely-coupled micro modular orchestrated own production production-grade
    production-ready running self-contained separate single-purpose small specialised specialized total ultra-focused
    unique well-defined
    """
)
# Words there that make it another count.
_OTHER = words(
    """
    additional alternative and another are as at available aws azure broken by cloud day days dead deprecated
    discontinued down each example external extra failed failing for free from future gb gcp google healthy hosted hour
    hours hypothetical in inactive instances is legacy managed mb minute minutes missing month months more new nodes
    obsolete of old on optional or other our out paid planned possible potential problematic public rd remaining removed
    replicas retired sample second seconds similar stopped such supported th the third-party to undeployed unhealthy
    unused upstream users week weeks with year years
    """
)
_BEFORE = phrases(
    r"""
    will | would | should | could | might | may | plan\w* | future | upcoming | roadmap | goals? | targets? | eventually
    | previously | formerly | used to | was | were | had | once | originally | legacy | old | example | e\.g | imagine
    | suppose | if | when | until | unless | support(?:s|ed|ing)? | scales? | scaling | handles? | up to | each | every
    | per | any | some | missing | lack\w* | without | gap | only the | instead | optional\w* | cloud | compar\w+
    | typical\w* | usually | monitors? | add(?:s|ing|ed)? | remov\w+ | merg\w+ | split | consolidat\w+ | reduc\w+
    | next | soon | propos\w+ | ideal\w* | fewer | less | under | between | these | those | both | either | neither
    | start | restart | stop | across the | other | last | first | top | than the
    """
)
_AFTER = regexp(
    r"(?i)[ ,]*(?:per|each|down|fail\w*|missing|at[ ]a[ ]time|in[ ]parallel|planned|soon|later|in[ ]the[ ]future"
    r"|instead|or[ ](?:fewer|less)|into|to[ ]\d|were|was|will|would|could|should|can|may|might|remain\w*|behind"
    r"|(?:of|in|on|from|across|for)[ ](?:your|their|any)|you"
    r"|without|in[ ]a[ ]row|with[ ]errors|\(?(?:planned|optional|future|target|goal))\b"
    r"|[ ]*(?:\N{RIGHTWARDS ARROW}|->|=>|\xe2\u2020)"
)
_WORD_BEFORE = words(
    """
    tier phase step level version v section chapter week day sprint option stage part layer group server node zone port
    top first last next every another from to than within after before terminal and or out no not
    """
)
# What ends so goes on with a number that is no count: a range, an arrow (also when its encoding is broken), a fraction.
_SIGNS_BEFORE = frozenset("\N{RIGHTWARDS ARROW}>-\N{EN DASH}\N{EM DASH}/\u2020<~\N{ALMOST EQUAL TO}\u2019")
_CLAIMING = regexp(
    r"(?i)(?:\b(?:consists?[ ]of|compris\w+(?:[ ]of)?|composed[ ]of|made[ ](?:up[ ])?of|contains?|has|have|runs?"
    r"|running|into|deploys?|provides?|all|total|stack[ ]of|set[ ]of)|[:|])$"
)
_AT_LEAST = regexp(r"(?i)\b(?:over|at[ ]least|more[ ]than)$")
_SENTENCE_END = regexp(r"[.!?;](?=[ ]|$)")


def counts(section: Section, path: str) -> Iterator[CountClaim]:
    """The numbers of services that a section claims."""
    if section.excluded:
        return
    heading = section.headings[-1] if section.headings else None
    if heading and not (section.numbered and starts_with_number(heading.text)):
        yield from _claims_of(((heading.line, heading.text),), path)
    for block in section.blocks:
        for lines in _texts(block):
            yield from _claims_of(lines, path)


def _texts(block: Block) -> Iterator[tuple[tuple[int, str], ...]]:
    """The runs of text of a block, each as numbered lines."""
    if isinstance(block, Paragraph):
        yield block.lines
    elif isinstance(block, List):
        for item in _flat(block.items):
            if not item.task and not item.struck:
                yield ((item.line, item.text),)
    elif isinstance(block, Table):
        for row in block.rows:
            if not row.struck:
                yield ((row.line, " | ".join(row.cells)),)


def _flat(items: Sequence[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _flat(item.children)


def _claims_of(lines: Sequence[tuple[int, str]], path: str) -> Iterator[CountClaim]:
    text = " ".join(line for _, line in lines)
    for match in _COUNT.finditer(text):
        category = _category(match[3])
        number = number_of(match[1])
        if category is not None and _FEWEST <= number <= _MOST and _said_plainly(text, match, number):
            before = text[: match.start()].rstrip()
            at_least = bool(match[2]) or _AT_LEAST.search(before) is not None
            yield CountClaim(match[0], number, at_least, _place(lines, match.start(), path), category or None)
    for pattern in (_TOTAL, _HYPHENED):
        for match in pattern.finditer(text):
            number = int(match[1])
            if _FEWEST <= number <= _MOST and not _BEFORE.search(_sentence(text, match.start())):
                location = _place(lines, match.start(), path)
                yield CountClaim(match[0].strip(), number, bool(match[2]), location)


def number_of(text: str) -> int:
    """What digits, or words as `SPELT` matches them, say."""
    if text.isdecimal():
        return int(text)
    first, *rest = re.split("[- ]", text.lower())
    if rest == ["dozen"]:
        return 12 * _NUMBERS.get(first, 1)
    return _TENS.get(first, 0) + sum(_NUMBERS.get(word, 0) for word in (first, *rest))


def _category(between: str) -> str | None:
    """The word before "services" where it narrows the count, "" where nothing does, None where it is another count."""
    named = between.lower().split()
    if any(word in _OTHER for word in named):
        return None
    if not named or named[-1] in _PLAIN:
        return ""
    return named[-1]


def _said_plainly(text: str, match: re.Match[str], number: int) -> bool:
    before = _sentence(text, match.start()).rstrip()
    last = before.split()[-1] if before else ""
    if last[-1:] in _SIGNS_BEFORE or (last.lower().strip("(*_\"'") in _WORD_BEFORE and not _AT_LEAST.search(before)):
        return False
    if _BEFORE.search(before) or _AFTER.match(text, match.end()):
        return False
    if number >= 10 and match[1].isdigit():
        return True
    # A small number often counts some of them: "the two services share a database".
    claimed = _AT_LEAST.sub("", before).rstrip()
    return not claimed or _CLAIMING.search(claimed) is not None


def _sentence(text: str, end: int) -> str:
    """What stands before `end` in the same sentence."""
    begin = 0
    for match in _SENTENCE_END.finditer(text, 0, end):
        begin = match.end()
    return text[begin:end]


def _place(lines: Sequence[tuple[int, str]], offset: int, path: str) -> Location:
    for number, line in lines:
        if offset <= len(line):
            return Location(path, number)
        offset -= len(line) + 1
    return Location(path, lines[-1][0])
