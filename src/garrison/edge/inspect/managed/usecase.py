"""The groups for what an application is made of: databases, operating systems, PHP, WordPress."""

from __future__ import annotations

import re
from typing import Final

from garrison.edge.inspect.detect.normal import readings
from garrison.edge.inspect.detect.survey import Kind, Part
from garrison.edge.inspect.groups import Context, Finding
from garrison.edge.inspect.managed.build import Builder
from garrison.edge.inspect.remember import remembered
from garrison.edge.inspect.request import WebRequest

_HEADERS: Final = [Part.HEADER, Part.COOKIE]
_COMMANDS: Final = re.compile(
    rb"(?:^|&)(?:do-reset-wordpress|up_auto_log=1|wpv-image=|wp_automatic=|duplicator_download|fancybox-for-wordpress|"
    rb"(?:action|do)=(?:revslider_(?:show_image|ajax_action)|duplicator_download|wp_ajax_nopriv_"
    rb"|mailpoet|gf_page=upload|wpdm_ajax_call|"
    rb"export_wp|kaswara_|wcuf_|fs_set_db_option|td_ajax_update_panel)|author=\d+$"
    rb"|rest_route=/wp/v2/users|swp_url=|cpmvc_id=|img=\.\.)",
    re.IGNORECASE,
)
_PATHS: Final = re.compile(
    rb"/(?:xmlrpc\.php|wp-config[\w.~-]*|wp-content/(?:debug\.log|uploads/[^?]*\.(?:php\d?|phtml"
    rb"|phar)|backups?-|plugins/(?:revslider/temp|wp-file-manager/lib/php/connector|"
    rb"duplicator/installer|mailpress|formcraft/file-upload|[\w-]+/(?:readme\.txt|timthumb\.php))"
    rb"|themes/[\w-]+/(?:timthumb|thumb|download)\.php|cache/.*\.php)|"
    rb"wp-admin/(?:install|setup-config|admin-ajax\.php\?action=revslider)"
    rb"|wp-includes/(?:wlwmanifest\.xml|.*\.php$)|wp-cron\.php|wp-trackback\.php"
    rb"|installer(?:-backup)?\.php|wp-links-opml\.php|license\.txt$|readme\.html$)",
    re.IGNORECASE,
)


def sqli() -> Builder:
    """``AWSManagedRulesSQLiRuleSet``."""
    group = Builder("AWSManagedRulesSQLiRuleSet", "sql-database", 200)
    group.seek("SQLi_QUERYARGUMENTS", [Kind.SQLI], [Part.QUERY], "SQLi_QueryArguments")
    group.seek("SQLiExtendedPatterns_QUERYARGUMENTS", [Kind.SQLI_WIDE], [Part.QUERY], "SQLiExtendedPatterns_QueryArguments")
    group.seek("SQLi_BODY", [Kind.SQLI], [Part.BODY], "SQLi_Body")
    group.seek("SQLiExtendedPatterns_BODY", [Kind.SQLI_WIDE], [Part.BODY], "SQLiExtendedPatterns_Body")
    group.seek("SQLi_COOKIE", [Kind.SQLI, Kind.SQLI_WIDE], [Part.COOKIE], "SQLi_Cookie")
    group.seek("SQLi_URIPATH", [Kind.SQLI], [Part.PATH], "SQLi_URIPath", since=2)
    group.seek("SQLiExtendedPatterns_HEADER", [Kind.SQLI, Kind.SQLI_WIDE], [Part.HEADER], "SQLiExtendedPatterns_Header", since=2)
    group.seek("SQLiExtendedPatterns_URIPATH", [Kind.SQLI_WIDE], [Part.PATH], "SQLiExtendedPatterns_URIPath", since=2)
    return group


def linux() -> Builder:
    """``AWSManagedRulesLinuxRuleSet``."""
    group = Builder("AWSManagedRulesLinuxRuleSet", "linux-os", 200)
    group.seek("LFI_URIPATH", [Kind.LFI], [Part.PATH], "LFI_URIPath")
    group.seek("LFI_QUERYSTRING", [Kind.LFI], [Part.QUERY], "LFI_QueryString")
    group.seek("LFI_HEADER", [Kind.LFI], _HEADERS, "LFI_Header")
    return group


def posix() -> Builder:
    """``AWSManagedRulesUnixRuleSet``. Its rule of the query string looks at the whole target, the path too."""
    group = Builder("AWSManagedRulesUnixRuleSet", "posix-os", 100)
    name = "UNIXShellCommandsVariables"
    group.seek(f"{name}_QUERYARGUMENTS", [Kind.SHELL], [Part.QUERY, Part.PATH], until=1)
    group.seek(f"{name}_QUERYSTRING", [Kind.SHELL], [Part.QUERY, Part.PATH], since=2)
    group.seek(f"{name}_BODY", [Kind.SHELL], [Part.BODY])
    group.seek(f"{name}_HEADER", [Kind.SHELL], _HEADERS, since=2)
    return group


def windows() -> Builder:
    """``AWSManagedRulesWindowsRuleSet``."""
    group = Builder("AWSManagedRulesWindowsRuleSet", "windows-os", 200)
    for name, kind in (("WindowsShellCommands", Kind.WINDOWS), ("PowerShellCommands", Kind.POWERSHELL)):
        group.seek(f"{name}_COOKIE", [kind], [Part.COOKIE], f"{name}_Cookie")
        group.seek(f"{name}_QUERYARGUMENTS", [kind], [Part.QUERY], f"{name}_QueryArguments")
        group.seek(f"{name}_BODY", [kind], [Part.BODY], f"{name}_Body")
        group.seek(f"{name}_HEADER", [kind], [Part.HEADER], f"{name}_Header", since=2)
        group.seek(f"{name}_URIPATH", [kind], [Part.PATH], f"{name}_URIPath", since=2)
    return group


def php() -> Builder:
    """``AWSManagedRulesPHPRuleSet``."""
    group = Builder("AWSManagedRulesPHPRuleSet", "php-app", 100)
    name = "PHPHighRiskMethodsVariables"
    group.seek(f"{name}_HEADER", [Kind.PHP], _HEADERS, f"{name}_Header")
    group.seek(f"{name}_QUERYSTRING", [Kind.PHP], [Part.QUERY], f"{name}_QueryString")
    group.seek(f"{name}_BODY", [Kind.PHP], [Part.BODY], f"{name}_Body")
    group.seek(f"{name}_URIPATH", [Kind.PHP], [Part.PATH], f"{name}_URIPath", since=2)
    return group


def wordpress() -> Builder:
    """``AWSManagedRulesWordPressRuleSet``."""
    group = Builder("AWSManagedRulesWordPressRuleSet", "wordpress-app", 100)
    commands, paths = "WordPressExploitableCommands_QUERYSTRING", "WordPressExploitablePaths_URIPATH"
    group.detect(commands, _commands, commands)
    group.detect(paths, _paths, paths)
    return group


def _commands(request: WebRequest, _context: Context) -> Finding | None:
    found = _command(request.query)
    return None if found is None else Finding((found,), (), "WORDPRESS", "QUERY_STRING")


def _paths(request: WebRequest, _context: Context) -> Finding | None:
    found = _path(request.path)
    return None if found is None else Finding((found,), (), "WORDPRESS", "URI")


@remembered
def _command(query: bytes) -> bytes | None:
    return _first(_COMMANDS, query)


@remembered
def _path(path: bytes) -> bytes | None:
    return _first(_PATHS, path)


def _first(pattern: re.Pattern[bytes], value: bytes) -> bytes | None:
    """The match in the first reading that has one."""
    return next((match.group() for text in readings(value) if (match := pattern.search(text)) is not None), None)
