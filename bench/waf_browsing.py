"""The harmless requests without a body: browsing, searching, beacons, signing in, APIs that are read."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, quote_plus, urlencode

ROOT = Path(__file__).resolve().parent.parent


class Sample(NamedTuple):
    """One request: its family, method, target, headers and body."""

    family: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


_TEXTS: Final[Mapping[str, list[str]]] = json.loads((ROOT / "bench" / "waf_texts.json").read_text())
AGENTS, WORDS, PHRASES = _TEXTS["agents"], _TEXTS["words"], _TEXTS["phrases"]
FOREIGN, NAMES, STREETS = _TEXTS["foreign"], _TEXTS["names"], _TEXTS["streets"]
SNIPPETS, SENTENCES = _TEXTS["snippets"], _TEXTS["sentences"]
HARD = _TEXTS["hard"]
"""What people search for who ask about code: an attack by its letters, and not by its purpose."""


class Browser:
    """Makes samples from one source of randomness."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a corpus that a seed repeats

    def _pick(self, *among: str) -> str:
        return self.random.choice(among)

    def _words(self, least: int, most: int) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(least, most)))

    def _token(self, size: int) -> str:
        return base64.b64encode(self.random.randbytes(size)).decode()

    def _hexadecimal(self, size: int) -> str:
        return self.random.randbytes(size).hex()

    def _number(self, most: int = 100000) -> int:
        return self.random.randint(1, most)

    def _identifier(self) -> str:
        return str(uuid.UUID(bytes=self.random.randbytes(16), version=4))

    def _jwt(self) -> str:
        parts = [
            json.dumps({"alg": "RS256", "typ": "JWT"}),
            json.dumps({"sub": self._identifier(), "exp": self._number(10**9), "name": self._pick(*NAMES)}),
        ]
        coded = [base64.urlsafe_b64encode(each.encode()).decode().rstrip("=") for each in parts]
        return ".".join([*coded, base64.urlsafe_b64encode(self.random.randbytes(64)).decode().rstrip("=")])

    def _cookies(self) -> str:
        choices: list[Callable[[], str]] = [
            lambda: f"_ga=GA1.2.{self._number(10**9)}.{self._number(10**9)}",
            lambda: f"_gid=GA1.2.{self._number(10**9)}.{self._number(10**9)}",
            lambda: f"session={self._hexadecimal(16)}",
            lambda: f"PHPSESSID={self._hexadecimal(13)}",
            lambda: f"JSESSIONID={self._hexadecimal(16).upper()}.node{self._number(9)}",
            lambda: f"connect.sid=s%3A{quote(self._token(24), safe='')}.{quote(self._token(32), safe='')}",
            lambda: f"csrftoken={self._token(32).replace('/', 'x').replace('+', 'y')}",
            lambda: (
                "OptanonConsent=isGpcEnabled=0&"
                "datestamp=Mon+Jun+10+2024+10%3A00%3A00+GMT%2B0200+(Central+European+Summer+Time)&"
                "version=202402.1.0&isIABGlobal=false&hosts=&landingPath=NotLandingPage&"
                "groups=C0001%3A1%2CC0003%3A1%2CC0002%3A0"
            ),
            lambda: (
                "prefs="
                + quote(
                    json.dumps(
                        {"theme": self._pick("dark", "light"), "lang": "en", "cols": [1, 2, 3], "note": self._pick(*NAMES)}
                    )
                )
            ),
            lambda: f"auth={self._jwt()}",
            lambda: f"_fbp=fb.1.{self._number(10**12)}.{self._number(10**9)}",
            lambda: f"euconsent-v2={self._token(60).replace('/', '_').replace('+', '-').rstrip('=')}.f_gAAAAAAAAA",
            lambda: f"cart={quote(json.dumps([{'id': self._number(), 'q': 1}]))}",
            lambda: f"last_search={quote(self._pick(*PHRASES))}",
            lambda: (
                "AMCV_ABC%40AdobeOrg=-1124106680%7CMCIDTS%7C19885%7CMCMID%7C"
                + str(self._number(10**12))
                + "%7CMCAAMLH-1718%7C6%7CMCAAMB-1%7CRKhpRz8krg2tLO6pguXWp5olkAcUniQYPHaMWWgdJ3xzPWQmdj0y%7CvVersion%7C5.2.0"
            ),
            lambda: f"__utmz=1.{self._number(10**9)}.1.1.utmcsr=google|utmccn=(organic)|utmcmd=organic|utmctr=(not%20provided)",
            lambda: (
                f"_hjSession_{self._number()}="
                + base64.b64encode(
                    json.dumps({"id": self._identifier(), "created": self._number(10**12), "inSample": False}).encode()
                ).decode()
            ),
        ]
        return "; ".join(make() for make in self.random.sample(choices, self.random.randint(1, 6)))

    def _headers(self, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        host = self._pick(
            "shop.example.com", "www.example.org", "api.example.net", "forum.example.com", "localhost.example.com:8443"
        )
        found = [
            ("Host", host),
            ("User-Agent", self._pick(*AGENTS)),
            (
                "Accept",
                self._pick(
                    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
                    "*/*",
                    "application/json, text/plain, */*",
                    "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
                ),
            ),
            (
                "Accept-Language",
                self._pick("en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr,fr-FR;q=0.8,en-US;q=0.5", "ja", "zh-CN,zh;q=0.9"),
            ),
            ("Accept-Encoding", "gzip, deflate, br"),
        ]
        if self.random.random() < 0.7:
            found.append(("Cookie", self._cookies()))
        if self.random.random() < 0.6:
            found.append(
                (
                    "Referer",
                    self._pick(
                        f"https://{host}/",
                        f"https://www.google.com/search?q={quote_plus(self._pick(*PHRASES))}",
                        f"https://{host}/search?q={quote_plus(self._words(1, 4))}&page=2#results",
                        "https://t.co/",
                        "android-app://com.google.android.gm/",
                    ),
                )
            )
        if self.random.random() < 0.5:
            found += [
                ("sec-ch-ua", '"Not/A)Brand";v="8", "Chromium";v="126", "Google Chrome";v="126"'),
                ("sec-ch-ua-mobile", "?0"),
                ("sec-ch-ua-platform", '"Windows"'),
                ("Sec-Fetch-Site", "same-origin"),
                ("Sec-Fetch-Mode", "navigate"),
            ]
        if self.random.random() < 0.2:
            found += [("X-Requested-With", "XMLHttpRequest"), ("Origin", f"https://{host}")]
        if self.random.random() < 0.1:
            found += [
                ("X-Forwarded-For", f"203.0.113.{self._number(250)}, 198.51.100.7"),
                ("Via", "1.1 vegur, 1.1 varnish (Varnish/6.0)"),
                ("Forwarded", 'for="[2001:db8:cafe::17]:4711";proto=https'),
            ]
        if self.random.random() < 0.1:
            found.append(("If-None-Match", f'W/"{self._hexadecimal(8)}"'))
        if self.random.random() < 0.05:
            found += [
                ("traceparent", f"00-{self._hexadecimal(16)}-{self._hexadecimal(8)}-01"),
                ("baggage", "sentry-environment=production,sentry-release=web%401.2.3,sentry-transaction=GET%20%2Fitems%2F%3Aid"),
            ]
        return (*found, *more)

    def _slug(self) -> str:
        return "-".join(self.random.choices(WORDS, k=self.random.randint(2, 6)))

    def _page(self) -> Sample:
        path = self._pick(
            "/",
            f"/products/{self._number()}",
            f"/p/{self._slug()}",
            f"/category/{self._slug()}/page/{self._number(30)}/",
            f"/wiki/{quote(self._pick(*PHRASES).replace(' ', '_'), safe='')}",
            f"/user/{self._number()}/profile",
            f"/blog/2024/06/{self._slug()}.html",
            f"/index.php?option=com_content&view=article&id={self._number()}:{self._slug()}&catid=9&Itemid=101",
            f"/forum/viewtopic.php?f={self._number(40)}&t={self._number()}&start=20#p{self._number()}",
            f"/wp-admin/post.php?post={self._number()}&action=edit",
            "/wp-login.php?redirect_to=%2Fwp-admin%2F&reauth=1",
            f"/mail/u/0/?tab=rm#inbox/{self._token(9)}",
            (
                "/dashboard/db/main?orgId=1&from=now-6h&to=now&var-host=All&refresh=30s&"
                f"var-q={quote('avg(rate(http_requests_total[5m])) by (job)')}"
            ),
            f"/repo/-/blob/main/src/{self._pick('main', 'util', 'exec', 'select')}.{self._pick('py', 'js', 'sh', 'php')}",
            f"/en-us/d/{self._slug()}/{self._hexadecimal(6)}?activetab=pivot:overviewtab",
            f"/node/{self._number()}/edit?destination=/admin/content",
            f"/admin/app/order/?status__exact=paid&p={self._number(9)}",
            f"/tags/{quote(self._pick(*FOREIGN)[:20])}",
            f"/{self._pick('de', 'fr', 'es')}/{quote(self._pick('größe', 'été', 'niño'))}?farbe={quote_plus('weiß & blau')}",
            (
                f"/maps/@52.5{self._number(999)},13.4{self._number(999)},"
                f"15z/data=!3m1!4b1!4m6!3m5!1s0x47a8:0x{self._hexadecimal(8)}!8m2!3d52.5!4d13.4"
            ),
            f"/calendar/r/week/2024/6/{self._number(28)}?tz=Europe%2FBerlin",
            f"/item?id={self._number()}&ref=nb_sb_noss_{self._number(3)}&qid={self._number(10**9)}&sr=8-{self._number(50)}",
            f"/flights?from=BER&to=JFK&date=2024-07-0{self._number(9)}&pax=2&class=economy&sort=price_asc",
            f"/view?file=reports%2F2024%2F{self._slug()}.pdf&page={self._number(80)}",
            f"/download/{self._slug()}-v1.{self._number(20)}.tar.gz",
        )
        return Sample("page", "GET", path.partition("#")[0], self._headers())

    def _static(self) -> Sample:
        path = self._pick(
            f"/assets/app.{self._hexadecimal(4)}.js",
            f"/static/css/main.{self._hexadecimal(4)}.chunk.css?v={self._number()}",
            f"/img/{self._slug()}@2x.png",
            "/favicon.ico",
            "/robots.txt",
            "/sitemap.xml",
            "/manifest.json",
            f"/fonts/inter-v12-latin-{self._pick('regular', '700')}.woff2",
            f"/_next/static/chunks/pages/%5Bslug%5D-{self._hexadecimal(8)}.js",
            f"/_next/image?url=%2Fimages%2F{self._slug()}.jpg&w=640&q=75",
            "/node_modules/vue/dist/vue.global.prod.js",
            f"/cdn-cgi/image/width=400,quality=75,format=auto/uploads/{self._hexadecimal(6)}.jpg",
            f"/wp-content/plugins/contact-form-7/includes/js/index.js?ver=5.{self._number(9)}",
            "/wp-includes/js/jquery/jquery.min.js?ver=3.7.1",
            f"/media/video/{self._hexadecimal(8)}/seg-{self._number(999)}.ts",
            "/.well-known/openid-configuration",
            "/apple-touch-icon-120x120-precomposed.png",
            f"/combo?yui:3.18.1/yui/yui-min.js&yui:3.18.1/oop/oop-min.js&v={self._number()}",
            f"/tiles/{self._number(18)}/{self._number(999)}/{self._number(999)}.pbf",
            f"/thumb/{self._hexadecimal(3)}/File:{quote(self._pick(*NAMES))}.jpg/220px-{quote(self._pick(*NAMES))}.jpg",
            "/load.php?lang=en&modules=ext.cite.styles%7Cext.uls.interlanguage%7Cskins.vector&only=styles&skin=vector",
            f"/docs/{self._slug()}/index.html",
        )
        return Sample("static", "GET", path, self._headers())

    def _search(self) -> Sample:
        phrase = self._pick(*PHRASES) if self.random.random() < 0.6 else self._words(1, 6)
        coded = quote_plus(phrase) if self.random.random() < 0.7 else quote(phrase)
        target = self._pick(
            f"/search?q={coded}",
            f"/s?k={coded}&crid={self._hexadecimal(6)}&sprefix={coded}%2Caps%2C{self._number(300)}",
            f"/suggest?term={coded}&limit=10",
            f"/find?query={coded}&sort=relevance&page={self._number(9)}&filters%5B%5D=brand%3Aacme&filters%5B%5D=price%3A10-50",
            f"/?s={coded}&post_type=product",
            f"/search/{quote(phrase, safe='')}",
        )
        return Sample("search", "GET", target, self._headers())

    def _beacon(self) -> Sample:
        page = f"https://shop.example.com/p/{self._slug()}?utm_source=newsletter&utm_campaign=summer_sale"
        fields = {
            "v": "2",
            "tid": "G-ABC123",
            "_p": self._number(10**9),
            "cid": f"{self._number(10**9)}.{self._number(10**9)}",
            "ul": "en-us",
            "sr": "1920x1080",
            "dl": page,
            "dr": "https://www.google.com/",
            "dt": f"{self._pick(*PHRASES)} | Example & Co.",
            "en": "page_view",
            "ep.items": json.dumps([{"id": self._number(), "name": self._pick(*PHRASES)}]),
            "_s": 1,
        }
        if self.random.random() < 0.5:
            return Sample("beacon", "GET", "/g/collect?" + urlencode(fields), self._headers())
        body = json.dumps(
            {
                "events": [
                    {
                        "type": "click",
                        "target": "div#main > ul.nav li:nth-child(2) a[href='/x']",
                        "ts": self._number(10**12),
                        "text": self._pick(*PHRASES),
                        "url": page,
                        "stack": (
                            "TypeError: Cannot read properties of undefined (reading 'x')\n    at foo "
                            "(https://shop.example.com/app.js:1:2345)\n    at HTMLButtonElement.onclick "
                            "(https://shop.example.com/:10:5)"
                        ),
                    }
                ]
            }
        )
        return Sample(
            "beacon",
            "POST",
            "/api/v2/rum?ddsource=browser&ddtags=sdk_version%3A4.1%2Cenv%3Aprod",
            self._headers(("Content-Type", self._pick("text/plain;charset=UTF-8", "application/json"))),
            body.encode(),
        )

    def _redirect(self) -> Sample:
        back = "https://app.example.com/callback?next=%2Fdashboard&lang=en"
        target = self._pick(
            "/oauth2/authorize?"
            + urlencode(
                {
                    "client_id": self._hexadecimal(8),
                    "redirect_uri": back,
                    "response_type": "code",
                    "scope": "openid profile email",
                    "state": self._token(24),
                    "nonce": self._token(12),
                    "code_challenge": self._token(32).rstrip("="),
                    "code_challenge_method": "S256",
                }
            ),
            "/login?" + urlencode({"next": f"/orders/{self._number()}?tab=items&sort=-date"}),
            "/out?" + urlencode({"url": f"https://www.example.org/{self._slug()}?a=1&b=2"}),
            "/share?" + urlencode({"u": f"https://example.com/{self._slug()}", "t": self._pick(*PHRASES)}),
            "/sso/saml?" + urlencode({"SAMLRequest": self._token(200), "RelayState": "https://app.example.com/home"}),
            "/bucket/key.txt?"
            + urlencode(
                {
                    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                    "X-Amz-Credential": f"AKIA{self._hexadecimal(8).upper()}/20240610/eu-west-1/s3/aws4_request",
                    "X-Amz-Date": "20240610T120000Z",
                    "X-Amz-Expires": 3600,
                    "X-Amz-SignedHeaders": "host",
                    "X-Amz-Signature": self._hexadecimal(32),
                }
            ),
            f"/verify?token={self._jwt()}",
            "/proxy/image?" + urlencode({"src": f"https://cdn.example.com/{self._slug()}.jpg", "w": 300}),
        )
        return Sample("redirect", "GET", target, self._headers())

    def _paragraph(self) -> str:
        return " ".join(self.random.sample(SENTENCES, self.random.randint(1, 5)))

    def _text(self) -> str:
        return self.random.choice(
            (self._paragraph, lambda: self._pick(*PHRASES), lambda: self._pick(*FOREIGN), lambda: self._words(3, 30))
        )()

    def _token_api(self) -> Sample:
        return Sample(
            "token",
            "GET",
            f"/api/v3/{self._pick('me', 'repos', 'items')}?page={self._number(20)}&per_page=100&fields=id%2Cname%2Cowner.login",
            self._headers(
                (
                    "Authorization",
                    self._pick(
                        f"Bearer {self._jwt()}",
                        "Basic " + base64.b64encode(b"user:pa'ss;word").decode(),
                        (
                            "AWS4-HMAC-SHA256 "
                            f"Credential=AKIA{self._hexadecimal(8).upper()}/20240610/us-east-1/s3/aws4_request, "
                            f"SignedHeaders=host;x-amz-date, Signature={self._hexadecimal(32)}"
                        ),
                        (
                            f'Digest username="bob", realm="a@b.c", nonce="{self._token(12)}", uri="/x?y=1", '
                            f'response="{self._hexadecimal(16)}"'
                        ),
                    ),
                )
            ),
        )

    def _filters(self) -> Sample:
        target = self._pick(
            "/odata/Products?$filter="
            + quote("Price gt 20 and startswith(Name,'A')")
            + "&$orderby=Name%20desc&$top=10&$select=Id,Name&$expand=Category",
            "/api/items?filter[price][gte]=10&filter[price][lte]=50&sort=-created_at,name&include=author,comments&page[size]=20",
            "/rest/api/2/search?jql=" + quote_plus('project = ABC AND status in (Open, "In Progress") ORDER BY updated DESC'),
            "/api/v1/query?query=" + quote_plus('sum(rate(http_requests_total{job="api",code=~"5.."}[5m])) by (instance) > 0.5'),
            "/api/search?fq=" + quote_plus("category:books AND price:[10 TO 20]") + "&wt=json",
            "/items?where=" + quote_plus('{"age":{"gt":5}}'),
            "/logs?q=" + quote_plus('level:error AND message:"connection refused" | stats count by host'),
            "/calendar?start=2024-06-01T00%3A00%3A00%2B02%3A00&end=2024-07-01&_=" + str(self._number(10**12)),
            "/geo?bbox=13.08,52.33,13.76,52.67&zoom=12&layers=roads|water|parks",
            "/compare/v1.0...v2.0?diff=split&w=1",
            "/report?columns=name,date,sum(total)&group=month&from=-7d&to=now()",
        )
        return Sample("filters", "GET", target, self._headers())

    def _hard(self) -> Sample:
        phrase = self._pick(*HARD) if self.random.random() < 0.3 else self._pick(*PHRASES)
        return Sample("hard", "GET", f"/search?q={quote_plus(phrase)}", self._headers())
