"""Commands of Windows: the shell's grammar (``cmd``), and PowerShell's cmdlets and aliases."""

from __future__ import annotations

import re
from typing import Final

from garrison.edge.inspect.detect.normal import EVERYTHING, Gates, Scan, everything, lengthy

_CMD: Final = (
    rb"(?:appcmd|assoc|attrib|at|bash|bcdboot|bcdedit|bitsadmin|cacls|certreq|certutil|chcp|chkdsk"
    rb"|chkntfs|cipher|cmd(?:\.exe)?|cmdkey|cmstp|color|comp|compact|convert|copy|cscript|csvde|dcdiag"
    rb"|del|dir|diskpart|diskperf|dnscmd|doskey|driverquery|dsadd|dsget|dsquery|dsrm"
    rb"|erase|esentutl|eventcreate|expand|fc|findstr|finger|forfiles|fsutil|ftp|ftype|getmac|gpresult"
    rb"|gpupdate|hh|icacls|ie4uinit|ipconfig|jsc|ksetup|label|logman|logoff|makecab|mavinject|md|mklink"
    rb"|mode|mofcomp|more|mountvol|move|mshta|msbuild|msiexec|msg|msinfo32|mstsc|nbtstat|net1?|netdom"
    rb"|netsh|netstat|nltest|nslookup|ntbackup|odbcconf|openfiles|pathping|pcalua|ping|pnputil|popd"
    rb"|powercfg|powershell(?:\.exe)?|presentationhost|prndrvr|psexec|pubprn|pushd|pwsh|qprocess|query"
    rb"|quser|qwinsta|rasdial|rd|recover|reg|regasm|regedit|regini|regsvcs|regsvr32|ren|rename|replace"
    rb"|rmdir"
    rb"|robocopy|route|rundll32|runas|sc|schtasks|scriptrunner|secedit|set|setx|sfc|shutdown|start"
    rb"|subst|syncappvpublishingserver|systeminfo|takeown|tar|tasklist|taskkill|timeout|tracert|tree"
    rb"|tscon|tsdiscon|type|typeperf|tzutil|ver|vol|vssadmin|w32tm|wbadmin|wevtutil|where|whoami|winrm"
    rb"|winrs|winver|wmic|wscript|wsl|xcopy|xwizard)"
)
_SURE: Final = (
    rb"(?:appcmd|bcdboot|bcdedit|bitsadmin|cacls|certreq|certutil|chkntfs|cmdkey|cmstp|cscript|csvde"
    rb"|dcdiag|diskpart|dnscmd|doskey|driverquery|dsquery|esentutl|findstr|forfiles|fsutil|ftype|getmac"
    rb"|gpresult|icacls|ie4uinit|ipconfig|makecab|mavinject|mofcomp|mshta|msbuild|msiexec|nbtstat"
    rb"|netdom|netsh|nltest"
    rb"|odbcconf|pathping|pcalua|pnputil|presentationhost|psexec|qwinsta|regasm|regedit|regini|regsvcs"
    rb"|regsvr32|robocopy|rundll32|runas|schtasks|scriptrunner|secedit|setx|syncappvpublishingserver"
    rb"|systeminfo|takeown|tasklist|taskkill|tracert|tscon|typeperf|tzutil|vssadmin|w32tm|wbadmin"
    rb"|wevtutil|winrm|winrs|wmic|wscript|xcopy|xwizard|cmd\.exe|powershell)"
)
_SHELL = re.compile(
    (
        rb"(?:^|[;|&\n\r\"'(`<>]|&&|\|\||%0a)[\s\"'(@^,;]{0,16}(?:call\s+"
        rb"|start\s+)?(?:[a-z]:[\\/][\w.\\/-]{0,80}[\\/])?"
    )
    + _SURE
    + rb"(?:\.exe|\.com|\.cmd|\.bat)?(?:[\s/,;|&<>\"'`-]|$)",
    re.IGNORECASE,
)
_WEAK = re.compile(
    rb"(?:[;|&\n\r`]|&&|\|\|)[\s\"'(@^,;]{0,8}"
    + _CMD
    + (
        rb"(?:\.exe)?(?:\s+(?:/[a-z?]{1,12}\b|[a-z]:[\\/]|%\w+%|\\\\\w|-[a-z]\w{0,10}\b|\d{1,3}\.\d{1,3}\."
        rb"|\"[^\"]{0,60}\"(?=\s*(?:$|[&|>;]))|\d{1,2}:\d\d|>|user\b|localgroup|view\b|share\b|use\b|start\b|query\s+hk"
        rb"|add\s+hk|delete\s+hk|stop\b)|/[a-z]\s|\.\\)"
    ),
    re.IGNORECASE,
)
_ALWAYS = re.compile(
    rb"\bcmd(?:\.exe)?\s*(?:/[a-z]\s*|\s){0,4}/[ckr]\b|\bpowershell(?:\.exe)?\s+(?:-|/|[a-z]:|\w+-\w+"
    rb"|\(|&|\"|')|\bpwsh\s+-|%(?:systemdrive|systemroot|windir|comspec|programfiles|appdata"
    rb"|userprofile|username|userdomain|computername|temp|tmp|path|homedrive|cd"
    rb"|pathext)(?::~?[\w,-]{0,12})?%"
    rb"|\bfor\s+(?:/[dlrf]\s+){0,4}(?:\"[^\"]{0,60}\"\s*|[^\s%]{1,60}\s+)?%{1,2}\S{1,30}\s+in\s*\("
    rb"|\bif\s+(?:/i\s+)?(?:not\s+)?(?:exist\s+|defined\s+|errorlevel\s+"
    rb"|cmdextversion\s+)\S{1,200}[\s;(]|(?:^|[;|&(]\s*)if(?:\s+"
    rb"|(?=/))(?:/i\s+)?(?:not\s+)?[\"'\[{(]?[\w\ %!:~,/?-]{0,"
    rb"60}[\"'\]})]?\s*(?:===?(?=[\s\w\"'\[({%])(?!=)|\b(?:equ|neq|lss|leq|gtr"
    rb"|geq)\b)(?![^\n]*:\s*(?:\n|$))(?!\s*[\w'\".]{1,40}\s*\n)"
    rb"|\bnet(?:\.exe)?\s+(?:user|localgroup|group|view|share|use|accounts|start|stop"
    rb"|session)\s+[/\w\\*]|\breg(?:\.exe)?\s+(?:add|query|delete|save|export)\s+hk"
    rb"|\bcertutil\b.{0,40}-(?:urlcache|decode|encode)|\bbitsadmin\s+/transfer|\brundll32\b.{0,60},"
    rb"|\bregsvr32\b.{0,40}/i:|\bwmic\s+(?:process|os|service|useraccount|/)"
    rb"|\bvssadmin\s+delete|\bschtasks\s+/|\bmshta\s+(?:http|vbscript|javascript)|\\system32\\(?:cmd"
    rb"|config|drivers|windowspowershell)|\btype\s+(?:%|[a-z]:\\|\\\\)|\bdir\s+(?:/[a-z]\b|[a-z]:\\)"
    rb"|\bdel\s+/[fsq]\b|\bcopy\s+[a-z]:\\|\becho\s+%\w+%",
    re.IGNORECASE,
)
_VERBS: Final = (
    rb"(?:add|approve|assert|backup|block|build|checkpoint|clear|close|compare|complete|compress"
    rb"|confirm|connect|convert|convertfrom|convertto|copy|debug|deny|deploy|disable|disconnect"
    rb"|dismount|edit|enable|enter|exit|expand|export|find|flush|foreach|format|get|grant|group|hide"
    rb"|import|initialize|install|invoke|join|limit|lock|measure|merge|mount|move|new|open|optimize|out"
    rb"|ping|pop|protect|publish|push|read|receive|redo|register|remove|rename|repair|request|reset"
    rb"|resize|resolve|restart|restore|resume|revoke|save|search|select|send|set|show|skip|sort|split"
    rb"|start|step|stop|submit|suspend|switch|sync|tee|test|trace|unblock|undo|uninstall|unlock"
    rb"|unprotect|unpublish|unregister|update|use|wait|watch|where|write)"
)
_NOUNS: Final = (
    rb"(?:aduser|adcomputer|adgroup|alias|authenticodesignature|bitstransfer|bitsfile|breakpoint"
    rb"|childitem|ciminstance|cimmethod|cimsession|clipboard|command|computer|computerinfo|content"
    rb"|counter|credential|csv|culture|custom|date|debug|default|dscresource|error|event|eventlog"
    rb"|executionpolicy|expression|file|filehash|formatdata|gridview|help|history|host|hotfix|html"
    rb"|information|input|installedmodule|item|itemproperty|job|json|list|localgroup|localuser|location"
    rb"|mailmessage|member|module|mppreference|netadapter|netfirewallrule|netipaddress|nettcpconnection"
    rb"|null|object|output|packageprovider|path|printer|process|progress|property|psbreakpoint|psdrive"
    rb"|psprovider|psreadline\w*|psrepository|pssession|pssessionconfiguration|random|restmethod"
    rb"|scheduledtask|schedulejob|script|securestring|service|shortcut|smbshare|string|table"
    rb"|tracesource|transaction|transcript|type|typedata|uiculture|unique|uri|variable|verbose|warning"
    rb"|webrequest|webserviceproxy|wmievent|wmimethod|wmiobject|wsman\w*|xml|zone|archive|acl|volume"
    rb"|disk|partition|guid|timespan|nettcpsetting|connection|computerrestore|computersecurechannel"
    rb"|eventsubscriber|markdown|bitlocker\w*|dnsname|tempfile|controlpanelitem|mimikatz|shellcode"
    rb"|psexec|powershelltcp|clixml|runspace\w*)"
)
_CMDLET = re.compile(
    rb"(?<![\w/-])"
    + _VERBS
    + rb"-"
    + _NOUNS
    + rb"(?:$|(?=\s+(?:-[a-z]|[$\"'(@/\\]|[a-z]:|https?:|[\w.]+\s*(?:$|[|;-]))|\s*[|;)&}]))",
    re.IGNORECASE,
)
_POWER = re.compile(
    rb"\[(?:system\.|convert\]|text\.encoding|reflection\.|runtime\.interopservices|io\.(?:file|stream"
    rb"|compression)|net\.(?:webclient|servicepointmanager|sockets))|(?<![\w-])new-object(?![\w-])|\.download(?:string"
    rb"|file|data)\s*\(|\bfrombase64string\b|\biex\s*[(\"'$&]|\biex\b\s+\w|\b(?:iwr|irm|iwmi|ipmo|gwmi"
    rb"|icm|saps|sajb|rwmi|nsn|etsn)\s+(?:-\w|https?:|[\"'$(/\\])"
    rb"|(?:^|[\s/])-(?:enc(?:odedcommand)?|e)\s+[a-z0-9+/=]{16,}|-(?:executionpolicy|ep"
    rb"|exec)\s+(?:bypass|unrestricted)|-w(?:indowstyle)?\s+hidden|-nop(?:rofile)?\b.{0,20}-|\$env:\w"
    rb"|\$psversiontable|\|\s*iex\b|\badd-type\b|\bstart-process\b",
    re.IGNORECASE,
)
_DISGUISE: Final = bytes.maketrans(b",;", b"  ")


def detect(text: bytes, *, alone: bool = True, hot: Gates = EVERYTHING, scan: Scan = everything) -> bytes | None:
    """The piece of one reading that ``cmd`` would run, None for none."""
    text = text[:8192]
    if not alone and lengthy(text):
        return None
    for plain in (text, text.translate(None, b"^\"'")):
        hot = hot if plain == text else scan(plain)
        for pattern, gate in ((_ALWAYS, _ALWAYS), (_SHELL, _SHELL), (_WEAK, _WEAK_GATE)):
            match = pattern.search(plain) if gate in hot else None
            if match is not None and not (match.start() > 0 and lengthy(text)):
                return match.group().strip()[:128]
        if b"^" not in text and b'"' not in text and b"'" not in text:
            break
    return None


def powershell(text: bytes, *, alone: bool = True, hot: Gates = EVERYTHING) -> bytes | None:
    """The piece of one reading that PowerShell would run, None for none."""
    if (
        b"-" not in text
        and b"[" not in text
        and b"$" not in text
        and b"(" not in text
        and b"ie" not in text.lower()
        and b"iw" not in text.lower()
    ):
        return None
    plain = b"`" in text
    text = text[:8192].replace(b"`", b"")
    if not alone and lengthy(text):
        return None
    if _CMDLET not in hot and _POWER not in hot and not plain:
        return None
    match = _CMDLET.search(text)
    if match is not None and match.end() == len(text) and match.start() == 0 and not match.group()[:1].isupper():
        match = None
    if match is not None and match.start() > 40 and lengthy(text):
        match = None
    match = match or _POWER.search(text)
    return match.group().strip()[:128] if match is not None else None


_CARETS = re.compile(rb"\w[\^\"'`]+\w|,;|;,")
_WEAK_GATE = re.compile(rb"[;|&\n\r`][\s\"'(@^,;]*" + _CMD + rb"(?:\.exe)?[\s/.]", re.IGNORECASE)
GATES: Final = (_ALWAYS, _SHELL, _WEAK_GATE, _CMDLET, _POWER, _CARETS)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
