"""What code shows without being run: stubs, outside addresses, and that odd code harms nobody."""

from __future__ import annotations

import textwrap
import time

import pytest

from auditor.errors import EvidenceError, TextError
from auditor.model import Entry, Implementation, Lifecycle, Location
from auditor.sources.code import parse_implementation
from tests.builders import MemoryTree


def entry(name: str = "web", implementation: str = "app/web.py", **fields: object) -> Entry:
    location = Location("catalogue.yaml", 3)
    return Entry(name, location, {"implementation": 5}, implementation=implementation, **fields)  # type: ignore[arg-type]


def read(code: str, **fields: object) -> Implementation:
    return parse_implementation(MemoryTree({"app/web.py": textwrap.dedent(code)}), entry(**fields), "")  # type: ignore[arg-type]


def stubs(code: str, **fields: object) -> list[tuple[str, int | None]]:
    return [(stub.kind, stub.location.line) for stub in read(code, **fields).placeholders]


def hosts(code: str) -> list[str]:
    return [reference.address.host for reference in read(code).references]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def run():\n    raise NotImplementedError\n", [("not-implemented", 2)]),
        ("def run():\n    '''Doc.'''\n    raise NotImplementedError('later')\n", [("not-implemented", 3)]),
        ("async def run():\n    log.info('x')\n    raise NotImplementedError()\n", [("not-implemented", 3)]),
        ("class Slack:\n    def send(self):\n        raise NotImplementedError\n", [("not-implemented", 3)]),
        ("class Slack:\n    def run(self):\n        raise NotImplementedError\n", [("not-implemented", 3)]),
        ("def send_mail(to):\n    pass\n", [("empty", 1)]),
        ("def send_mail(to): ...\n", [("empty", 1)]),
        ("def send_mail(to):\n    '''Sends.'''\n", [("empty", 1)]),
        ("def notify(to):\n    return True\n", [("empty", 1)]),
        ("@router.post('/slack')\nasync def send_slack(): pass\n", [("empty", 2)]),
        ("def send_slack(text):\n    logger.info('SLACK: %s', text)\n", [("logs-only", 2)]),
        ("def send_slack(text):\n    print('SLACK', text)\n    return True\n", [("logs-only", 2)]),
        ("def slack_notify(text):\n    logging.warning(f'SLACK {text}')\n", [("logs-only", 2)]),
        ("def sendSlack(text):\n    self.log.debug(text)\n", [("logs-only", 2)]),
        ("def send(self, n):\n    if n:\n        logger.info(n)\n    return Result(n, ok=True)\n", [("logs-only", 3)]),
        (
            "def send(self, n):\n    c = self._wishes(n).channel\n    logger.info(c)\n    return Done()\n",
            [("logs-only", 3)],
        ),
        ("def post_message(text):\n    text = text.strip()\n    print(text)\n", [("logs-only", 3)]),
        ("if True:\n    def send(): pass\nelse:\n    def send(): return httpx.post(1)\n", [("empty", 2)]),
        ("", [("empty", None)]),
        ("'''Sends mail.'''\n# TODO\n", [("empty", None)]),
    ],
)
def test_stubs(code: str, found: list[tuple[str, int | None]]) -> None:
    assert stubs(code) == found


@pytest.mark.parametrize(
    "code",
    [
        "def send(text):\n    httpx.post(URL, json=text)\n    logger.info('sent')\n",
        "async def send(text):\n    logger.info('sending')\n    await client.send(text)\n",
        "def send(text):\n    logger.info('x')\n    self.queue.append(text)\n",
        "def send(text):\n    logger.info('x')\n    ok = transport(text)\n    return ok\n",
        "def send(text):\n    logger.info('x')\n    return self._post(text)\n",
        "def send(text):\n    with smtp() as s:\n        logger.info('x')\n",
        "def send(text):\n    return self.client.chat_postMessage(text)\n",
        "def log_message(text):\n    logger.info(text)\n",
        "def print_alert(text):\n    print(text)\n",
        "def render(text):\n    print(text)\n",
        "def post_init(self):\n    pass\n",
        "def setup():\n    pass\n",
        "def on_start():\n    ...\n",
        "class A:\n    def __init__(self):\n        pass\n",
        "class A(ABC):\n    def send(self):\n        raise NotImplementedError\n",
        "class A(Protocol):\n    def send(self) -> None: ...\n",
        "class A(metaclass=ABCMeta):\n    def send(self): ...\n",
        "class A:\n    @abstractmethod\n    def send(self): ...\n    def notify(self): ...\n",
        "class BaseSender:\n    def send(self):\n        raise NotImplementedError\n",
        "class SenderProtocol:\n    def send(self): ...\n",
        "class A:\n    def send(self): raise NotImplementedError\nclass B(A):\n    def send(self): x.post()\n",
        "class ConsoleSender:\n    def send(self, text):\n        print(text)\n",
        "class FakeMail:\n    def send(self, text):\n        pass\n",
        "class MyHandler(logging.Handler):\n    def emit(self, record):\n        print(record)\n",
        "@overload\ndef send(a: int) -> None: ...\n",
        "@click.group()\ndef send():\n    pass\n",
        "class A:\n    def a(self): f()\n    def b(self): f()\n    def c(self): raise NotImplementedError\n",
        "def run(kind):\n    if kind == 1:\n        return f()\n    raise NotImplementedError(kind)\n",
        "def run():\n    def send(): pass\n    return g(send)\n",
        "try:\n    import x\nexcept ImportError:\n    pass\n",
        "from app.real import send\n",
    ],
)
def test_what_is_no_stub(code: str) -> None:
    assert stubs(code) == []


def test_a_stub_says_its_name() -> None:
    (stub,) = read("class N:\n    def _send_slack(self, text):\n        log.info(text)\n").placeholders
    assert stub.text == "`N._send_slack` only logs what it should send"
    assert str(stub.location) == "app/web.py:3"


CHANNELS = """\
class Service:
    def _send_email(self, text):
        self.smtp.send(text)

    def _send_slack(self, text):
        log.info(text)

    def _send_teams(self, text):
        pass
"""


@pytest.mark.parametrize(
    ("name", "title", "found"),
    [
        ("slack-notifications", "Slack Notifications", [("logs-only", 6)]),
        ("teams", None, [("empty", 8)]),
        ("email", None, []),
        ("pager", None, [("logs-only", 6), ("empty", 8)]),
        ("notification-service", None, [("logs-only", 6), ("empty", 8)]),
    ],
)
def test_an_embedded_entry_answers_for_its_own_part(name: str, title: str | None, found: list[tuple[str, int]]) -> None:
    assert stubs(CHANNELS, name=name, title=title, lifecycle=Lifecycle.EMBEDDED) == found


def test_another_entry_answers_for_all_of_its_file() -> None:
    assert stubs(CHANNELS, name="slack-notifications") == [("logs-only", 6), ("empty", 8)]


def test_the_location_is_the_first_function_concerned() -> None:
    assert read(CHANNELS, name="slack", lifecycle=Lifecycle.EMBEDDED).location == Location("app/web.py", 5)
    assert read("A = 1\n").location == Location("app/web.py")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("URL = 'https://api.sendgrid.com/v3'\n", ["api.sendgrid.com"]),
        ("x = os.getenv('URL', 'https://chrome.browserless.io')\n", ["chrome.browserless.io"]),
        ("def f(url='wss://a.b.io:443/x'): pass\n", ["a.b.io"]),
        ("x = os.getenv('SMTP_HOST', 'smtp.mailgun.org')\n", ["smtp.mailgun.org"]),
        ("x = os.environ.get('API_ENDPOINT', 'api.mailgun.net')\n", ["api.mailgun.net"]),
        ("x = {'a': 'b'}.get('key', 'some.word')\n", []),
        ("x = f'https://api.mailgun.net/{domain}'\n", ["api.mailgun.net"]),
        ("x = f'https://api.{region}.net/'\n", []),
        ("x = f'https://api{region}'\n", []),
        ("x = f'{base}/https://api.stripe.com'\n", ["api.stripe.com"]),
        ("x = 'https://user:made-up@api.stripe.com/x'\n", ["api.stripe.com"]),
        ("x = 'http://localhost:8000 http://127.0.0.1 http://redis:6379 http://10.0.0.1'\n", []),
        ("x = 'http://www.w3.org/2000/svg https://json-schema.org/x https://example.com'\n", []),
        ("x = 'https://docs.stripe.com/api'\n", []),
        ("'''See https://api.stripe.com.'''\n", []),
        ("def f():\n    '''https://api.stripe.com'''\n", []),
        ("# https://api.stripe.com\n", []),
        ("a = 'https://a.io'\nb = 'https://a.io/x'\nc = 'https://b.io'\n", ["a.io", "b.io"]),
    ],
)
def test_outside_addresses(code: str, found: list[str]) -> None:
    assert hosts(code) == found


def test_a_reference_keeps_no_secret() -> None:
    found = read("x = 'https://user:made-up-secret@api.stripe.com:8443/p?key=made-up-secret'\n")
    assert "made-up-secret" not in repr(found)
    (reference,) = found.references
    assert (reference.address.port, reference.address.scheme, reference.where) == (8443, "https", "code")


# --- which files ---------------------------------------------------------------------------------------------

STUB = "def send(): pass\n"


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("export async function sendSms(to) {\n  throw new Error('Not implemented');\n}", [2]),
        ("module.exports = () => { throw Error(`sms.send: not yet implemented`) }", [1]),
        ('func Send() error {\n\treturn errors.New("not implemented")\n}', [2]),
        ("def send\n  raise NotImplementedError\nend", [2]),
        ("fn send() { todo!() }", [1]),
        ("public void Send() => throw new NotImplementedException();", [1]),
        ("// throw new Error('Not implemented')\nsend();", []),
        ("if (kind !== 'sms') log('fax is not implemented');", []),
        ("export async function sendSms(to: string): Promise<void> {\n  // TODO\n}", [1]),
        ("export function notify(x) { return null; }", [1]),
        ("export function notify(x) { return post(x); }", []),
        ("export function reset() {}", []),
        ("class MockSender {}\nfunction sendSms() {}", []),
        ('func Send() { panic("TODO: later") }', [1]),
        ("export abstract class Sender {\n  send() { throw new Error('Not implemented'); }\n}", []),
    ],
)
def test_stubs_of_other_languages(code: str, lines: list[int]) -> None:
    found = parse_implementation(MemoryTree({"app/web.ts": code}), entry(implementation="app/web.ts"), "")
    assert [stub.location.line for stub in found.placeholders] == lines


def test_a_directory_is_all_python_below_it_but_tests() -> None:
    tree = MemoryTree(
        {
            "b/app/a.py": STUB,
            "b/app/sub/c.py": STUB,
            "b/app/tests/d.py": STUB,
            "b/app/test_e.py": STUB,
            "b/app/x_test.py": STUB,
            "b/app/conftest.py": STUB,
            "b/other.py": STUB,
        }
    )
    found = parse_implementation(tree, entry(implementation="app/"), "b")
    assert found.path == "b/app"
    assert [stub.location.path for stub in found.placeholders] == ["b/app/a.py", "b/app/sub/c.py"]


def test_a_base_class_in_another_file_of_the_directory() -> None:
    base = "class Sender:\n    def send(self):\n        raise NotImplementedError\n"
    tree = MemoryTree(
        {"app/base.py": base, "app/slack.py": "class Slack(base.Sender):\n    def send(self): x.post()\n"}
    )
    assert parse_implementation(tree, entry(implementation="app"), "").placeholders == ()


def test_other_languages_show_addresses_only() -> None:
    code = "// see https://api.a.io\nconst url = 'https://api.b.io/x'; // https://c.io\nconst u = `https://${host}.d.io`;\n"
    tree = MemoryTree({"app/web.ts": code})
    for path in ("app/web.ts", "app"):
        found = parse_implementation(tree, entry(implementation=path), "")
        assert [r.address.host for r in found.references] == ["api.b.io"]
        assert (found.exists, found.placeholders) == (True, ())


def test_what_is_not_there() -> None:
    found = parse_implementation(MemoryTree({}), entry(), "")
    assert (found.exists, found.path, found.location) == (False, "app/web.py", Location("catalogue.yaml", 5))


def test_outside_the_root() -> None:
    with pytest.raises(TextError, match="outside the project root"):
        parse_implementation(MemoryTree({}), entry(implementation="../x.py"), "")


def test_a_file_that_cannot_be_read() -> None:
    class Locked(MemoryTree):
        def read(self, path: str) -> bytes:
            raise EvidenceError("permission denied", path=path)

    with pytest.raises(EvidenceError):
        parse_implementation(Locked({"app/web.py": ""}), entry(), "")


@pytest.mark.parametrize(
    "code",
    [
        "def f(:\n",
        "x = 1\0\n",
        "(" * 100_000,
        "-" * 100_000 + "1",
        "+".join(["1"] * 50_000),
        "a" + ".a" * 50_000,
        "f" + "()" * 50_000,
        "if 1: pass\n" + "elif 1: pass\n" * 20_000,
        "x = " + "9" * 10_000,
        "'''",
        "#" * (2 << 20),
    ],
    ids=lambda code: repr(code[:12]),
)
def test_what_is_no_python_is_said_and_in_a_directory_passed_over(code: str) -> None:
    tree = MemoryTree({"app/web.py": code, "app/good.py": STUB})
    with pytest.raises(TextError) as caught:
        parse_implementation(tree, entry(), "")
    assert caught.value.path == "app/web.py"
    assert len(parse_implementation(tree, entry(implementation="app"), "").placeholders) == 1


@pytest.mark.parametrize("code", [b"\xff\xfe\x00", b"\xef\xbb\xbfx = 1\n", b"# coding: nonsense\n", b"x = '\\d'\n"])
def test_odd_bytes(code: bytes) -> None:
    tree = MemoryTree({"app/web.py": code, "app/good.py": STUB})
    assert parse_implementation(tree, entry(implementation="app"), "").exists


@pytest.mark.parametrize(
    ("path", "code", "lines"),
    [
        ("app/web.go", "func (s *Sms) Send(to string) error {\n\t// later\n\treturn nil\n}", [1]),
        ("app/web.go", "func (s *Sms) Send(to string) error {\n\treturn s.post(to)\n}", []),
        ("app/Web.java", "class Sms {\n  public boolean send(String to) {\n    return true;\n  }\n}", [2]),
        ("app/noop.js", "function sendSms() {}", []),
    ],
)
def test_empty_functions_of_other_languages(path: str, code: str, lines: list[int]) -> None:
    found = parse_implementation(MemoryTree({path: code}), entry(implementation=path), "")
    assert [stub.location.line for stub in found.placeholders] == lines


@pytest.mark.parametrize(
    "code", ["function send() {" + "//" * 50_000, "function send() {" * 20_000, "func Send(" * 20_000]
)
def test_odd_code_of_other_languages_is_read_in_time(code: str) -> None:
    started = time.monotonic()
    for path in ("app/web.ts", "app/web.go", "app/Web.java"):
        parse_implementation(MemoryTree({path: code}), entry(implementation=path), "")
    assert time.monotonic() - started < 10
