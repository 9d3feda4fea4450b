"""Commands of Unix shells: what a value would run that an application hands to ``sh``.

A command is found where a shell looks for one (after ``;``, ``|``, ``&``, a line break, inside ``$(...)`` and backticks, at the
start of a value) once the shell's own disguises are undone: quotes and backslashes inside words, empty expansions, ``${IFS}``,
brace lists, globs. A word that is also English (``find``, ``time``, ``more``) counts only with what commands have and prose has
not: an option, a path, a redirection.
"""

from __future__ import annotations

import re
from typing import Final

from garrison.edge.inspect.detect.normal import EVERYTHING, Gates, Scan, everything, lengthy, words


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


COMMANDS: Final = _words(
    "rmt rmt-tar rmt-dump lastlogin chef chef-vault chef-shell chef-run chef-client cscli "
    "ansible-doc ansible-inventory ansible-pull 7z 7za 7zr aa-exec aa-disable ab adduser addgroup "
    "agetty alpine ansible ansible-playbook ansible-console ansible-galaxy ansible-config "
    "ansible-vault apache2 apachectl "
    "apt apt-get apt-cache aptitude arj arping aria2c arp ascii-xfr ascii85 aspell atobm autossh awk "
    "base32 base58 base64 basename basenc bash bashbug batch bconsole bpftrace bridge bsdcat bsdiff "
    "bsdtar "
    "bunzip2 busybox byebug byobu bzcat bzcmp bzdiff bzegrep bzexe bzfgrep bzgrep bzip2 bzip2recover "
    "bzless bzmore bz2 c89 c99 cancel capsh cc certbot cewl chattr chmod chgrp chown chroot clang "
    "clisp cmp cobc composer cowsay cowthink cpan cpio cpulimit crash crontab csh csplit csvtool "
    "cupsfilter curl cyclonedx-bom dash dd dhclient dialog diff dig dmesg dmsetup dmidecode dnf "
    "docker dockerd dosbox dpkg dstat du dvips "
    "easy_install easyrsa ebtables echo ed efax egrep eqn espeak ethtool exiftool expand facter "
    "fdisk fgrep finger fish flock fmt fping ftpstats ftp ftpwho fuser gawk gcc gcore g++ gdb gem "
    "genie genisoimage getent gethostip getfacl ghc "
    "gimp ginsh gpg gpasswd grep groupmod grub-install gtester gunzip gzcat gzexe gzip hexdump "
    "hexedit hg highlight hostid hostname hping3 htdigest htop htpasswd httpd iconv iftop ifconfig "
    "ifdown ifup install-info ionice ip ip6tables iperf3 iptables iptables-save irb ispell iwconfig "
    "java javac jjs jrunscript journalctl jps julia kill killall ksh ksshell kubectl latex latexmk "
    "ldconfig ldd less lessecho lessfile lesspipe lftp lftpget linux32 linux64 ln logname logsave "
    "losetup lpadmin lpr lsb_release lscpu lshw "
    "lsattr lsblk lsmod lsns lsof lspci lsusb ls ltrace lua lualatex luajit luatex lwp-dump "
    "lwp-mirror lwp-request lxc lynx lz4 lz4c lz4cat lzcat lzcmp lzdiff lzegrep lzfgrep lzgrep "
    "lzless lzma lzmadec lzmainfo lzmore lzop "
    "mailx mawk md5sum mkdir mkfifo mknod mkpasswd mktemp mlocate modprobe mosquitto msfconsole "
    "msgattrib msgcat msgconv msgfilter msgmerge msguniq mtr multitime mutt mv mycli mysql "
    "mysqladmin mysqldump mysqldumpslow mysqlhotcopy mysqlshow nano nasm nawk nc ncat ncdu "
    "neofetch netcat netkit-ftp netplan netstat newgrp nft nginx nmap node nohup nologin npm npx "
    "nroff nsenter nslookup nstat ntpdate nvim octave od openssl openvpn openvt opkg pacman pandoc "
    "parted passwd patch pax pdb pdflatex pdftex perf perl perlsh pg_dump pgrep php php-cgi php-fpm "
    "phar "
    "php5 php7 php8 pidstat pidof pigz pinky pip pip3 pkexec pkg pkg_info pkill popd poweroff "
    "printenv printf ps psed psftp psql pstree ptx puppet pushd pwd pxz python python2 python3 "
    "python2.7 pypy pyversions qemu quota rake ranlib rbash rdiff readelf readlink realpath reboot "
    "recode red redcarpet redis-cli rename "
    "replace renice restic rlogin rlwrap rm rmdir rmuser rpm rpmdb rpmquery rpmverify rsh rsync "
    "rsyslogd ruby run-mailcap run-parts rustc rvim rview scp scanmem scrot sdiff sed sendmail "
    "service setarch setfacl setsid sftp sg sh sh.distrib shadow sha1sum sha256sum shuf shutdown "
    "smbclient snap socat socket softlimit "
    "soelim sqlite3 sqlmap ss ssh ssh-keygen ssh-keyscan ssh-agent sshd sshpass start-stop-daemon "
    "stdbuf strace strings su sudo svn sysctl syslog systemctl systemd-resolve tac tar tarsync "
    "tasksh taskset tbl tclsh tcpdump tcping tcptraceroute tcsh tee telnet terraform tex tftp tic "
    "timedatectl timeout tmate tmux touch traceroute traceroute6 troff truncate tshark ul umount "
    "uname uncompress unexpand uniq unlink unlzma unlz4 unpigz unrar unset unshare unxz unzip unzstd "
    "update-alternatives uptime uudecode uuencode useradd userdel usermod "
    "valgrind vgimport vigr vipw vim vimdiff virsh visudo vmstat volatility w3m wall watchdog wget "
    "whereis whiptail whoami whois wireshark wish x86_64 xargs xdotool xelatex xetex xmodmap xmore "
    "xpad xterm xxd xz xzcat xzcmp xzdec xzdiff xzegrep xzfgrep xzgrep xzless xzmore "
    "yarn yelp yum zathura zcat zcmp zdiff zegrep zfgrep zgrep zip zipcloak zipcmp zipdetails "
    "zipgrep zipinfo zipmerge zipnote zipsplit ziptool zless zmore zrun zsh zsoelim zstd zstdcat "
    "zstdgrep zstdless zstdmt zypper who.distrib hostnamectl ifenslave env unzipsfx egrep setenforce "
    "getenforce iwlist lastb lastlog fc fold column comm cat kmod gcc-10 "
    "dwssap vi ex rev nl id arch base16 crs"
)
ENGLISH: Final = _words(
    "at batch cancel cat cc chat column comm composer crash cut date dash dialog dig diff docker du "
    "echo ed env eval ex exec exit expand export expr fc file find finger fish fold free genie grep "
    "head help highlight history host hostname id install ip "
    "java join jobs julia kill last less link local locate login look mail make man mesg more mount "
    "move mv nano nice nl node od open opera paste patch pic ping pip pkg print printf pr puppet "
    "python ps quota rake rename replace reset rev rm ruby run "
    "script screen sed service set sh shadow shutdown sleep sg snap socket sort source split ss stat "
    "strings strip su sum sync tail tar task tbl tee telnet test tex tic time timeout top touch tr "
    "tree true type ul unset uptime users vi view w wall watch watchdog wc "
    "which while who whois write xterm yarn yelp yes zip cd cp ls ln pwd dd alias bg fg trap umask "
    "unlink wait arp ab as arch ar c89 bc bridge perl php apt gem npm ftp lua rpm red dir gimp perf "
    "crontab sudo batch cpan pax pdb facter certbot espeak terraform ansible curl nginx mysql vim "
    "git go"
)
_SEPARATOR: Final = rb"(?:[;\n\r|]|&&?|\$\(+|`|[<>]\(|\bdo\s|\bthen\s|\belse\s|\{\s)"
_ASSIGN: Final = rb"(?:\w{1,40}=(?:'[^']{0,80}'|\"[^\"]{0,80}\"|[^\s;|&'\"]{0,80})\s+)?"
_PREFIX: Final = (
    rb"(?:(?:sudo|time|nohup|exec|env|command|builtin|nice|busybox|timeout\s+\d+|eval|xargs|!|\."
    rb"|\$\w{1,3})\s+(?:-\S{1,20}\s+){0,2}){0,3}"
)
_PATHS: Final = rb"(?:/(?:[\w.*?\[\]-]{1,40}/){0,5})?"
_COMMAND = re.compile(
    rb"(?:^|"
    + _SEPARATOR
    + rb")[\s\"'(@{,]{0,16}"
    + _ASSIGN
    + _PREFIX
    + _PATHS
    + rb"([\w.][\w.+-]{0,23})(?=([\s;|&<>)`\"'\\,}$/*?(\[]|$)([\s\S]{0,80}))",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    rb"\$[@*!?\-_#\d]|\$\{[@*!?#]\}|\$[a-z]\b(?=[a-z/\s.])|\$\{[a-zA-Z_]\}|``|\\\n|\^(?=\w)|\$u"
    rb"|\$\(\s*(?:echo)?\s*\)|\$\{\w{1,12}:\d{1,3}:\d\}"
)
_IFS = re.compile(rb"\$\{?IFS[^}\s/]{0,20}\}?(?:\$\d)?|\$\{IFS%\?\?\}", re.IGNORECASE)
_BRACES = re.compile(rb"\{([\w./,?*'\"$@:-]{2,200})\}")
_QUOTED = re.compile(
    rb"(?<=[\w/.])(?:''|\"\")+(?=[\w/.])|(?<=\w)\\(?=\w)|\$(?='|\")"
    rb"|(?<![\w])'([\w/.-]{1,20})'(?=[\w./])|(?<![\w])\"([\w/.-]{1,20})\"(?=[\w./])"
    rb"|(?<=[\w/])'([\w/.*?-]{1,20})'|(?<=[\w/])\"([\w/.*?-]{1,20})\""
)
_ARGUMENT = re.compile(
    (
        rb"\s+(?:-{1,2}[a-z]|\+[a-z]|/[\w.*?]|~/|\$[\w({@*]|\.{1,2}/|[\w.*?-]+/[\w.*?/]|\*\.?\w{0,5}(?:$"
        rb"|[\s|;])|[<>|]|[\"'][^\"']{0,60}[/$|`-]|https?://|\d{1,3}\.\d{1,3}\.\d{1,3}\.|[\w.-]+\.(?:txt"
        rb"|php|sh|log|py|pl|conf|ini|html?|ps1|exe)\b|\d+\s*$)|\s*(?:[<>|;]|&&|\|\||$)"
    ),
    re.IGNORECASE,
)
_FIRM_ARGUMENT = re.compile(
    (
        rb"[ \t]+(?:-{1,2}[a-z][\w=-]{0,20}\b|\w{1,12}\s+-[a-z]\s+\w|/(?:etc|bin|usr|var|tmp|home|proc|dev"
        rb"|root|opt|\w*[*?])|~/|\$[({\w]|\.{1,2}/|[\w.*?-]*/(?:etc|bin|tmp|passwd)|[\w/*?.]*\*[\w/]"
        rb"|https?://|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d|[\w-]+\.(?:sh|py|pl|php)\b|\d{1,5}[smhd]?\s*(?:$|[;|&)`]))|\s*(?:\|\s*(?:(?:ba|z|da|k"
        rb"|c)?sh|base64|nc|tee|xargs|e?grep|tr|rev|xxd|awk|sed|head|tail|wc|sort|more|less|python\d?|perl"
        rb"|php|id|whoami|curl|wget)\b|>\s*[\w/&]|<\s*[\w/<(]|;\s*\w{2,12}(?:\s|$)|&&\s*\w)|\$[@({\w]|`"
    ),
    re.IGNORECASE,
)
_ALWAYS = re.compile(
    rb"""\(\)\s*\{[\s:]|\$\(\(?\s*(?:[./]\S|<|\d+\s*\)|[\w-]{2,24}\s+[^)]{1,200}\)|[\w-]{2,24}\)\s*$)|^\s*\$\{\w{2,24}\}\s*$|^\s*\$\[\s*\]\s*$|^\s*!-?\d+!-?\d*\s*$|\$\{(?:shell|path|home|pwd|ifs|ld_\w+|bash\w*|hostname|user|random
        |oldpwd|\w+:[-+=?:\d]|[!\#@*]|\w+[%\#/^,]{1,2}[^}]|gcc)|\$shell\b|\$bash\b
    |(?<![\w.-])/(?:usr/)?(?:local/)?s?bin/[\w.*?\[\]{},'"-]|(?<![\w.-])/bin/|/dev/(?:tcp|udp)/|\b(?:ba|da|z|k|c|tc)?sh\s+-[a-z]{0,4}[ci]\b
        |\bsh\s+-i\b|>\s*&\s*/dev|\d>&\d|\bnc(?:at)?\s+(?:-\w+\s+){1,4}|\bmkfifo\s
    |<\([\s]*\w+|>\([\s]*\w+|<<<\s*[\w"'$`(]|\|\s*(?:ba|z|da|k)?sh\b|\|\s*(?:base64|xxd|rev|tac)\b|\|\s*tr\s+['"\[\\-]
    |\{,?(?:[\w./?*$'"\#-]{1,40},){1,6}[\w./?*'"$\#-]{0,40}\}\w?|[\w]\{[\w]{0,12}(?:,[\w]{0,12}){1,4}\}[\w]
    |(?<![\w.^])/\?{1,4}[\w*?/]|(?<![\w.^])/(?:[\w*\[\]]*\?[\w?*\[\]]*|\w+\*[\w*]*|\*+\w[\w*]*)/[\w?*\[\]]*[?*\w]|/\w*\[(?:[\w?*^!]|[!^][\w-]{1,10}|\w-\w
        |\w?/{1,4})\]\w*|\$\[\s*\d[\d+*/\s()%-]*\]|\[[\w?*]\][\w?*]{1,10}/
    |(?:^|[\s;|&`])(?:~[+-]\d*)(?:$|[\s;|&/])|:\s*\(\)\s*\{|[\w.:]{1,40}\s{0,8}\(\)\s{0,8}\{\s{0,8}[\w.:]{1,40}\s{0,8}\|
    |\balias\s+(?:[-+]\S{1,6}\s+)?['"]?[\w.-]{1,20}['"]?=|^\s*\(\)\s*\{|\bbusybox\s+-?\w|^\s*\\\w{2,12}$
        |^ls(?:\s+[\w./*-]+){1,4}$|^(?:usr/)?s?bin/[\w.-]+(?:\s|$)|(?:^|[;&|]\s*)cd\s+/\w*\s*[;&|]|\(\s*(?:ba|z|k
        |da)?sh\s*\)\s*\d?[<>]|\$\w+/(?:tcp|udp)/|\bcat\s*<|\bcat\s+/|\bcat\$|(?:^
        |[;|&])\s*(?:\w{1,20}=[\w$'"{}\[\]\\/]{1,60})\s*(?:;|&&?)\s*["']?\w{0,6}\$
    |\$\w+\s+-[a-z]|\bimport\s+os\b|\bset\s+-o\s+history|\b(?:wget|curl)\s+(?:-\w+\s+){0,4}["']?(?:https?://|ftp://
        |\d{1,3}\.\d|[\w-]+\.[\w.-]+/)|\bchmod\s+[+0-7u]
    |\b(?:uname|whoami|ifconfig)\s*(?:-[a-z]|[;|&`)]|$)|\brm\s+-[rf]{1,2}\b|\bfor\s+\w+\s+in\b.{1,60};\s*do\b
        |\bwhile\s+(?:true|:)\s*;\s*do\b|\bif\s+\[{1,2}\s.{1,80}\];?\s*then\b
    |[;|&]\s*\.\s+\w+\s|\\n\.\s?(?:shell|system|databases)|(?:^|[;\n'"\\])\s*\.[\s\\'"]{0,3}(?:shell|system|databases
        |import|read|dump|output|load|once|sh)\b
    |\b(?:system|exec|popen|passthru|shell_exec)\s*\(\s*['"]\s*(?:echo|cat|ls|id|cd|wget|curl|uname|whoami|rm)\b
        |^--(?:output|exec|config|upload-pack|receive-pack|use-compress-program|checkpoint-action|to-command|rsh)=\S
        |^-o\s?proxycommand|\bdd\s+if=|\bssh\s+[\w.-]+@""",
    re.IGNORECASE | re.VERBOSE,
)
_MAIL = re.compile(
    rb"[\r\n]\s{0,4}(?:(?:ehlo|helo|mail\s+from:?|rcpt\s+to:?|vrfy|expn|etrn)\b[\s:]{0,3}[\w.<\[*]|help(?:\s+\w{4})?\s*$|turn\s*$|data\s*$|quit\s*$|noop\s*$|rset\s*$|starttls\s*$"
    rb"|[a-z]{0,4}\d{1,6}\s+(?:append|authenticate|uid|status|fetch|store|search|select|examine|login"
    rb"|list|lsub|copy|create|delete|expunge|check|close|logout|capability|starttls|idle)\b|(?:retr"
    rb"|dele|top|apop|auth|user|pass|uidl|list)\s+[\w=.-]+(?:\s+[\w=.-]+)?\s*$)",
    re.IGNORECASE,
)


def undisguise(text: bytes) -> bytes:
    """A command line as a shell reads it: quotes inside words and empty expansions undone, brace lists written out."""
    text = _IFS.sub(b" ", text)
    text = _EMPTY.sub(b"", text)
    text = _QUOTED.sub(lambda found: next((each for each in found.groups() if each), b""), text)
    if b"{" in text:
        text = _BRACES.sub(lambda found: found[1].replace(b",", b" ").strip(), text)
    return text


def detect(
    text: bytes, *, alone: bool = True, start: bool = True, hot: Gates = EVERYTHING, scan: Scan = everything
) -> bytes | None:
    """The piece of one reading that a shell would run, None for none.

    ``alone`` says that the value stands for itself (it is no prose and no file); ``start`` that a command may begin at its start.
    """
    text = text[:8192]
    if lengthy(text):
        found = _inlengthy(text) if _GRAVE in hot else None
        if found is not None or not alone or text.lstrip(b" ")[:1] not in _FIRST:
            return found
        text = text[:OPENING]
        hot = scan(text)
    match = (_ALWAYS in hot and _ALWAYS.search(text)) or (_MAIL in hot and _MAIL.search(text)) or None
    if match is not None and not _quoted_code(text, match):
        return match.group().strip()[:128]
    plain = undisguise(text) if _DISGUISED in hot else text
    found = None
    now = hot if plain == text else scan(plain)
    if any(gate in now for gate in _COMMAND_GATES):
        found = _commands(plain, start=start, disguised=plain != text)
    if found is not None:
        return found
    if plain != text and _ALWAYS in now:
        match = _ALWAYS.search(plain)
        return match.group().strip()[:128] if match is not None and not _quoted_code(plain, match) else None
    return None


_FIRST: Final = frozenset({b";", b"|", b"&", b"`", b"$", b"'", b'"', b"(", b"\n", b"\r", b"/"})
"""What a value begins with that ends an application's own command."""
OPENING: Final = 200
"""Bytes of a long text in which a command must begin."""


def _inlengthy(text: bytes) -> bytes | None:
    """Of prose and code that shows commands, only what takes over: a reverse shell, a download that is run, a shell bug."""
    match = _GRAVE.search(text)
    return match.group()[:128] if match is not None else None


_GRAVE = re.compile(
    (
        rb"\(\)\s*\{\s*:?;?\s*\}\s*;|/dev/(?:tcp|udp)/[\w.]+/\d|\bbash\s+-i\s*>&"
        rb"|\bnc(?:at)?\s+(?:-\w+\s+)*-e\s|\|\s*nc\s+\d|\bmkfifo\s+/tmp|(?:wget"
        rb"|curl)\s[^\n|;]{1,200}\|\s*(?:ba)?sh\b(?!\s*-s)[^\n]*;\s*rm|cat\s+/etc/(?:passwd|shadow)\s*[|>]"
        rb"|;\s*(?:cat|less)\s+/etc/passwd"
    ),
    re.IGNORECASE,
)


def _quoted_code(text: bytes, match: re.Match[bytes]) -> bool:
    """Whether what matched stands in code or prose of many lines."""
    return lengthy(text) and _GRAVE.search(text) is None and match.start() > 0


def _commands(text: bytes, *, start: bool, disguised: bool) -> bytes | None:
    position = 0
    while True:
        match = _COMMAND.search(text, position)
        if match is None:
            return None
        position = match.start() + 1
        at_start = match.start() == 0 and text[:1] not in b";|&`\n\r$<>"
        if at_start and not start:
            continue
        word = match[1].lower().rstrip(b".")
        base = _VERSION.sub(b"", word)
        if base not in COMMANDS and word not in COMMANDS and word not in ENGLISH:
            continue
        if _plausible(text, match, word, at_start=at_start, disguised=disguised):
            return match.group().strip()[:128]


_RARE = re.compile(rb"visudo|python\d[\d.]+|cscli|chef-\w+|ansible-\w+|bsdtar|zstdcat|aa-\w+")
_VERSION = re.compile(rb"(?<=[a-z])-?\d[\d.]*$")
_STANDALONE: Final = _words(
    "whoami ifconfig uname netstat printenv lsof lsblk lscpu iptables pstree hostid dmesg aptitude "
    "env ps set top id pwd ls uptime vmstat lsmod logname ping sleep cat su sh"
)


def _inline(text: bytes, position: int) -> bool:
    """Whether a backtick opens or closes a piece of code in prose, as Markdown has them."""
    end = text.find(b"`", position + 1)
    before = text[position - 1 : position]
    outside = text[:position].split() + (text[end + 1 :].split() if end > 0 else [])
    if len(outside) < 2:
        return False
    return text.count(b"`", 0, position) % 2 == 1 or (
        (position == 0 or before in b" \n(*-|") and text[end + 1 : end + 2] in b" \n.,;:)!?*|'s"
    )


def _plausible(text: bytes, match: re.Match[bytes], word: bytes, *, at_start: bool, disguised: bool) -> bool:
    """Whether a word that names a command stands as one."""
    after = text[match.end(1) :].lstrip(b"'\"")
    separator = text[match.start() : match.start() + 2]
    if separator[:1] == b"`" and _inline(text, match.start()):
        return False
    short = match.start(1) <= 2 and text[:1] in {b";", b"|", b"&", b"\\"}
    if (
        (short and not text[: match.start(1)].strip(b";|& \\") and not after.strip())
        or (b"/" in text[match.start() : match.start(1)] and word in COMMANDS)
        or (_BROKEN_OUT.fullmatch(text, 0, match.start(1)) is not None and _few(after, separator))
    ):
        return True
    english = word in ENGLISH
    if separator[:1] == b"|" and after[:1] == b"|" and text.count(b"|") > 2 and text[match.start() - 1 : match.start()].isalnum():
        return False  # a choice: `add|remove|list`
    if at_start:
        return _starts(word, after, english=english, disguised=disguised)
    return _english(separator, word, after) if english else _follows(separator, after)


# What a value begins with that ends an application's command at once: a separator alone, or behind an operand's end.
_BROKEN_OUT = re.compile(rb"\s*(?:[\w.-]{0,3}|\d[\w.:]{0,40}|[\w.]{0,24}['\"]|[\w.]{0,24}\))\s?(?:;|\|\|?|&&?)\s?")


def _few(after: bytes, separator: bytes) -> bool:
    """Whether no more follows than a command has: prose that goes on for words does not, nor does a table."""
    tail = after.partition(b";")[0]
    if separator[:1] == b"|" and separator != b"||":
        return words(tail) <= 2 and tail.count(b"|") < 2
    if separator[:1] == b"&" and separator != b"&&":
        return words(tail) == 0 and separator[1:] in {b"", b" "}
    return words(tail) <= 2 or (words(tail) <= 8 and _SHELLISH.search(tail) is not None)


def _starts(word: bytes, after: bytes, *, english: bool, disguised: bool) -> bool:
    """Whether a value begins with a command."""
    if english and len(word) <= 2 and after[:1] in {b"$", b"`"}:
        return False
    if _FIRM_ARGUMENT.match(after) is not None:
        return not (english and words(after) >= 3 and _SHELLISH.search(after) is None)
    if english:
        return False
    rare = _RARE.fullmatch(word) is not None or (b"-" in word and after.count(b" ") <= 4 and _ARGUMENT.match(after) is not None)
    return rare or (disguised and _ARGUMENT.match(after) is not None)


_SHELLISH = re.compile(rb"\s-{1,2}\w|[|;&`$<>*?]|/(?:etc|bin|usr|proc|tmp|dev)/")


def _in_query(separator: bytes) -> bool:
    """Whether ``&`` rather begins an argument of a query string: ``&id=4``."""
    return separator[:1] == b"&" and separator != b"&&" and separator[1:].isalpha()


def _english(separator: bytes, word: bytes, after: bytes) -> bool:
    """Whether an English word after a separator is a command: it has what commands have and prose has not."""
    if _FIRM_ARGUMENT.match(after) is not None:
        return True
    if _in_query(separator) or separator[:1] in {b"\n", b"\r"} or separator == b"; ":
        return False
    bare = not after.strip(b" \t\r\n;|&`)\"'") and word in _STANDALONE
    return bare or (separator[:1] == b"`" and b"`" in after[:40]) or (separator == b"$(" and b")" in after)


def _follows(separator: bytes, after: bytes) -> bool:
    """Whether a word that is no English, after a separator, is a command."""
    if _FIRM_ARGUMENT.match(after) is not None:
        return True
    if _in_query(separator):
        return not after.strip()
    if separator[:1] in {b"\n", b"\r"} or separator == b"; ":
        return after.count(b" ") <= 5 or _ARGUMENT.match(after) is not None
    if separator[:1] == b"|" and after.count(b" ") <= 2:
        return True
    ends = not after.strip(b" \t\r\n;|&`)\"'}")
    return ends or _ARGUMENT.match(after) is not None or separator == b"$(" or separator[:1] == b"`"


# Where a shell would look for a command, and what disguises one.
_NAMES: Final = (
    rb"(?:" + b"|".join(re.escape(each) for each in sorted(COMMANDS | ENGLISH)) + rb")-?[\d.]*(?:[\s;|&<>)`\"'\\,}$/*?(\[-]|$)"
)
_COMMAND_GATES: Final = (
    re.compile(rb"(?:[;\n\r|&`({/]|\$\()[\s\"'(@{,]*" + _NAMES, re.IGNORECASE),
    re.compile(rb"^[\s\"'(@{,]*" + _NAMES, re.IGNORECASE),
    re.compile(
        (
            rb"(?:^|[;\n\r|&`({])\s*(?:sudo|time|nohup|exec|env|command|builtin|nice|busybox|eval|xargs|timeout"
            rb"|!|\.|\w+=\S*)\s[\s\S]{0,24}"
        )
        + _NAMES,
        re.IGNORECASE,
    ),
)
# Whatever :func:`undisguise` changes has one of these: what its patterns look for, without what must stand around it.
_DISGUISED = re.compile(
    rb"\^\w|\$\S|``|\\\n|\w\\\w|[\w/.](?:''|\"\")|['\"][\w/.-]{1,20}['\"][\w./]|[\w/]['\"][\w/.*?-]{1,20}['\"]"
    rb"|\{[\w./,?*'\"$@:-]{2}"
)
GATES: Final = (_ALWAYS, _MAIL, _GRAVE, *_COMMAND_GATES, _DISGUISED)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
