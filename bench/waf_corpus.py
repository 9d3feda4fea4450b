"""A corpus of harmless web requests, made from a seed: what browsers, apps and APIs send that no firewall should block.

Families: browsing (shop, forum, wiki, mail, dashboard, static files, beacons, sign-in with redirects), search phrases, JSON APIs,
GraphQL, Markdown, code in many languages, non-English text, forms of people and addresses, rich text, file uploads, XML, cookies.
Long texts come from what every installation has: the documentation of this project, sources of the standard library.
"""

from __future__ import annotations

import base64
import json
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import quote_plus, urlencode

from bench.waf_browsing import FOREIGN, NAMES, PHRASES, ROOT, SENTENCES, SNIPPETS, STREETS, WORDS, Browser, Sample


@cache
def _texts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Pieces of Markdown of this project's documentation, and of Python of the standard library."""
    markdown: list[str] = []
    for path in sorted((ROOT / "docs").rglob("*.md")):
        if "waf" not in path.name:
            markdown.extend(each for each in path.read_text().split("\n\n") if 40 < len(each) < 1500)
    python: list[str] = []
    library = Path(sysconfig.get_paths()["stdlib"])
    for name in (
        "argparse",
        "calendar",
        "csv",
        "datetime",
        "difflib",
        "fractions",
        "gettext",
        "heapq",
        "shlex",
        "string",
        "textwrap",
        "statistics",
        "tokenize",
        "zipfile",
        "html/parser",
    ):
        path = library / f"{name}.py"
        if path.exists():
            lines = path.read_text().splitlines()
            python.extend("\n".join(lines[at : at + 18]) for at in range(0, len(lines), 18))
    return tuple(markdown), tuple(each for each in python if len(each) > 80)


class Maker(Browser):
    """Makes samples of all families."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.families: tuple[tuple[int, Callable[[], Sample]], ...] = (
            (14, self._page),
            (8, self._static),
            (12, self._search),
            (8, self._beacon),
            (6, self._redirect),
            (14, self._json_api),
            (5, self._graphql),
            (8, self._markdown),
            (6, self._code),
            (6, self._foreign),
            (8, self._form),
            (5, self._rich_text),
            (5, self._upload),
            (3, self._xml),
            (3, self._token_api),
            (4, self._filters),
            (1, self._hard),
        )

    def _json_api(self) -> Sample:
        thing: object = self.random.choice(
            (
                lambda: {
                    "id": self._number(),
                    "name": self._pick(*NAMES),
                    "email": f"user{self._number()}@example.com",
                    "address": {"street": self._pick(*STREETS), "zip": str(self._number()), "country": "DE"},
                    "tags": self.random.sample(WORDS, 3),
                    "active": True,
                    "note": None,
                },
                lambda: {
                    "jsonrpc": "2.0",
                    "method": self._pick("user.get", "item.update", "system.listMethods", "eth_call"),
                    "params": {"filter": {"host": ["web"]}, "output": "extend", "sortfield": "name"},
                    "id": self._number(),
                },
                lambda: {
                    "items": [
                        {
                            "sku": f"A-{self._number()}",
                            "qty": self._number(9),
                            "price": self._number(9999) / 100,
                            "title": self._pick(*PHRASES),
                        }
                        for _ in range(self._number(8))
                    ],
                    "coupon": "SAVE10%",
                    "total": "€ 59,90",
                },
                lambda: {
                    "message": self._text(),
                    "channel": f"C{self._hexadecimal(4).upper()}",
                    "thread_ts": f"{self._number(10**9)}.{self._number(10**6)}",
                    "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": self._text()}}],
                },
                lambda: {
                    "query": {
                        "bool": {
                            "must": [{"match": {"title": self._pick(*PHRASES)}}],
                            "filter": [{"range": {"price": {"gte": 10, "lte": 200}}}],
                        }
                    },
                    "size": 20,
                    "sort": [{"date": "desc"}],
                    "aggs": {"brands": {"terms": {"field": "brand"}}},
                },
                lambda: {
                    "title": self._pick(*PHRASES),
                    "content": "\n\n".join(self._paragraph() for _ in range(self._number(4))),
                    "status": "draft",
                    "meta": {"_edit_last": "1"},
                },
                lambda: {
                    "expression": self._pick(
                        "a + b * 2", "SUM(A1:A10)", '=IF(A1>5,"yes","no")', "price >= 10 && stock > 0", "(x - 1) / 2"
                    ),
                    "cells": [[1, 2], [3, "=A1*2"]],
                    "locale": "de_DE",
                },
                lambda: [
                    {"op": "replace", "path": "/name", "value": self._pick(*NAMES)},
                    {"op": "add", "path": "/tags/-", "value": self._pick(*WORDS)},
                ],
                lambda: {
                    "model": "chat-1",
                    "messages": [
                        {"role": "system", "content": "You are a helpful assistant."},
                        {"role": "user", "content": self._text() + "\n" + self._pick(*SNIPPETS)},
                    ],
                    "temperature": 0.7,
                },
                lambda: {
                    "device": {"os": "Android", "v": "14", "id": self._identifier()},
                    "log": (
                        f"E/App({self._number(9999)}): java.lang.NullPointerException: Attempt to invoke virtual method "
                        "on a null object reference\n\tat "
                        "com.example.app.MainActivity.onCreate(MainActivity.java:42)\n\tat "
                        "android.app.Activity.performCreate(Activity.java:8051)"
                    ),
                },
            )
        )()
        method = self._pick("POST", "POST", "PUT", "PATCH")
        body = json.dumps(thing, ensure_ascii=self.random.random() < 0.5)
        return Sample(
            "json",
            method,
            self._pick(
                f"/api/v1/{self._pick('users', 'orders', 'items', 'messages')}/{self._number()}",
                "/api/graph",
                "/rpc",
                f"/v2/{self._identifier()}/events",
            ),
            self._headers(
                ("Content-Type", self._pick("application/json", "application/json; charset=utf-8", "application/vnd.api+json"))
            ),
            body.encode(),
        )

    def _graphql(self) -> Sample:
        query = self._pick(
            (
                "query GetUser($id: ID!) { user(id: $id) { id name email posts(first: 10, orderBy: {field: "
                "CREATED_AT, direction: DESC}) { edges { node { title } } pageInfo { hasNextPage endCursor } } } "
                "}"
            ),
            (
                "mutation AddItem($input: AddItemInput!) {\n  addItem(input: $input) {\n    cart { id total }\n  "
                "  errors { field message }\n  }\n}"
            ),
            (
                'query { products(where: {price: {_gt: 10}, name: {_ilike: "%shoe%"}}, limit: 20) { id name ...F '
                "} } fragment F on Product { brand { name } }"
            ),
            'subscription onMessage { message(room: "general") { id text author { name } } }',
            (
                "query IntrospectionQuery { __schema { queryType { name } types { kind name "
                "fields(includeDeprecated: true) { name args { name } } } } }"
            ),
        )
        body = json.dumps(
            {
                "operationName": None,
                "query": query,
                "variables": {"id": self._identifier(), "input": {"note": self._text(), "qty": 2}},
            }
        )
        if self.random.random() < 0.2:
            return Sample("graphql", "GET", "/graphql?" + urlencode({"query": query, "variables": "{}"}), self._headers())
        return Sample("graphql", "POST", "/graphql", self._headers(("Content-Type", "application/json")), body.encode())

    def _markdown(self) -> Sample:
        pieces = self.random.sample(_texts()[0], self.random.randint(1, 3))
        if self.random.random() < 0.5:
            pieces.insert(1, "```" + self._pick("", "js", "python", "sql", "sh") + "\n" + self._pick(*SNIPPETS) + "```")
        text = (
            f"# {self._pick(*PHRASES)}\n\n"
            + "\n\n".join(pieces)
            + '\n\n- [x] done\n- [ ] see [link](../other/page.md) and ![img](/img/a.png "title")\n\n> quote -- O\'Neil\n'
        )
        if self.random.random() < 0.5:
            return Sample(
                "markdown",
                "POST",
                "/api/comments",
                self._headers(("Content-Type", "application/json")),
                json.dumps({"body": text, "issue": self._number()}).encode(),
            )
        return Sample(
            "markdown",
            "POST",
            "/post/new",
            self._headers(("Content-Type", "application/x-www-form-urlencoded")),
            urlencode({"title": self._pick(*PHRASES), "content": text, "_token": self._token(20)}).encode(),
        )

    def _code(self) -> Sample:
        source = self._pick(*SNIPPETS) if self.random.random() < 0.5 else self._pick(*_texts()[1])
        way = self.random.random()
        if way < 0.4:
            return Sample(
                "code",
                "POST",
                "/api/snippets",
                self._headers(("Content-Type", "application/json")),
                json.dumps({"language": self._pick("python", "js", "sql", "php"), "code": source, "name": "main"}).encode(),
            )
        if way < 0.7:
            return Sample(
                "code",
                "POST",
                "/paste",
                self._headers(("Content-Type", "application/x-www-form-urlencoded")),
                urlencode({"text": self._paragraph() + "\n\n" + source, "expire": "1d"}).encode(),
            )
        return Sample(
            "code",
            "PUT",
            f"/api/contents/src/{self._slug()}.py",
            self._headers(("Content-Type", "application/json")),
            json.dumps(
                {
                    "message": f"Fix {self._words(2, 5)}",
                    "content": base64.b64encode(source.encode()).decode(),
                    "sha": self._hexadecimal(20),
                }
            ).encode(),
        )

    def _foreign(self) -> Sample:
        text = self._pick(*FOREIGN)
        if self.random.random() < 0.5:
            return Sample("foreign", "GET", f"/search?q={quote_plus(text)}&hl=xx", self._headers())
        if self.random.random() < 0.5:
            return Sample(
                "foreign",
                "POST",
                "/comment",
                self._headers(("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")),
                urlencode({"comment": text + " " + self._pick(*FOREIGN), "author": self._pick(*NAMES)}).encode(),
            )
        return Sample(
            "foreign",
            "POST",
            "/api/messages",
            self._headers(("Content-Type", "application/json")),
            json.dumps({"text": text}, ensure_ascii=False).encode(),
        )

    def _form(self) -> Sample:
        fields = self.random.choice(
            (
                lambda: {
                    "first_name": self._pick(*NAMES),
                    "street": self._pick(*STREETS),
                    "city": self._pick("L'Aquila", "Saint-Étienne", "'s-Hertogenbosch", "Coeur d'Alene", "Köln", "St. John's"),
                    "zip": f"{self._number():05}",
                    "phone": "+49 (0)30 1234-567",
                    "comment": self._text(),
                },
                lambda: {
                    "username": self._pick("o'brien", "john_doe", "admin", "user@example.com", "j.smith+news@example.com"),
                    "password": self._pick(
                        "Tr0ub4dor&3",
                        "correct horse battery staple",
                        "p@$$w0rd!;",
                        "a'b\"c<d>e",
                        "{x}|y=1--",
                        "#1Fan(2024)%",
                        "`~!@#$%^&*()_+",
                    ),
                    "csrf": self._token(24),
                    "remember": "on",
                },
                lambda: {
                    "card": "4111 1111 1111 1111",
                    "exp": "12/27",
                    "cvc": "123",
                    "amount": "1,299.00",
                    "currency": "EUR",
                    "desc": self._pick(*PHRASES),
                },
                lambda: {
                    "subject": self._pick(*PHRASES),
                    "message": "\r\n".join(self.random.sample(SENTENCES, 4)),
                    "email": "a.b@example.com",
                    "website": "https://www.example.com/~me/",
                },
                lambda: {"q1": self._text(), "q2": "3", "q3[]": "a", "q4[other]": self._text(), "submit": "Save & continue »"},
                lambda: {
                    "__VIEWSTATE": self._token(300),
                    "__EVENTVALIDATION": self._token(80),
                    "__EVENTTARGET": "ctl00$Main$btn",
                    "ctl00$Main$txt": self._text(),
                },
                lambda: {
                    "filter": json.dumps({"a": [1, 2], "q": self._pick(*PHRASES)}),
                    "draw": "1",
                    "columns[0][data]": "name",
                    "columns[0][search][value]": self._pick(*WORDS),
                    "order[0][dir]": "asc",
                    "length": "25",
                },
            )
        )()
        return Sample(
            "form",
            "POST",
            self._pick("/checkout/address", "/login", "/contact", "/survey/submit", "/Default.aspx"),
            self._headers(("Content-Type", "application/x-www-form-urlencoded")),
            urlencode(fields).encode(),
        )

    def _rich_text(self) -> Sample:
        html = self._pick(
            f"<p>{self._paragraph()}</p><ul><li>one</li><li>two</li></ul>",
            (
                f"<h2>{self._words(2, 5)}</h2><p>Text with <strong>bold</strong>, <em>italics</em> &amp; a <a "
                'href="https://example.com/a?b=1&amp;c=2" target="_blank" rel="noopener">link</a>.</p>'
            ),
            (
                f'<p class="ql-align-center">{self._paragraph()}<br></p><p><img '
                f'src="/uploads/{self._hexadecimal(4)}.png" alt="{self._words(1, 3)}" width="300"></p>'
            ),
            "<div>Hi,<br><br>Thanks!<br>--<br>Anne</div><blockquote>On Mon, x wrote:<br>&gt; hello</blockquote>",
            "<table><tbody><tr><td>1</td><td>2 &lt; 3</td></tr></tbody></table>",
            (
                "<!-- wp:paragraph -->\n<p>Hello &#8217;world&#8217;</p>\n<!-- /wp:paragraph -->\n\n<!-- "
                'wp:image {"id":12} -->\n<figure class="wp-block-image"><img src="https://example.com/a.jpg" '
                'alt=""/></figure>\n<!-- /wp:image -->'
            ),
            '<p style="text-align: center; color: rgb(51, 51, 51);">centered</p>',
            "<pre><code>if (a &lt; b) { return; }</code></pre><hr>",
        )
        if self.random.random() < 0.5:
            return Sample(
                "rich text",
                "POST",
                "/wp-json/wp/v2/posts/12?_locale=user",
                self._headers(("Content-Type", "application/json")),
                json.dumps({"id": 12, "content": html, "title": self._pick(*PHRASES)}).encode(),
            )
        return Sample(
            "rich text",
            "POST",
            "/article/save",
            self._headers(("Content-Type", "application/x-www-form-urlencoded")),
            urlencode({"body": html, "title": self._pick(*PHRASES)}).encode(),
        )

    def _upload(self) -> Sample:
        boundary = "----WebKitFormBoundary" + self._hexadecimal(8)
        name, kind, content = self.random.choice(
            (
                lambda: (
                    f"IMG_{self._number()}.jpg",
                    "image/jpeg",
                    b"\xff\xd8\xff\xe0\x00\x10JFIF" + self.random.randbytes(self._number(5000)),
                ),
                lambda: (
                    "Résumé O'Neil (final) v1.2.pdf",
                    "application/pdf",
                    b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
                    + self.random.randbytes(3000),
                ),
                lambda: (
                    "data.csv",
                    "text/csv",
                    "\n".join(
                        f'{self._number()},{self._pick(*NAMES)},"{self._pick(*STREETS)}",{self._number()}' for _ in range(30)
                    ).encode(),
                ),
                lambda: ("notes.txt", "text/plain", "\n".join(self.random.sample(SENTENCES, 8)).encode()),
                lambda: ("main.py", "text/x-python", self._pick(*_texts()[1]).encode()),
                lambda: (
                    "logo.svg",
                    "image/svg+xml",
                    b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><path d="M0 0h10v10H0z" fill="#f00"/></svg>',
                ),
                lambda: ("config.json", "application/json", json.dumps({"a": 1, "b": [self._text()]}).encode()),
                lambda: (
                    f"{self._slug()}.docx",
                    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                    b"PK\x03\x04" + self.random.randbytes(4000),
                ),
            )
        )()
        lines = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\n{self._pick(*PHRASES)}\r\n'.encode(),
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
            ).encode()
            + content
            + b"\r\n",
            f"--{boundary}--\r\n".encode(),
        ]
        return Sample(
            "upload",
            "POST",
            "/upload",
            self._headers(("Content-Type", f"multipart/form-data; boundary={boundary}")),
            b"".join(lines),
        )

    def _xml(self) -> Sample:
        name = self._pick(*NAMES).replace("&", "&amp;")
        body = self._pick(
            (
                '<?xml version="1.0" encoding="utf-8"?><soap:Envelope '
                'xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><GetUser '
                f'xmlns="http://example.com/ns"><id>{self._number()}</id><name>{name}</name></GetUser></soap:Body></soap:Envelope>'
            ),
            (
                "<?xml "
                f'version="1.0"?><methodCall><methodName>wp.getPosts</methodName><params><param><value><int>{self._number()}</int></value></param><param><value><string>{name}</string></value></param></params></methodCall>'
            ),
            f'<order id="{self._number()}"><item sku="a-1">Tea &amp; coffee</item><note><![CDATA[call me > 5pm]]></note></order>',
            (
                '<?xml version="1.0"?><feed '
                'xmlns="http://www.w3.org/2005/Atom"><title>News</title><entry><title>It\'s here</title><link '
                'href="https://example.com/1"/></entry></feed>'
            ),
        )
        return Sample(
            "xml",
            "POST",
            self._pick("/soap", "/xmlrpc.php", "/api/orders"),
            self._headers(("Content-Type", self._pick("text/xml; charset=utf-8", "application/xml", "application/soap+xml"))),
            body.encode(),
        )

    def sample(self) -> Sample:
        """One sample of a family drawn by its weight."""
        weights = [weight for weight, _ in self.families]
        return self.random.choices([make for _, make in self.families], weights)[0]()


def corpus(count: int = 12_000, seed: int = 1) -> Iterator[Sample]:
    """``count`` samples, the same ones for the same seed."""
    maker = Maker(seed)
    for _ in range(count):
        yield maker.sample()
