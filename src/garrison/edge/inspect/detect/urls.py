"""URLs in values: files included from elsewhere, and requests that a server would send into its own network."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Final

from garrison.edge.inspect.detect.normal import words

METADATA: Final = frozenset(
    {
        b"169.254.169.254",
        b"169.254.170.2",
        b"fd00:ec2::254",
        b"metadata.google.internal",
        b"metadata",
        b"metadata.goog",
        b"100.100.100.200",
        b"192.0.0.192",
        b"metadata.packet.net",
        b"169.254.169.253",
        b"instance-data",
        b"metadata.tencentyun.com",
        b"metadata.azure.internal",
        b"rancher-metadata",
        b"169.254.42.42",
        b"metadata.platformequinix.com",
        b"metadata.nicira.com",
        b"169.254.169.123",
        b"168.63.129.16",
    }
)
"""Hosts where clouds tell an instance its credentials."""
_LOOPBACK: Final = frozenset(
    b"localhost localhost.localdomain localhost4 localhost4.localdomain4 localhost6 "
    b"localhost6.localdomain6 ipv6-localhost ip6-localhost "
    b"ip6-loopback ipv6-loopback host.docker.internal kubernetes.docker.internal gateway.docker.internal kubernetes.default.svc "
    b"kubernetes.default localtest.me lvh.me vcap.me lacolhost.com spoofed.burpcollaborator.net "
    b"kubernetes kubernetes.default.svc.cluster.local "
    b"docker.for.mac.localhost docker.for.win.localhost containers.internal".split()
)
_WILD: Final = (
    b".nip.io",
    b".sslip.io",
    b".xip.io",
    b".localtest.me",
    b".lvh.me",
    b".localhost",
    b".internal.cloudapp.net",
    b".burpcollaborator.net",
    b".oastify.com",
    b".interact.sh",
    b".oast.pro",
    b".oast.fun",
    b".oast.live",
    b".oast.site",
    b".oast.online",
    b".oast.me",
    b".rbndr.us",
    b".1u.ms",
    b".dnslog.cn",
    b".ceye.io",
    b".canarytokens.com",
)
_ODD: Final = (
    rb"(?:gopher|dict|ldaps?|ldapi|tftp|netdoc|jar|phar|expect|ogg|rar|zip|glob|zlib|php|ssh2(?:\.\w+)?"
    rb"|compress\.\w+|sftp|smb|imaps?|pop3s?|rtmp|telnet|rtsp|ssh|local_file|mailto\+|view-source"
    rb"|verbatim|tcp|udp|unix|rmi|jndi|dns|iiop|corba|nis|nds|ves|c2|cap|file)"
)
_URL = re.compile(
    rb"(?:^|[^\w.])(?:url:)?((?:jar:)?(?:https?|ftps?|sftp|wss?|"
    + _ODD
    + rb"))(:)(?:[/\\]{1,4}|(?=\d{1,3}\.\d))([^\s\"'<>/\\?#]{1,200})([^\s\"'<>]{0,300})",
    re.IGNORECASE,
)
_ODD_URL = re.compile(
    rb"(?:^|[^\w])(?:url:)?(?:jar:(?:https?|file|ftp)|"
    + _ODD.replace(rb"|tcp|udp|unix", b"").replace(rb"|ssh|", b"|").replace(rb"|file)", b")")
    + rb"):/{0,3}[^\s/]",
    re.IGNORECASE,
)
_FILE_URL = re.compile(rb"(?:^|[^\w])(?:url:)?(?:jar:)?file:(?:/{1,4}|\\{2})[\w./~%\\]", re.IGNORECASE)
_SCHEME_ONLY = re.compile(rb"^\s*(?:file|ftps?|https?)\?+$", re.IGNORECASE)
_INCLUDED = re.compile(rb"^\s*(?:ht|f)tps?://[^\s?]{1,2000}\?+$", re.IGNORECASE)
_SCRIPT_FILE = re.compile(
    (
        rb"^\s*(?:ht|f)tps?:/{1,3}[^\s]{1,400}\.(?:txt|php\d?|phtml|asp|jsp|inc|gif|jpg|dat|log)\?{1,3}(?:$"
        rb"|\w{0,20}=?$|cmd|%00)"
    ),
    re.IGNORECASE,
)
_PARAMETERS: Final = re.compile(
    (
        rb"(?:_conf\[path\]|mosconfig_absolute_path|_server\[document_root\]|globals|_request\[\w+\]"
        rb"|absolute_path|abspath|phpbb_root_path|gallery_basedir|basepath|root_path|include_path"
        rb"|document_root|inc_dir|smarty_dir|lib_path|mosconfig\w*|sourcedir|template_path|docroot"
        rb"|theme_path|dir_module|path_to_\w+|pathtoroot|cfg_root|serverpath|phpenviron)$"
    ),
    re.IGNORECASE,
)
_DATA = re.compile(
    (
        rb"^\s*(?:url:)?data:(?:text/(?:plain|html|x?ml|javascript)|application/(?:x-httpd-php|xml"
        rb"|javascript|octet-stream))(?:;[\w=;-]{1,60})?(?:,|$)"
    ),
    re.IGNORECASE,
)
_HOST_ALONE = re.compile(rb"^(?:[/\\]{2})?([\w.-]{3,60}|\[[0-9a-f:.%]{2,60}\])(?::\d{1,5})?(?:/[^\s]*)?$", re.IGNORECASE)


# A share of another host, and a URL without its scheme: of a script, or (by what it leads to) of an inner host.
_UNC = re.compile(rb"^\s*\\\\[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?:@\w{1,8})?\\[\w$.\\-]{1,200}")
_RELATIVE = re.compile(
    rb"^\s*//([\w.:-]{1,100}|\[[0-9a-f:.]{2,60}\])(?:/\S{0,400}?(\.(?:php\d?|phtml|asp|jsp|txt|inc))?(?:\?|$)|$)", re.IGNORECASE
)


def number(host: bytes) -> int | None:
    """The IPv4 address that a host spells as ``inet_aton`` reads it, in any base and one to four parts; else None."""
    parts = host.rstrip(b".").lower().split(b".")
    if not 1 <= len(parts) <= 4:
        return None
    values = []
    for part in parts:
        value = _part(part)
        if value is None:
            return None
        values.append(value)
    address = 0
    for value in values[:-1]:
        address = address << 8 | value & 0xFF
    return (address << 8 * (5 - len(parts)) | values[-1]) & 0xFFFFFFFF


def _part(part: bytes) -> int | None:
    if not part or len(part) > 40:
        return None
    try:
        if part.startswith(b"0x"):
            return int(part[2:] or b"0", 16)
        if part.startswith(b"0") and len(part) > 1 and part.isdigit():
            return int(part, 8)
        return int(part) if part.isdigit() else None
    except ValueError:
        return None


class Target:
    """Where a URL leads: ``metadata``, ``internal`` (loopback, private), ``address`` (an IP address), ``""`` for a name."""

    METADATA = "metadata"
    INTERNAL = "internal"
    ADDRESS = "address"


def _host(authority: bytes) -> bytes:
    host = authority.rpartition(b"@")[2].lower()
    if host.startswith(b"["):
        return host.partition(b"]")[0] + b"]"
    if host.count(b":") > 1:
        return b"[" + host + b"]"
    return host.partition(b":")[0].rstrip(b".")


def target(authority: bytes) -> str:  # noqa: PLR0911 - one answer for each kind of host
    """What kind of host an authority names."""
    host = _host(authority)
    if host in METADATA or host.strip(b"[]") in METADATA:
        return Target.METADATA
    if host in _LOOPBACK or host.endswith(_WILD):
        return Target.INTERNAL
    if host.startswith(b"["):
        return _target6(host.strip(b"[]"))
    found = number(host)
    if found is None:
        return ""
    address = IPv4Address(found)
    if str(address).encode() in METADATA:
        return Target.METADATA
    if address.is_loopback or address.is_private or address.is_link_local or address.is_unspecified:
        return Target.INTERNAL
    return Target.ADDRESS


def _target6(text: bytes) -> str:
    if text.count(b":") < 2:
        return ""
    if text.endswith((b"169.254.169.254", b"a9fe:a9fe")) or b"fd00:ec2" in text:
        return Target.METADATA
    if text in {b"::1", b"::"} or text.startswith((b"fc", b"fd", b"fe80", b"::ffff:", b"0:0:0:0:0:0:0:1", b"0000:")):
        return Target.INTERNAL
    return Target.ADDRESS


def ssrf(text: bytes) -> bytes | None:
    """The URL in one reading that leads to a cloud's metadata service, None for none."""
    for match in _URL.finditer(text[:8192]):
        if target(match[3]) == Target.METADATA:
            return match.group().strip()[:128]
    named = re.search(
        rb"169\.254\.169\.254|metadata\.google\.internal|/latest/meta-data|/computemetadata/v1", text, re.IGNORECASE
    )
    return named.group() if named is not None else None


def included(text: bytes, name: bytes) -> bool:
    """Whether a URL is given to a parameter that applications have included files by."""
    return b"://" in text and _PARAMETERS.search(name) is not None


def rfi(text: bytes, name: bytes = b"", *, alone: bool = True) -> bytes | None:
    """The URL in one reading that an application should not fetch or include, None for none."""
    text = text[:8192]
    for pattern in (_ODD_URL, _FILE_URL):
        match = pattern.search(text)
        if match is not None and (alone or pattern is _FILE_URL):
            return match.group().strip()[:128]
    whole = _whole(text) if alone else None
    if whole is not None:
        return whole
    for match in _URL.finditer(text):
        if _leads_astray(text, match) or _PARAMETERS.search(name):
            return match.group().strip()[:128]
    return None


def _whole(text: bytes) -> bytes | None:
    """The URL that a value is, where an application should not fetch or include it."""
    for pattern in (_SCHEME_ONLY, _INCLUDED, _SCRIPT_FILE, _DATA, _UNC):
        match = pattern.search(text)
        if match is not None:
            return match.group().strip()[:128]
    match = _RELATIVE.match(text)
    if match is not None and (match[2] or target(match[1])):
        return match.group()[:128]
    match = _HOST_ALONE.match(text)
    local = match is not None and match[1].lower().strip(b"[]") in _LOOPBACK and text.strip() != match[1]
    return match.group()[:128] if match is not None and local else None


def _leads_astray(text: bytes, match: re.Match[bytes]) -> bool:
    """Whether a URL leads to an address or an inner host, or hides where it leads."""
    kind = target(match[3])
    if kind == Target.INTERNAL:
        # In prose it is shown; what a server is asked for is a URL alone.
        return words(text[: match.start()]) + words(text[match.end() :]) < 2
    return bool(kind) or re.search(rb"[%\\#].*@", match[3]) is not None


_METADATA = re.compile(rb"169\.254\.169\.254|metadata\.google\.internal|/latest/meta-data|/computemetadata/v1", re.IGNORECASE)
_URL_GATE = re.compile(
    (
        rb"(?:https?|ftps?|sftp|wss?):(?:[/\\]{1,4}|\d)(?:[^\s/]{0,120}@|\["
        rb"|[0-9a-fx.:]{1,60}(?:[/?#:\s\"'<>&\\]|$)|localhost|[\w.-]{0,80}(?:internal|metadata|\.io|\.me"
        rb"|burpcollaborator|oast|localhost|instance-data|kubernetes|loopback|dnslog|ceye|canarytokens"
        rb"|1u\.ms|rbndr))"
    ),
    re.IGNORECASE,
)
_LOOPBACK_GATE = re.compile(
    (
        rb"localhost|ip6-|ipv6-|docker\.internal|kubernetes|localtest|lvh\.me|vcap\.me|docker\.for"
        rb"|containers\.internal|lacolhost"
    ),
    re.IGNORECASE,
)
GATES: Final = (
    _UNC,
    _RELATIVE,
    _ODD_URL,
    _FILE_URL,
    _SCHEME_ONLY,
    _INCLUDED,
    _SCRIPT_FILE,
    _DATA,
    _URL_GATE,
    _METADATA,
    _LOOPBACK_GATE,
)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
