"""A second corpus of harmless requests, from texts of others: what people write in manuals, read-mes, changelogs and forms.

``DIR`` is what ``bench/waf_sources.py`` filled: the HTML manuals of PostgreSQL, Git, bash, Apache, Django, SQLAlchemy, Jinja
and the Debian handbook in its languages; read-mes and changelogs of packages of npm; names, addresses, jobs and sentences of
Faker's locales; the strings that libinjection's authors list as false positives; browsers' names from sqlmap's list. They are
posted as comments, issues, wiki pages, rich text, pastes, profiles, orders, searches, uploads. The seed decides.
"""

from __future__ import annotations

import base64
import importlib
import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus, unquote_plus, urlencode

from bench.waf_browsing import Sample

LOCALES: Final = (
    "en_US", "en_GB", "en_IE", "de_DE", "fr_FR", "it_IT", "es_MX", "pt_BR", "nl_NL", "pl_PL",
    "ru_RU", "uk_UA", "tr_TR", "ja_JP", "zh_CN", "ko_KR", "ar_AA", "he_IL", "hi_IN", "el_GR", "vi_VN",
)  # fmt: skip
_BLOCKS: Final = frozenset({"p", "li", "dd", "td", "blockquote"})
_SPACE = re.compile(r"\s+")
_SCRIPTS = re.compile(r"</?(?:script|iframe|style)\b|\bon(?:error|click|load)\s*=|javascript:|<!--\s?#", re.IGNORECASE)
"""Markup that runs: a text that shows it is an attack by its letters, and is counted apart."""


class _Reader(HTMLParser):
    """Takes a page apart into headings, paragraphs, code, and paragraphs as HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.paragraphs: list[str] = []
        self.code: list[str] = []
        self._open: list[str] = []
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base's signature
        if tag in _BLOCKS or tag in {"pre", "h1", "h2", "h3"}:
            self._text = []
            self._open.append(tag)

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or tag != self._open[-1]:
            return
        self._open.pop()
        text = "".join(self._text)
        self._text = []
        if tag == "pre":
            self.code.append(text.strip("\n"))
            return
        text = _SPACE.sub(" ", text).strip()
        (self.headings if tag in {"h1", "h2", "h3"} else self.paragraphs).append(text)


def _pages(folder: Path) -> list[Path]:
    return sorted(each for each in folder.glob("manuals/**/*.html*") if each.suffix in {".html", ".en", ".de", ".fr", ".es"})


class Documents:
    """Makes samples of the texts below ``folder``."""

    def __init__(self, folder: Path, seed: int = 11) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the same requests on each run
        self.folder = folder
        reader = _Reader()
        self.html: list[str] = []
        for path in self.random.sample(_pages(folder), 600):
            text = path.read_text("utf-8", "replace")
            reader.feed(text)
            self.html.extend(re.findall(r"<p\b[^>]*>.{60,1500}?</p>", text, re.DOTALL)[:6])
        self.headings = [each for each in reader.headings if 3 < len(each) < 90]
        self.paragraphs = [each for each in reader.paragraphs if 30 < len(each) < 1500]
        self.code = [each for each in reader.code if 10 < len(each) < 2500]
        self.readmes = self._readmes()
        self.agents = self._agents()
        self.innocent = self._innocent()
        self.people = self._people(seed)
        self.families: tuple[tuple[int, str, Callable[[], Sample]], ...] = (
            (16, "comment", self._comment), (9, "tutorial", self._tutorial), (8, "rich text", self._rich),
            (10, "search", self._search),
            (8, "read-me", self._readme), (6, "changelog", self._change), (12, "profile", self._profile),
            (10, "order", self._order),
            (6, "upload", self._upload), (5, "paste", self._paste), (6, "page", self._page), (4, "listed", self._listed),
        )  # fmt: skip

    def _readmes(self) -> list[str]:
        return [each.read_text("utf-8", "replace") for each in sorted(self.folder.glob("npm/**/*.md"))]

    def _agents(self) -> list[str]:
        found = next(iter(sorted(self.folder.glob("sqlmap/**/txt/user-agents.txt"))), None)
        lines = found.read_text("utf-8", "replace").splitlines() if found else []
        return [each for each in lines if each.startswith("Mozilla/5.0")]

    def _innocent(self) -> list[str]:
        found = next(iter(sorted(self.folder.glob("modsecurity*/others/libinjection/data/false_positives.txt"))))
        return [unquote_plus(each) for each in found.read_text("utf-8", "replace").splitlines() if each and each[0] != "#"]

    def _people(self, seed: int) -> list[dict[str, str]]:
        sys.path.insert(0, str(self.folder / "faker"))
        try:
            faker = importlib.import_module("faker")
            found: list[dict[str, str]] = []
            for locale in LOCALES:
                fake = faker.Faker(locale)
                fake.seed_instance(seed)
                found.extend(
                    {
                        "first_name": fake.first_name(),
                        "last_name": fake.last_name(),
                        "street": fake.street_address() if hasattr(fake, "street_address") else "",
                        "city": fake.city(),
                        "postcode": fake.postcode(),
                        "company": fake.company(),
                        "job": fake.job(),
                        "phone": fake.phone_number(),
                        "email": fake.email(),
                        "about": fake.text(200),
                        "website": fake.url(),
                        "birthday": str(fake.date_of_birth()),
                        "password": fake.password(14),
                        "user_name": fake.user_name(),
                    }
                    for _ in range(60)
                )
        finally:
            sys.path.pop(0)
        irish = ("O'Brien", "D'Angelo", "N'Golo", "O\u2019Neill", "van 't Hoff", "Ca' Zorzi", "d'Ornellas-Smith", "L'Écuyer")
        for each in found[::7]:
            each["last_name"] = self.random.choice(irish)
        return found

    def _headers(self, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        made = [
            ("Host", "forum.example.org"),
            ("User-Agent", self.random.choice(self.agents)),
            ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            ("Accept-Language", self.random.choice(("de,en-US;q=0.7,en;q=0.3", "en-GB,en;q=0.5", "ja", "fr-CH, fr;q=0.9"))),
            ("Referer", "https://forum.example.org/t/" + quote_plus(self.random.choice(self.headings).lower())),
        ]
        cookies = ["sid=" + base64.b64encode(self.random.randbytes(24)).decode(), "consent=" + quote('{"ads":false,"v":2}')]
        if self.random.random() < 0.5:
            cookies.append("token=" + self._jwt())
        if self.random.random() < 0.3:
            cookies.append(f"_ga=GA1.1.{self.random.randrange(10**9)}.{self.random.randrange(10**9)}")
        return (*made, ("Cookie", "; ".join(cookies)), *more)

    def _jwt(self) -> str:
        person = self.random.choice(self.people)
        claims = {"sub": person["user_name"], "name": person["first_name"], "iat": 1_700_000_000 + self.random.randrange(10**7)}
        parts = (b'{"alg":"RS256","typ":"JWT"}', json.dumps(claims).encode(), self.random.randbytes(64))
        return ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts)

    def _send(self, path: str, fields: dict[str, str]) -> tuple[str, str, tuple[tuple[str, str], ...], bytes]:
        way = self.random.random()
        if way < 0.4:
            body = json.dumps(fields, ensure_ascii=self.random.random() < 0.5).encode()
            return "POST", path, self._headers(("Content-Type", "application/json")), body
        if way < 0.75:
            return "POST", path, self._headers(("Content-Type", "application/x-www-form-urlencoded")), urlencode(fields).encode()
        line = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
        parts = "".join(
            f'--{line}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
        )
        kind = f"multipart/form-data; boundary={line}"
        return "POST", path, self._headers(("Content-Type", kind)), (parts + f"--{line}--\r\n").encode()

    def _comment(self) -> Sample:
        text = "\n\n".join(self.random.sample(self.paragraphs, self.random.randint(1, 3)))
        return Sample("comment", *self._send("/t/482/replies", {"parent": "482", "text": text}))

    def _tutorial(self) -> Sample:
        mark = self.random.choice(("```", "```sql", "```sh", "```html", "~~~"))
        pieces = []
        for _ in range(self.random.randint(1, 3)):
            pieces += [self.random.choice(self.paragraphs), f"{mark}\n{self.random.choice(self.code)}\n{mark[:3]}"]
        title = self.random.choice(self.headings)
        body = f"## {title}\n\n" + "\n\n".join(pieces)
        return Sample("tutorial", *self._send("/posts", {"title": title, "body": body, "draft": "0"}))

    def _rich(self) -> Sample:
        return Sample(
            "rich text", *self._send("/admin/page/save", {"id": "77", "html": "".join(self.random.sample(self.html, 2))})
        )

    def _search(self) -> Sample:
        words = self.random.choice(self.headings)
        if self.random.random() < 0.4:
            words = " ".join(self.random.choice(self.paragraphs).split()[: self.random.randint(2, 8)])
        return Sample("search", "GET", "/search?" + urlencode({"q": words, "lang": "en", "page": "1"}), self._headers(), b"")

    def _readme(self) -> Sample:
        text = self.random.choice(self.readmes)
        at = text.find("\n\n", self.random.randrange(max(1, len(text) - 4000)))
        content = text[max(at, 0) : at + 3500].rpartition("\n\n")[0] or text[:3500]
        return Sample("read-me", *self._send("/api/wiki/Home", {"content": content.strip(), "message": "Update Home"}))

    def _change(self) -> Sample:
        lines = [each for each in self.random.choice(self.readmes).splitlines() if 8 < len(each) < 200]
        text = self.random.choice(lines or ["Fix a bug"])
        return Sample("changelog", *self._send("/api/commits", {"message": text.strip("*- "), "branch": "fix/it"}))

    def _profile(self) -> Sample:
        return Sample("profile", *self._send("/account/profile", self.random.choice(self.people)))

    def _order(self) -> Sample:
        person = self.random.choice(self.people)
        notes = ("", "Please don't ring!", "c/o " + person["company"], "2. OG; Hinterhaus (rechts)", "Gate code #4471*")
        note = self.random.choice(notes)
        fields = {"name": f"{person['first_name']} {person['last_name']}", "street": person["street"], "note": note}
        fields |= {
            "city": person["city"],
            "zip": person["postcode"],
            "phone": person["phone"],
            "qty[0]": "2",
            "sku[0]": "A-100/b",
        }
        if self.random.random() < 0.3:
            return Sample("order", "GET", "/checkout/address?" + urlencode(fields), self._headers(), b"")
        return Sample("order", *self._send("/checkout/address", fields))

    def _upload(self) -> Sample:
        line = "geckoformboundary5d3f"
        content = self.random.choice((self.random.choice(self.code), self.random.choice(self.readmes)[:3000])).encode()
        if self.random.random() < 0.4:
            content = b"\x89PNG\r\n\x1a\n" + self.random.randbytes(self.random.randint(200, 3000))
        person = self.random.choice(self.people)
        names = ("notes.txt", f"{person['last_name']} - CV (2).docx", "Screenshot 2024-05-01 at 10.00.13.png", "data.csv")
        head = f'--{line}\r\nContent-Disposition: form-data; name="file"; filename="{self.random.choice(names)}"\r\n'
        head += "Content-Type: application/octet-stream\r\n\r\n"
        kind = ("Content-Type", f"multipart/form-data; boundary={line}")
        return Sample("upload", "POST", "/files", self._headers(kind), head.encode() + content + f"\r\n--{line}--\r\n".encode())

    def _paste(self) -> Sample:
        return Sample("paste", *self._send("/pastes", {"syntax": "auto", "code": self.random.choice(self.code), "expire": "1d"}))

    def _page(self) -> Sample:
        path = "/" + "/".join(quote(each) for each in self.random.choice(self.headings).lower().split()[:6])
        query = urlencode({"ref": self._jwt() if self.random.random() < 0.2 else "nav"})
        return Sample("page", "GET", f"{path}?{query}", self._headers(), b"")

    def _listed(self) -> Sample:
        return Sample("listed", "GET", "/q?" + urlencode({"text": self.random.choice(self.innocent)}), self._headers(), b"")

    def samples(self, count: int) -> Iterator[Sample]:
        """So many samples."""
        weights = [weight for weight, _, _ in self.families]
        for _ in range(count):
            made = self.random.choices(self.families, weights)[0][2]()
            shown = _SCRIPTS.search(unquote_plus(made.body.decode("utf-8", "replace"))) is not None
            yield made._replace(family="shows scripts") if shown else made
