"""The code that an entry names as its own: whether it is there, which parts are stubs, which outside addresses it uses.

Code is read as text and as a syntax tree; nothing is imported or run.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence

from auditor.errors import TextError
from auditor.frozen import dataclass
from auditor.model import Address, Entry, Implementation, Lifecycle, Location, Placeholder, Reference
from auditor.regexp import regexp
from auditor.tree import Tree, join

MAX_FILES = 300  # of a directory
MAX_TEXT = 4 << 20  # bytes of a directory's files together; what comes after is not looked at
MAX_SOURCE = 1 << 20  # bytes of one file
MAX_FOUND = 50
_OTHER_LANGUAGES = (
    "ts",
    "tsx",
    "js",
    "mjs",
    "cjs",
    "jsx",
    "go",
    "rb",
    "java",
    "kt",
    "cs",
    "php",
    "rs",
    "ex",
    "exs",
    "scala",
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def parse_implementation(tree: Tree, entry: Entry, directory: str) -> Implementation:
    """The implementation of an entry; its path is relative to the catalogue's `directory`.

    Raises EvidenceError where it cannot be read, TextError where it lies outside the root or is no Python.
    """
    path = join(directory, entry.implementation or "")
    if not tree.exists(path):
        return Implementation(entry.name, path, False, entry.place("implementation"))
    files = _files(tree, path)
    sources = list(_sources(tree, files, path))
    words = _words_of(entry) if entry.lifecycle is Lifecycle.EMBEDDED else frozenset()
    bases = frozenset(name for source in sources for name in source.bases())
    places = [place for source in sources for place in source.functions(bases)]
    concerned = [place for place in places if place.concerns(words)] or places
    stubs = [stub for place in concerned if (stub := place.placeholder()) is not None]
    stubs += [stub for source in sources for stub in source.foreign_stubs()]
    if files == [path] and sources and sources[0].has_no_code():
        stubs.append(Placeholder("empty", "it holds no code", Location(path)))
    references = _unique(reference for source in sources for reference in source.references())
    first = concerned[0].location if concerned and len(files) == 1 else Location(path)
    return Implementation(entry.name, path, True, first, tuple(stubs[:MAX_FOUND]), references)


def _sources(tree: Tree, files: Sequence[str], path: str) -> Iterator[_Source]:
    size = 0
    for name in files:
        source = _Source.read(tree, name, strict=name == path)
        size += len(source.text)
        if size > MAX_TEXT and name != path:
            return
        yield source


def _files(tree: Tree, path: str) -> list[str]:
    """The file itself, or the code below the directory, tests left out."""
    below = "" if path == "." else f"{path.rstrip('/')}/"
    python = [name for name in tree.glob(f"{below}**/*.py") if not _is_test(name.removeprefix(below))]
    if python:
        return python[:MAX_FILES]
    others = [name for ending in _OTHER_LANGUAGES for name in tree.glob(f"{below}**/*.{ending}")]
    if others:
        return [name for name in sorted(others) if not _is_test(name.removeprefix(below))][:MAX_FILES]
    return [path] if path not in ("", ".") and not _is_directory(tree, path) else []


def _is_directory(tree: Tree, path: str) -> bool:
    return path not in tree.glob(path)


def _is_test(name: str) -> bool:
    *directories, last = name.split("/")
    return bool({"test", "tests", "__tests__"} & set(directories)) or bool(
        re.match(r"test_|conftest\.py$", last) or re.search(r"(?:_test|\.test|\.spec)\.\w+$", last)
    )


# Words of names that do not tell one service from another.
_GENERIC = _set(
    """
    a and api app application backend by client component core daemon database for frontend gateway handler in
    integration job local main manager message messages module notification notifications notifier of on part
    sender sending server service services system task the to tool tracking web worker workers
    """
)


def _words_of(entry: Entry) -> frozenset[str]:
    names = (entry.name, entry.title or "", *entry.aliases)
    return frozenset(word for name in names for word in _split_name(name)) - _GENERIC


def _split_name(name: str) -> list[str]:
    """The lower-case words of a name in any spelling: `sendSlackMessage`, `send-slack`, `Send Slack`."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]


# --- one file ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Source:
    """One file: its text, and its syntax tree where it is Python."""

    path: str
    text: str
    module: ast.Module | None
    nodes: tuple[ast.AST, ...] = ()

    @classmethod
    def read(cls, tree: Tree, path: str, *, strict: bool) -> _Source:
        """strict: raise TextError for what is no Python; else such a file only counts as text."""
        text = tree.read(path).decode("utf-8", "replace").removeprefix("\ufeff")
        if not path.endswith(".py"):
            return cls(path, text, None)
        try:
            module = _parsed(text, path)
        except TextError:
            if strict:
                raise
            return cls(path, text, None)
        return cls(path, text, module, tuple(ast.walk(module)))

    def has_no_code(self) -> bool:
        """Whether a file of code holds nothing but comments, and what begins every file of its language."""
        if self.module:
            named = not self.path.endswith("__init__.py")  # there for its package's sake
            return named and all(isinstance(node, ast.Pass) or _is_text(node) for node in self.module.body)
        ending = self.path.rpartition(".")[2]
        return ending in _OTHER_LANGUAGES and not _BEGINS.sub("", _COMMENT.sub("", self.text)).strip()

    def bases(self) -> Iterator[str]:
        """The names of classes that others are derived from."""
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                yield from map(_last, node.bases)

    def functions(self, bases: frozenset[str]) -> Iterator[_Place]:
        """Every function and method, those inside functions left out."""
        if self.module is None:
            return
        todo: list[tuple[ast.stmt, ast.ClassDef | None]] = [(node, None) for node in reversed(self.module.body)]
        while todo:
            node, owner = todo.pop()
            if isinstance(node, Function):
                yield _Place(self.path, node, owner, owner is not None and _is_abstract(owner, bases))
            elif isinstance(node, ast.ClassDef):
                todo += [(inner, node) for inner in reversed(node.body)]
            elif isinstance(node, ast.If | ast.Try):
                todo += [(inner, owner) for inner in reversed(node.body + node.orelse)]

    def foreign_stubs(self) -> Iterator[Placeholder]:
        """Where a file of another language says that it is not implemented; a base class leaves that to others."""
        if self.module or _BASE_CLASS.search(self.text):
            return
        yield from self._empty_bodies()
        for number, line in enumerate(self.text.split("\n")[:20_000], 1):
            if _FOREIGN_STUB.search(line[:500]) and not line.lstrip().startswith(_COMMENTS):
                yield Placeholder("not-implemented", "it says that it is not implemented", Location(self.path, number))

    def _empty_bodies(self) -> Iterator[Placeholder]:
        """The functions that promise to send something and do nothing; what stands in for the real thing may."""
        name = self.path.rpartition("/")[2]
        pattern = _EMPTY.get(name.rpartition(".")[2])
        if pattern is None or _STANDS_IN_FILE.search(name) or _STANDS_IN_CLASS.search(self.text):
            return
        for match in pattern.finditer(self.text):
            if _promises(match[1]):
                line = self.text.count("\n", 0, match.start(1)) + 1
                yield Placeholder("empty", f"`{match[1]}` does nothing", Location(self.path, line))

    def references(self) -> Iterator[Reference]:
        """The outside addresses in string literals, or in the lines of other languages."""
        texts = _literals(self.nodes) if self.module else _lines(self.text)
        for line, text, whole in texts:
            for address in _outside(text, whole):
                yield Reference(address, "code", Location(self.path, line))


_COMMENT = regexp(r"/\*.*?\*/|^[ \t]*(?://|#)[^\n]*", re.DOTALL | re.MULTILINE)
_BEGINS = regexp(
    r"(?m)^[ \t]*(?:package[ ][\w.]+;?|export[ ]\{\};?|module\.exports[ ]?=[ ]?\{\};?|<\?php|[\"']use strict[\"'];?)"
    r"[ \t]*$"
)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


_SPACE = r"(?:\s|//[^\n]*\n)*"
_NOTHING = rf"\{{{_SPACE}(?:return(?:[ ](?:nil|null|true|undefined))?;?{_SPACE})?\}}"
_SCRIPT = regexp(
    rf"\bfunction[ ](\w{{1,60}})[ ]?\([^()\n]{{0,300}}\)(?:[ ]?:[ ]?[\w<>\[\]|. ]{{1,80}}?)?[ ]?{_NOTHING}"
)
_EMPTY = {
    **dict.fromkeys(("ts", "tsx", "js", "mjs", "cjs", "jsx"), _SCRIPT),
    "go": re.compile(
        rf"^func[ ](?:\([^()\n]{{0,100}}\)[ ])?(\w{{1,60}})\([^()\n]{{0,300}}\)[^{{}}\n]{{0,80}}{_NOTHING}",
        re.MULTILINE,
    ),
    "java": re.compile(rf"\bpublic[ ][\w<>\[\], ]{{1,80}}[ ](\w{{1,60}})\([^()\n]{{0,300}}\)[ ]?{_NOTHING}"),
}
_STANDS_IN_FILE = regexp(r"(?i)^(?:fake|mock|dummy|null|noop|no-op|console|dry)")
_STANDS_IN_CLASS = regexp(r"\b(?:class|type)[ ](?:Fake|Mock|Dummy|Null|Noop|NoOp|Console)")
_FOREIGN_STUB = regexp(
    r"""(?ix) (?:\bthrow\s+(?:new\s+)?[\w.:]+|\bpanic!?|\bfatalError|\bTODO|\berrors\.New|\braise\s+["'])
    \(?\s*["'`]?(?:\w+[\s.:]+){0,4}(?:(?:is\s+)?not\s+(?:yet\s+)?implemented|TODO\b|unimplemented)
    | \bNotImplementedException\b | \braise\s+NotImplementedError\b | \b(?:unimplemented|todo)!\(""",
)
_BASE_CLASS = regexp(r"\babstract\b|\bclass\s+(?:Base|Abstract)|\binterface\b")
_COMMENTS = ("//", "#", "*", "/*", "--", "<!--")


def _parsed(text: str, path: str) -> ast.Module:
    if len(text) > MAX_SOURCE:
        raise TextError(f"Python code larger than {MAX_SOURCE >> 20} MiB", path=path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape in somebody's string is no concern of ours
            return ast.parse(text)
    except SyntaxError as error:
        raise TextError(f"not valid Python: {error.msg}", path=path, line=error.lineno) from None
    except (ValueError, RecursionError, MemoryError, OverflowError):
        raise TextError("Python code that is nested too deeply to be read", path=path) from None


def _last(node: ast.expr) -> str:
    """The last name of `a.b.C`, `C` or `C[T]`."""
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


_ABSTRACT_BASES = frozenset({"ABC", "Protocol", "Interface", "TypedDict", "NamedTuple"})
_ABSTRACT_NAME = regexp(r"^(?:Base|Abstract|I(?=[A-Z][a-z]))|(?:Base|Interface|Protocol|Mixin|ABC)$")
# Classes that stand in for the real thing on purpose, or whose very work is to print.
_STAND_IN = regexp(
    r"^(?:Fake|Mock|Dummy|Null|Noop|NoOp|Test|Console|Stdout|Log|Logging|Dry)|(?:Handler|Formatter|Stub)$"
)


def _is_abstract(owner: ast.ClassDef, bases: frozenset[str]) -> bool:
    if owner.name in bases or _ABSTRACT_NAME.search(owner.name) or _STAND_IN.search(owner.name):
        return True
    if any(_last(base) in _ABSTRACT_BASES for base in owner.bases) or owner.keywords:
        return True
    return any(isinstance(node, Function) and "abstractmethod" in _decorators(node) for node in owner.body)


def _decorators(node: Function) -> frozenset[str]:
    return frozenset(_last(item.func if isinstance(item, ast.Call) else item) for item in node.decorator_list)


# --- stubs ---------------------------------------------------------------------------------------------------

# A function so called says that something leaves, or happens elsewhere.
_PROMISES = _set(
    """
    alert broadcast call charge deliver dispatch email emit forward invoke mail message notify page post publish
    push refund request send submit transmit trigger upload
    """
)
_PROMISES_LAST = _set("send notify publish deliver push")
_POSTED = _set("message messages to alert alerts slack teams discord webhook event events notification notifications")
_ONLY_TELLS = _set("log logs print debug dry format render repr show echo mock fake stub noop validate")
_MAY_BE_EMPTY = _set(
    """
    abstractmethod overload group callback fixture hookspec hookimpl setter deleter getter cached_property
    property
    """
)
_LOG_METHODS = _set("debug info warning warn error exception critical log msg")
_HARMLESS_METHODS = _set(
    """
    copy decode dict dumps encode endswith format get hex hexdigest isoformat items join json keys lower lstrip
    model_dump now replace rstrip split startswith strip strftime time title today upper utcnow uuid4 values
    """
)
_HARMLESS_FUNCTIONS = _set(
    """
    bool dict enumerate float format frozenset getattr hasattr int isinstance len list max min repr set sorted str
    sum tuple uuid4 zip
    """
)


@dataclass(frozen=True, slots=True)
class _Place:
    """One function where it stands."""

    path: str
    node: Function
    owner: ast.ClassDef | None
    abstract: bool

    @property
    def location(self) -> Location:
        return Location(self.path, self.node.lineno)

    @property
    def name(self) -> str:
        return f"{self.owner.name}.{self.node.name}" if self.owner else self.node.name

    def concerns(self, words: frozenset[str]) -> bool:
        """Whether its name or that of its class has a word of the entry's."""
        return not words.isdisjoint(_split_name(self.name))

    def placeholder(self) -> Placeholder | None:
        """What kind of stub it is, if any."""
        if self.abstract or _MAY_BE_EMPTY & _decorators(self.node) or _is_dunder(self.node.name):
            return None
        body = [statement for statement in self.node.body if not _is_bare_constant(statement)]
        promises = _promises(self.node.name)
        if _raises_not_implemented(body) and (promises or self.owner is None or _mostly_missing(self.owner)):
            return self._stub("not-implemented", body[-1], f"`{self.name}` raises NotImplementedError")
        if promises and all(_does_nothing(statement) for statement in body):
            return self._stub("empty", self.node, f"`{self.name}` does nothing")
        if promises and _only_logs(body):
            log = next(node for statement in body for node in ast.walk(statement) if _is_log(node))
            return self._stub("logs-only", log, f"`{self.name}` only logs what it should send")
        return None

    def _stub(self, kind: str, node: ast.AST, text: str) -> Placeholder:
        line = getattr(node, "lineno", self.node.lineno)
        return Placeholder(kind, text, Location(self.path, line))


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _is_bare_constant(statement: ast.stmt) -> bool:
    """A docstring or `...`."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Return):
        return statement.value is None or isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass)


def _promises(name: str) -> bool:
    """Whether a function's name says that something leaves: `send_slack`, `slack_notify`, but not `post_init`."""
    first, *rest = _split_name(name) or [""]
    if not _ONLY_TELLS.isdisjoint(rest) or first in _ONLY_TELLS:
        return False
    if first == "post":
        return not rest or not _POSTED.isdisjoint(rest)
    return first in _PROMISES or (bool(rest) and rest[-1] in _PROMISES_LAST)


def _raises_not_implemented(body: Sequence[ast.stmt]) -> bool:
    """Whether that is all it does, but for a word in the log."""
    if not body or not isinstance(body[-1], ast.Raise) or body[-1].exc is None:
        return False
    raised = body[-1].exc.func if isinstance(body[-1].exc, ast.Call) else body[-1].exc
    return _last(raised) == "NotImplementedError" and all(_is_log(statement) for statement in body[:-1])


def _mostly_missing(owner: ast.ClassDef) -> bool:
    """Whether at least half of a class's methods only raise; a few that do say what a variant does not support."""
    methods = [node for node in owner.body if isinstance(node, Function) and not _is_dunder(node.name)]
    missing = [m for m in methods if _raises_not_implemented([s for s in m.body if not _is_bare_constant(s)])]
    return len(missing) * 2 >= len(methods)


def _is_log(node: ast.AST) -> bool:
    """`print(...)`, `logger.info(...)`, `logging.warning(...)`, `self.log.debug(...)`, as a statement."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    function = node.value.func
    if isinstance(function, ast.Name):
        return function.id in ("print", "pprint")
    return (
        isinstance(function, ast.Attribute)
        and function.attr in _LOG_METHODS
        and re.search(r"(?i)log|structlog|console", _last(function.value) or "") is not None
    )


def _only_logs(body: Sequence[ast.stmt]) -> bool:
    """Whether statements tell somebody through the log, and do nothing besides."""
    logs = False
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if _is_log(node):
            logs = True
        elif isinstance(node, _DOING) or (isinstance(node, ast.Call) and not _is_harmless(node)):
            return False
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            return False  # its value is dropped, so it is called for what it does
        else:
            todo += ast.iter_child_nodes(node)
    return logs


_DOING = (
    ast.Await,
    ast.Yield,
    ast.YieldFrom,
    ast.With,
    ast.AsyncWith,
    ast.AsyncFor,
    ast.Delete,
    ast.Lambda,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
)


def _is_harmless(call: ast.Call) -> bool:
    """A call that makes a value and moves nothing: a constructor, a conversion, a look-up on the object itself."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id in _HARMLESS_FUNCTIONS or function.id[:1].isupper()
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr in _HARMLESS_METHODS or function.attr[:1].isupper():
        return True
    own = isinstance(function.value, ast.Name) and function.value.id in ("self", "cls")
    return own and not _PROMISES & set(_split_name(function.attr))


# --- outside addresses ---------------------------------------------------------------------------------------

_URL = regexp(
    r"\b(https?|wss?|smtps?|amqps?)://(?:[^\s/@:\"'<>]{0,200}(?::[^\s/@\"'<>]{0,200})?@)?([A-Za-z0-9.-]{1,253})(?::(\d{1,5}))?"
)
_HOST = regexp(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}")
_HOST_VARIABLE = regexp(r"(?i)(?:host|server|endpoint|address|addr)$")
# Names of schemas, licences and documentation, and names that are reserved for examples: nobody calls these.
_NOT_CALLED = regexp(
    r"(?:^|\.)(?:w3\.org|json-schema\.org|schema\.org|xmlsoap\.org|purl\.org|ietf\.org|rfc-editor\.org|spdx\.org|python\.org"
    r"|opensource\.org|creativecommons\.org|apache\.org|gnu\.org|wikipedia\.org|stackoverflow\.com|readthedocs\.io|github\.io"
    r"|github\.com|gitlab\.com|mozilla\.org|swagger\.io|openapis\.org|openxmlformats\.org|microsoft\.com|example\.(?:com|org|net)"
    r"|example|test|invalid|localhost|local|internal|localdomain)$"
    r"|^(?:docs?|developers?|www)\."
)


def _outside(text: str, whole: bool) -> Iterator[Address]:
    """The hosts beyond the project's own networks. whole: the text ends where the literal ends."""
    for match in _URL.finditer(text):
        host = match[2].lower().strip(".")
        cut = match.end() == len(text) and not whole
        if not cut and match[2] == match[2].strip(".") and _is_outside(host):
            port = int(match[3]) if match[3] and 0 < int(match[3]) < 65_536 else None
            yield Address(host, port, match[1])


def _is_outside(host: str) -> bool:
    return _HOST.fullmatch(host) is not None and not _NOT_CALLED.search(host)


def _literals(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str, bool]]:
    """(line, text, whole) of the string literals that are no docstrings, in order."""
    skipped = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    found: list[tuple[int, str, bool]] = []
    inside: dict[int, bool] = {}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            for index, part in enumerate(node.values):
                inside[id(part)] = index == len(node.values) - 1
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            found.append((node.lineno, node.value, inside.get(id(node), True)))
        elif isinstance(node, ast.Call) and (host := _default_host(node)):
            found.append((node.lineno, f"smtp://{host}" if host.startswith("smtp") else f"https://{host}", True))
    return iter(sorted(found))


def _default_host(call: ast.Call) -> str | None:
    """The host name in `os.getenv("SMTP_HOST", "smtp.mail.example")`."""
    if _last(call.func) not in ("getenv", "get") or len(call.args) != 2:
        return None
    name, default = (argument.value if isinstance(argument, ast.Constant) else None for argument in call.args)
    if isinstance(name, str) and isinstance(default, str) and _HOST_VARIABLE.search(name) and _HOST.fullmatch(default):
        return default
    return None


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """The lines of another language that are no comments."""
    for number, line in enumerate(text.split("\n")[:20_000], 1):
        if "://" in line and not line.lstrip().startswith(_COMMENTS):
            yield number, re.sub(r"\s//.*", "", line[:2_000]), not re.search(r"://[^\"'`]*\$\{", line[:2_000])


def _unique(references: Iterator[Reference]) -> tuple[Reference, ...]:
    """The first mention of each host."""
    first: dict[tuple[str, int | None], Reference] = {}
    for reference in references:
        first.setdefault((reference.address.host, reference.address.port), reference)
    return tuple(first.values())[:MAX_FOUND]
