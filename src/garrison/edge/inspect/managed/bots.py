"""``AWSManagedRulesBotControlRuleSet``: bots by what they call themselves, and clients by how they behave.

The common level reads the ``User-Agent`` and what browsers send beside it. A crawler that a feed verifies by its address passes.
The targeted level needs tokens: it counts requests of clients without one, and of sessions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

import hyperscan as hs

from garrison.edge.inspect.groups import Context, Finding, RequestDetector
from garrison.edge.inspect.managed.build import BLOCK, CAPTCHA, CHALLENGE, COUNT, Builder, Rule
from garrison.edge.inspect.managed.feeds import Feeds
from garrison.edge.inspect.patterns import Matcher, Pattern
from garrison.edge.inspect.remember import remembered
from garrison.edge.inspect.request import WebRequest
from garrison.edge.inspect.state import RateRule, TokenState


class Bot(NamedTuple):
    """A bot: its name in labels, its category, what its User-Agent has, and by whom it is run."""

    name: str
    category: str
    pattern: bytes
    organization: str = ""


_TABLE: Final = (
    (
        "advertising",
        ("adsbot-google|mediapartners-google|adidxbot|criteobot|proximic|adsnaver|amazon-adbot|grapeshot|ias_crawler|adbeat"),
    ),
    ("archiver", "ia_archiver|archive\\.org_bot|heritrix|wayback|arquivo-web-crawler|nutch|webarchive|special_archiver|brozzler"),
    (
        "content_fetcher",
        (
            "feedly|feedburner|feedfetcher|tiny tiny rss|netnewswire|flipboard|newsblur|inoreader|mailchimp"
            "|google-read-aloud|duckduckbot-https|w3c_validator|feedbin|rssbot|magpie-crawler|embedly"
            "|iframely"
        ),
    ),
    (
        "email_client",
        (
            "thunderbird|microsoft outlook|ms-office|applemail|barca/|yahoomailproxy|googleimageproxy"
            "|emailclient|airmail|sparkmail"
        ),
    ),
    (
        "http_library",
        (
            "curl/|wget/|python-requests|python-urllib|aiohttp|python-httpx|go-http-client|java/\\d"
            "|apache-httpclient|okhttp|libwww-perl|lwp::|guzzlehttp|node-fetch|axios/|got \\(|undici"
            "|rest-client|ruby|http_request2|winhttp|restsharp|postmanruntime|insomnia|httpie|faraday"
            "|typhoeus|reqwest|hyper/|dart:io|jakarta commons|zend_http|snoopy|pycurl|unirest|superagent|perl"
            "|php/\\d|symfony|http\\.rb|resty|powershell"
        ),
    ),
    (
        "link_checker",
        (
            "linkchecker|w3c-checklink|brokenlinkcheck|xenu link sleuth|link validator|deadlinkchecker"
            "|linkwalker|checkbot|validator\\.nu|siteimprove"
        ),
    ),
    (
        "miscellaneous",
        (
            "bot for jce|ccbot|commoncrawl|yacybot|mj12bot-misc|turnitinbot|wotbox|icc-crawler|panscient"
            "|netcraftsurveyagent|internet-?measurement"
        ),
    ),
    (
        "monitoring",
        (
            "uptimerobot|pingdom|statuscake|site24x7|newrelicpinger|datadogsynthetics|datadog/|nagios"
            "|check_http|zabbix|better uptime|hetrixtools|updown\\.io|freshping|uptime-kuma|catchpoint"
            "|gtmetrix|lighthouse|blackbox.exporter|amazon-route53-health-check|googlestackdrivermonitoring"
            "|elb-healthchecker|kube-probe"
        ),
    ),
    (
        "page_preview",
        (
            "slackbot-linkexpanding|slack-imgproxy|discordbot|telegrambot|whatsapp/|skypeuripreview|viber"
            "|iframely|bitlybot|line-poker|mattermost-bot|zoombot|signal-"
        ),
    ),
    (
        "scraping_framework",
        (
            "scrapy|puppeteer|playwright|phantomjs|headlesschrome|selenium|webdriver|htmlunit|nightmare"
            "|casperjs|slimerjs|mechanize|colly|crawlee|apify|zyte|splash|cheerio|beautifulsoup|newspaper/"
            "|goutte|jsoup|scrapegraph"
        ),
    ),
    (
        "search_engine",
        (
            "googlebot|bingbot|slurp|duckduckbot|baiduspider|yandex(?:bot|images|mobilebot)|sogou|exabot"
            "|applebot|seznambot|qwantify|naverbot|yeti/|petalbot|coccocbot|mojeekbot|360spider|bravebot"
            "|google-inspectiontool|storebot-google|daum|neevabot"
        ),
    ),
    (
        "security",
        (
            "qualys|nessus|openvas|detectify|acunetix|netsparker|burp|zaproxy|censysinspect|shodan|expanse"
            "|internetmeasurement|projectdiscovery|nuclei|nikto|wpscan|sucuri|rapid7|probely|intruder"
            "|hackertarget|whatweb|masscan|zgrab|nmap"
        ),
    ),
    (
        "seo",
        (
            "ahrefsbot|semrushbot|mj12bot|dotbot|rogerbot|majestic|screaming frog|serpstatbot|seokicks"
            "|blexbot|sistrix|searchmetrics|dataforseobot|barkrowler|megaindex|linkdexbot|spyfu|siteauditbot"
            "|seobility|oncrawl|deepcrawl|botify|contentking"
        ),
    ),
    (
        "social_media",
        (
            "facebookexternalhit|facebot|meta-externalagent|twitterbot|linkedinbot|pinterest|redditbot|tumblr"
            "|vkshare|snapchat|tiktok|bytespider|quora link preview|xing-contenttabreceiver|mastodon|bluesky"
            "|okruwallbot"
        ),
    ),
    (
        "webhooks",
        (
            "stripe/|github-hookshot|gitlab/|bitbucket-webhooks|shopify-captain-hook|paypal ipn|slack-hooks"
            "|twilioproxy|sendgrid event|zapier|hubspot|square connect|mailgun|intercom webhook"
        ),
    ),
    (
        "ai",
        (
            "gptbot|chatgpt-user|oai-searchbot|claudebot|claude-web|claude-user|anthropic-ai|perplexitybot"
            "|perplexity-user|google-extended|googleother|cohere-ai|amazonbot|applebot-extended"
            "|meta-externalfetcher|diffbot|timpibot|youbot|omgili|ai2bot|mistralai|duckassistbot|imagesiftbot"
            "|friendlycrawler|webzio"
        ),
    ),
)
_NAMES: Final = {
    "http_library": "HttpLibrary",
    "content_fetcher": "ContentFetcher",
    "email_client": "EmailClient",
    "link_checker": "LinkChecker",
    "scraping_framework": "ScrapingFramework",
    "search_engine": "SearchEngine",
    "social_media": "SocialMedia",
    "page_preview": "PagePreview",
    "ai": "AI",
}
_LATER: Final = frozenset({"page_preview", "webhooks", "ai"})
PATTERNS: Final = {category: re.compile(names.encode(), re.IGNORECASE) for category, names in _TABLE}
"""What a User-Agent of each category has in it."""
BOTS: Final = tuple(category for category, _ in _TABLE)
_BROWSER: Final = re.compile(rb"mozilla/5\.0 \([^)]{4,400}\).*(?:gecko|applewebkit|trident|presto)|^opera/", re.IGNORECASE)
_AUTOMATED: Final = re.compile(
    rb"headlesschrome|phantomjs|slimerjs|selenium|webdriver|playwright|puppeteer|electron/|cypress", re.IGNORECASE
)
_CHROMIUM: Final = re.compile(rb"chrome/(\d+)", re.IGNORECASE)
WINDOW: Final = 300
TOKEN_ABSENT: Final = 5
"""Requests without a token within five minutes (AWS's threshold)."""
SESSION: Final = (("high", 1200), ("medium", 600), ("low", 300))
"""Requests of one session within five minutes."""


def _agent(request: WebRequest) -> bytes:
    return request.header(b"user-agent") or b""


@cache
def _matcher() -> Matcher:
    """All categories in one automaton: a User-Agent that nobody has sent before costs little, too."""
    return Matcher([Pattern(names.encode(), hs.HS_FLAG_CASELESS) for _, names in _TABLE], None)


def prepare() -> None:
    """Compile the automaton of all categories, which takes some 20 ms, so not when the first request comes."""
    _matcher()


@remembered
def named(agent: bytes) -> Mapping[str, bytes]:
    """The bots that a User-Agent names: its words by their categories."""
    hits = sorted(_matcher().scan(agent))
    if not hits:
        return _NO_BOT
    found = ((BOTS[each], PATTERNS[BOTS[each]].search(agent)) for each in hits)
    return {category: match.group() for category, match in found if match is not None}


_NO_BOT: Final[Mapping[str, bytes]] = {}


class _Category:
    """A detector of the bots of a category."""

    __slots__ = ("_category", "_feeds")

    def __init__(self, category: str, feeds: Feeds) -> None:
        self._category = category
        self._feeds = feeds

    def __call__(self, request: WebRequest, _context: Context) -> Finding | None:
        """As of ``RequestDetector``."""
        word = named(_agent(request)).get(self._category)
        if word is None:
            return None
        name = re.sub(r"\W+", "_", word.decode("latin-1").strip(" /(").lower()).strip("_")
        known = self._feeds.verified.get(name)
        if known is not None and request.ip is not None and request.ip in known:
            return None
        return Finding((word,), (f"bot:name:{name}", "bot:unverified"), "BOT", "HEADER", "user-agent")

    @staticmethod
    def quiet(request: WebRequest, _body_limit: int) -> bool:
        """As of ``Quiet``."""
        return not named(_agent(request))


@remembered
def _browser(agent: bytes) -> bool:
    return _BROWSER.search(agent) is not None


def automated(request: WebRequest, _context: Context) -> Finding | None:
    """A browser that a program drives, by its own word."""
    match = _AUTOMATED.search(_agent(request))
    return None if match is None else Finding((match.group(),), (), "BOT", "HEADER", "user-agent")


def not_a_browser(request: WebRequest, _context: Context) -> Finding | None:
    """A User-Agent of no browser."""
    agent = _agent(request)
    if _browser(agent) and not named(agent):
        return None
    return Finding((agent[:128],), (), "BOT", "HEADER", "user-agent")


def inconsistent(request: WebRequest, _context: Context) -> Finding | None:
    """A User-Agent that the other headers of the browser deny: another version, no languages, no client hints of its platform."""
    agent = _agent(request)
    if not _browser(agent):
        return None
    hints = request.header(b"sec-ch-ua")
    version = _CHROMIUM.search(agent)
    if hints is not None and (version is None or version[1] not in hints):
        return Finding((hints[:128],), (), "BOT", "HEADER", "sec-ch-ua")
    mobile = request.header(b"sec-ch-ua-mobile")
    if mobile == b"?1" and b"mobile" not in agent.lower() and b"android" not in agent.lower():
        return Finding((mobile,), (), "BOT", "HEADER", "sec-ch-ua-mobile")
    if b"accept-language" not in request.by_name and request.header(b"accept") is None:
        return Finding((agent[:128],), (), "BOT", "HEADER", "user-agent")
    return None


def targeted(context: Context) -> bool:
    """Whether the statement asks for the targeted level."""
    config = context.config.get("AWSManagedRulesBotControlRuleSet") or {}
    return config.get("InspectionLevel") == "TARGETED"


def _targeted(detect: RequestDetector) -> RequestDetector:
    return lambda request, context: detect(request, context) if targeted(context) else None


def _token_absent(request: WebRequest, context: Context) -> Finding | None:
    if context.state.token.state is TokenState.ACCEPTED:
        return None
    rule = RateRule("bot-control:token-absent", TOKEN_ABSENT, WINDOW)
    over = context.state.rates.hit(rule, request.source_ip.encode(), request.time)
    return Finding() if over else None


def _no_token(_request: WebRequest, context: Context) -> Finding | None:
    return Finding() if context.state.token.state is TokenState.ABSENT else None


def _session(level: str) -> RequestDetector:
    limit = dict(SESSION)[level]

    def detect(request: WebRequest, context: Context) -> Finding | None:
        token = context.state.token
        if token.state is not TokenState.ACCEPTED or not token.id:
            return None
        rule = RateRule(f"bot-control:session:{level}", limit, WINDOW)
        return Finding() if context.state.rates.hit(rule, token.id.encode(), request.time) else None

    return detect


def _reuse(kind: str, limit: int) -> RequestDetector:
    """A token that several clients use: ``limit`` of them within five minutes, by address, country or AS number."""

    def detect(request: WebRequest, context: Context) -> Finding | None:
        token = context.state.token
        if token.state is not TokenState.ACCEPTED or not token.id:
            return None
        own = {"ip": request.source_ip, "country": request.country, "asn": str(request.asn)}[kind]
        rates = context.state.rates
        seen = RateRule(f"bot-control:reuse:{kind}:{limit}:seen", 1_000_000_000, WINDOW)
        key = token.id.encode()
        first = rates.estimate(seen, key + b"\0" + own.encode(), request.time) < 1
        rates.hit(seen, key + b"\0" + own.encode(), request.time)
        users = RateRule(f"bot-control:reuse:{kind}:{limit}:users", limit, WINDOW)
        if first:
            rates.hit(users, key, request.time)
        return Finding() if rates.estimate(users, key, request.time) > limit else None

    return detect


_TARGETED: Final[tuple[tuple[str, RequestDetector, str, Rule, int], ...]] = (
    ("TGT_VolumetricIpTokenAbsent", _token_absent, "targeted:aggregate:volumetric:ip:token_absent", CHALLENGE, 1),
    ("TGT_TokenAbsent", _no_token, "targeted:signal:token_absent", COUNT, 2),
    ("TGT_VolumetricSession", _session("high"), "targeted:aggregate:volumetric:session:high", CAPTCHA, 1),
    ("TGT_SignalAutomatedBrowser", automated, "targeted:signal:automated_browser", CAPTCHA, 1),
    ("TGT_SignalBrowserInconsistency", inconsistent, "targeted:signal:browser_inconsistency", CAPTCHA, 1),
    ("TGT_TokenReuseIpHigh", _reuse("ip", 8), "targeted:aggregate:volumetric:session:token_reuse:ip:high", BLOCK, 2),
    ("TGT_TokenReuseIpMedium", _reuse("ip", 4), "targeted:aggregate:volumetric:session:token_reuse:ip:medium", CAPTCHA, 2),
    ("TGT_TokenReuseIpLow", _reuse("ip", 2), "targeted:aggregate:volumetric:session:token_reuse:ip:low", COUNT, 2),
    (
        "TGT_TokenReuseCountryHigh",
        _reuse("country", 3),
        "targeted:aggregate:volumetric:session:token_reuse:country:high",
        BLOCK,
        2,
    ),
    (
        "TGT_TokenReuseCountryMedium",
        _reuse("country", 2),
        "targeted:aggregate:volumetric:session:token_reuse:country:medium",
        CAPTCHA,
        2,
    ),
    ("TGT_TokenReuseCountryLow", _reuse("country", 1), "targeted:aggregate:volumetric:session:token_reuse:country:low", COUNT, 2),
    ("TGT_TokenReuseAsnHigh", _reuse("asn", 4), "targeted:aggregate:volumetric:session:token_reuse:asn:high", BLOCK, 2),
    ("TGT_TokenReuseAsnMedium", _reuse("asn", 2), "targeted:aggregate:volumetric:session:token_reuse:asn:medium", CAPTCHA, 2),
    ("TGT_TokenReuseAsnLow", _reuse("asn", 1), "targeted:aggregate:volumetric:session:token_reuse:asn:low", COUNT, 2),
)


def bot_control(feeds: Feeds) -> Builder:
    """The group. What only machine learning over many sites' traffic can tell (``TGT_ML_*``) is not in it."""
    group = Builder("AWSManagedRulesBotControlRuleSet", "bot-control", 50)
    for category, _ in _TABLE:
        name = "Category" + (_NAMES.get(category) or category.capitalize())
        group.detect(name, _Category(category, feeds), f"bot:category:{category}", since=2 if category in _LATER else 1)
    group.detect("SignalAutomatedBrowser", automated, "signal:automated_browser")

    def from_data_center(request: WebRequest, _context: Context) -> Finding | None:
        hosted = request.asn in feeds.hosting_asns or (request.ip is not None and request.ip in feeds.hosting)
        return Finding() if hosted else None

    group.detect("SignalKnownBotDataCenter", from_data_center, "signal:known_bot_data_center")
    group.detect("SignalNonBrowserUserAgent", not_a_browser, "signal:non_browser_user_agent")
    for rule, detect, label, action, since in _TARGETED:
        group.detect(rule, _targeted(detect), label, action, since=since)
    return group
