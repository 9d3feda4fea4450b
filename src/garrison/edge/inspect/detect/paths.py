"""Local files: paths that climb out of where an application looks, and files that no visitor should ask for."""

from __future__ import annotations

import re
from typing import Final

from garrison.edge.inspect.detect.normal import EVERYTHING, Gates, words

_SLASH: Final = rb"(?:[/\\\xa5\xf7]|0x(?:2f|5c))"
_DOT: Final = rb"(?:\.|0x2e)[\x00;]?"
_CLIMB = re.compile(
    rb"(?:^|[/\\;=\s\"'(,:&?|<>])(?:\.;?){2,3}[/\\;](?![/\\]?\s*$)|[/\\]\.\.;|\.\.[/\\]|(?:0x(?:5c|2f))?0x2e\.?[/\\%]?"
)
_STRONG_CLIMB = re.compile(
    rb"(?:\.{2,3};?"
    + _SLASH
    + rb"{1,4}\.?/?){2}|\.{2,3}[/\\]+(?:etc|proc|sys|var|usr|bin|boot|dev|home|opt|root|tmp|windows|winnt"
    rb"|winint|web-inf|meta-inf|\.\w)"
    rb"|(?:0x5c|0x2f|[/\\])?0x2e\.?[/\\0]|\.\.0x(?:2f|5c)|\.\.;[/\\]|(?:\.\.?;){2}|\.\.;[./\\]|\.\.\\{2}|[/\\]\.\.(?:[/\\]\.\.)",
    re.IGNORECASE,
)
_WHOLE_CLIMB = re.compile(rb"^(?:[\w./\\:~-]{0,200}[/\\])?\.{2,3}[/\\][^\s'\"<>]{0,2000}$")
_UNIX_FILE: Final = rb"""
    etc[/\\]{1,4}(?:passwd|master\.passwd|shadow|gshadow|group|hosts|hostname|issue|motd|fstab|mtab|crontab|cron\.
        |sudoers|ssh[/\\]|ssl[/\\]|apache2?[/\\]|httpd[/\\]
        |nginx[/\\]|php[\d./\\]|mysql[/\\]|my\.cnf|network[/\\]|resolv\.conf|security[/\\]|pam\.d|profile|bashrc
        |environment|init\.d|rc\.|subuid|subgid|services|shells
        |inetd|exports|samba|vsftpd|proftpd|redhat-release|os-release|lsb-release|debian_version|alpine-release
        |kubernetes|docker|ld\.so|login\.defs|syslog|logrotate|aliases|postfix)
    |proc[/\\]{1,4}(?:self|\d{1,7}|version|cmdline|cpuinfo|meminfo|net|mounts|sys|sched_debug|stat|environ|interrupts
        |kcore|kallsyms|modules|filesystems|partitions|devices|uptime|loadavg|config\.gz)
    |sys[/\\]{1,4}(?:class|kernel|devices|firmware|fs|block|module|hypervisor)\b
    |var[/\\]{1,4}(?:log|lib[/\\](?:mysql|php|docker|kubelet|cloud)|run[/\\]|spool[/\\]|mail|backups?
        |www[/\\].*\.(?:php|conf|ini|env)|lock|db)\b
    |usr[/\\]{1,4}(?:local[/\\](?:apps|apache|etc|nginx|php|mysql|lib)|share[/\\](?:nginx|php)|lib[/\\]|s?bin[/\\])
    |root[/\\]{1,4}\.|home[/\\][\w.-]{1,40}[/\\]\.|dev[/\\](?:tcp|udp|fd[/\\]\d|mem|kmem|sd[a-z]|random|zero|stdin|shm)
    |(?:boot|opt)[/\\](?:grub|lampp|nginx|tomcat|bitnami)"""
_FILES = re.compile(
    rb"(?:^|[/\\\s\"'=:(<>,;|&@`])[/\\]{0,4}(?:" + _UNIX_FILE + rb")"
    rb"""|(?:^|[/\\\s"'=:])(?:boot\.ini|win\.ini|system\.ini|autoexec\.bat|desktop\.ini|php\.ini|my\.ini|web\.config
        |machine\.config|global\.asax|applicationhost\.config
        |unattend\.xml|ntuser\.dat|pagefile\.sys|httpd\.conf|nginx\.conf|apache2?\.conf|\.htaccess|\.htpasswd
        |\.htdigest|\.user\.ini|\.bash_history|\.bashrc|\.bash_profile|\.profile|\.zsh_history|\.zshrc
        |\.history|\.mysql_history|\.psql_history|\.viminfo|\.netrc|\.pgpass|\.npmrc|\.pypirc|\.git-credentials
        |\.dockercfg|\.boto|\.s3cfg
        |id_(?:rsa|dsa|ecdsa|ed25519)(?:\.pub)?|authorized_keys|known_hosts|wp-config[\w.-]{0,12}|configuration\.php
        |localsettings\.php|settings\.local\.php|database\.yml|credentials\.xml|master\.key|secrets\.yml)(?:$
        |[\s"'?&#;\\/)\x00,<%])"""
    rb"""|(?:^|[/\\\s"'=])\.(?:ssh|aws|azure|gnupg|kube|docker|gcloud|config[/\\]gcloud|svn|git|hg|bzr|cvs|subversion
        |terraform)[/\\][\w.-]"""
    rb"""|(?:^|[/\\\s"'=])\.(?:env)(?:\.(?:local|prod\w*|dev\w*|test|stag\w*|bak|old|save|example|backup|\d))?(?:$
        |[\s"'?&#;\\/)\x00,<])"""
    rb"""|[a-z]:[/\\]{1,4}(?:windows|winnt|boot\.ini|inetpub|xampp|wamp|system32|temp[/\\]|windows[/\\]system32)"""
    rb"""|(?:^|[/\\\s"'=])(?:windows|winnt)[/\\]{1,4}(?:win\.ini|system32|system\.ini|repair|debug|panther|explorer
        |php\.ini|temp|logs)"""
    rb"""|[/\\](?:config|repair)[/\\](?:sam|system|security)\b"""
    rb"""|(?:^|[/\\])(?:web-inf|meta-inf)[/\\]""",
    re.IGNORECASE | re.VERBOSE,
)
_TMP = re.compile(rb"[>|]\s*/(?:tmp|dev/shm|var/tmp)/\w", re.IGNORECASE)
_BACKUP = re.compile(
    (
        rb"(?:^|[/\\=])[\w.-]{0,60}(?:backup|dump|database|db|users)[\w.-]{0,30}\.sql(?:\.(?:zip|gz|tar|bz2"
        rb"|7z|rar|tgz))?$|\.sql\.(?:zip|gz|tar|bz2|7z|rar|xz)$"
    ),
    re.IGNORECASE,
)
_NULL_END = re.compile(rb"(?:%00|\x00|\\0|\\x00)(?:\.\w{1,5})?$")
_HIDDEN_PATH = re.compile(
    rb"""/\.(?:git(?:/|ignore$|config|attributes|modules|-credentials|hub/)|svn/|hg/|bzr|cvs|env(?:$|[./])|ht(?:access
        |passwd|digest)|ds_store|idea/|vscode/|npmrc|dockerignore|docker/|ssh/|aws/|kube/|bash|zsh
        |profile|mysql_history|history|gem|bundle/|ruby-version|travis|circleci|gitlab-ci|editorconfig|eslint|babelrc
        |yarnrc|aiignore|cursorignore|claude|cursor|continue|aider|roo|zed|cline|kiro|windsurf|rovodev|codex|opencode|a0proj
        |plandex
        |fabric|n8n|junie|config/|composer|phpunit|php_cs|rsync|remote-sync|ftpconfig|sftp-config|netrc|pgpass
        |terraform|vagrant|cpanel|msmtprc|muttrc|viminfo|wget|lesshst|local/|cache/|pki/|rhosts|user\.ini|tool-versions
        |python_history|irb_history|node_repl)
    |^/(?:proc|sys|etc)/(?:\w)
    |/(?:wp-config[\w.-]*|web\.config|php\.ini|composer\.(?:json|lock)|package-lock\.json|yarn\.lock|dockerfile
        |docker-compose[\w.-]*\.ya?ml|vagrantfile|gruntfile\.js|gulpfile\.js|makefile|id_(?:rsa|dsa)|database\.yml
        |settings\.py|local\.settings\.json
        |secrets\.(?:ya?ml|json)|credentials(?:\.\w+)?|error_log|access_log|npm-debug\.log|sitemanager\.xml
        |filezilla\.xml|winscp\.ini|sftp-config\.json|phpinfo\.php|config\.ya?ml|settings\.php|server-status|server-info
        |\.?bash_history)$
    |/(?:wp-content/)?(?:debug|errors?|access|install|laravel|production|development)\.log$
    |^/@(?:fs|id)/|/(?:web-inf|meta-inf)/|\.(?:sql|bak|old|orig|swp|swo|save|backup|dist|inc|conf|cfg|ini|mdb|pem|key
        |pfx|p12|jks|keystore|kdbx|ovpn|rdp)(?:\.(?:zip|gz|tar|tgz|bz2|7z|rar))?$
    |/(?:backup|dump|database|db|site|www|public_html|htdocs|web)\.(?:zip|tar(?:\.gz)?|tgz|rar|7z|gz|sql)$""",
    re.IGNORECASE | re.VERBOSE,
)
EXTENSIONS: Final = re.compile(
    (
        rb"\.(?:asax|ascx|backup|bak|bat|cdx|cer|cfg|config|cs|csproj|dat|dll|dos|htr|htw|ida|idc|idq|inc"
        rb"|ini|key|licx|lnk|log|mdb|old|pass|pol|pwd|rdb|resources|resx|vb|vbproj|vsdisco|webinfo|xsd|xsx"
        rb"|sys|swp|conf|axd|ashx~|printer|sql|db)/?$"
    ),
    re.IGNORECASE,
)


def detect(text: bytes, *, alone: bool = True, hot: Gates = EVERYTHING) -> bytes | None:
    """The piece of one reading that is a local file which it should not be. ``alone`` says that the value is no prose."""
    text = text[:8192]
    for pattern in (_STRONG_CLIMB, _FILES, _TMP):
        match = pattern.search(text) if pattern in hot else None
        if match is not None and not _shown(text, match):
            return match.group().strip()[:128]
    if alone:
        match = _WHOLE_CLIMB.match(text) or _BACKUP.search(text)
        if match is not None:
            return match.group()[:128]
    return None


def _shown(text: bytes, match: re.Match[bytes]) -> bool:
    """Whether a path is shown in prose or code, as an import of a module or a link: what an application opens is a path alone.

    One that climbs to a file of the system is none that is shown.
    """
    begin = max(text.rfind(blank, 0, match.start() + 1) for blank in (b" ", b"\n", b"\t", b"+"))
    before = words(text[: max(0, begin)])
    after = words(text[match.end() :].lstrip(b"/.-\\")[:200].partition(b" ")[2])
    if match.re is _STRONG_CLIMB:
        return before + after >= 3 and _SENSITIVE.search(match.group() + text[match.end() : match.end() + 60]) is None
    return before > 0 or after >= 2


_SENSITIVE = re.compile(rb"passwd|shadow|win\.ini|boot\.ini|proc[/\\]self|id_rsa|system32|0x2e|etc[/\\]", re.IGNORECASE)


def hidden(path: bytes) -> bytes | None:
    """The piece of a URI path that asks for a file which servers keep to themselves."""
    match = _HIDDEN_PATH.search(path)
    return match.group()[:128] if match else None


GATES: Final = (_STRONG_CLIMB, _FILES, _TMP, _WHOLE_CLIMB, _BACKUP)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
