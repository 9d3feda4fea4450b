"""PHP: code, its dangerous functions as calls, its request variables, serialized objects, stream wrappers, uploaded scripts."""

from __future__ import annotations

import re
from typing import Final

from garrison.edge.inspect.detect.normal import EVERYTHING, Gates, Scan, everything, lengthy, words


def _words(text: str) -> bytes:
    return b"|".join(sorted(text.encode().split(), reverse=True))


_HIGH: Final = _words(
    "apache_child_terminate apache_setenv array_diff_uassoc array_diff_ukey array_filter "
    "array_intersect_uassoc array_map array_reduce array_udiff array_uintersect array_walk "
    "array_walk_recursive assert_options base64_decode base64_encode bzcompress bzdecompress bzopen "
    "bzread "
    "call_user_func call_user_func_array call_user_method chgrp chroot convert_uudecode "
    "convert_uuencode create_function ctype_alnum curl_exec curl_file_create curl_init "
    "curl_multi_exec curl_setopt debug_backtrace debug_print_backtrace debug_zval_refcount dl "
    "dns_check_record eio_busy error_reporting escapeshellarg escapeshellcmd "
    "eval exec exif_imagetype expect_popen extension_loaded extract fgetcsv fgets fgetc fileatime "
    "filectime file_exists file_get_contents filegroup fileinode filemtime fileowner fileperms filesize "
    "file_put_contents finfo_open fnmatch fopen fpassthru fputcsv fputs fread fscanf fsockopen "
    "ftp_connect ftp_exec ftp_get ftp_login ftp_put fwrite "
    "func_get_args func_get_arg function_exists get_cfg_var get_current_user get_defined_constants "
    "get_defined_functions get_defined_vars get_included_files getcwd getenv getimagesize getlastmod "
    "getmyinode getmypid getmyuid gethostbyname gethostbyaddr gethostname getservbyname glob "
    "gmp_random gzcompress gzdecode gzdeflate gzencode gzfile gzinflate gzopen gzpassthru gzread "
    "gzuncompress gzwrite "
    "hash_file hash_hmac_file hash_update_file highlight_file highlight_string "
    "htmlspecialchars_decode html_entity_decode image2wbmp imagecreatefromgif imagecreatefromjpeg "
    "imagecreatefrompng imagecreatefromwbmp imagecreatefromxbm imagecreatefromxpm imagegd imagegd2 "
    "imagegif imagejpeg imagepng include_once ini_get ini_get_all ini_set is_a is_callable is_dir "
    "is_executable is_file is_link is_readable is_uploaded_file is_writable is_writeable "
    "iterator_apply "
    "lchgrp lchown linkinfo lcg_value libxml_disable_entity_loader load_file lstat mb_ereg_replace "
    "mb_eregi_replace mb_parse_str mb_send_mail mcrypt_decrypt md5_file method_exists mkdir mkfifo "
    "move_uploaded_file mysql_query mysqli_query mysqli_connect mysql_connect mysql_pconnect "
    "ob_clean ob_end_flush ob_get_contents ob_start odbc_exec odbc_execute odbc_result opendir "
    "openlog parse_ini_file parse_ini_string parse_str passthru "
    "pcntl_alarm pcntl_exec pcntl_fork pfsockopen pg_connect pg_execute pg_query php_check_syntax "
    "php_sapi_name php_strip_whitespace php_uname phpinfo phpversion phpcredits popen posix_getgid "
    "posix_getlogin posix_getpwuid posix_getuid posix_kill posix_mkfifo posix_mknod posix_setuid "
    "posix_ttyname preg_replace preg_replace_callback preg_grep preg_match_all proc_close "
    "proc_get_status proc_nice proc_open proc_terminate putenv "
    "rawurldecode readdir readfile readgzfile readlink readline readline_completion_function "
    "recode_file register_shutdown_function register_tick_function require_once rmdir "
    "runkit_function_add scandir session_set_save_handler session_start session_regenerate_id "
    "set_error_handler set_exception_handler set_include_path set_magic_quotes_runtime "
    "set_time_limit sha1_file shell_exec show_source simplexml_load_file simplexml_load_string "
    "socket_connect socket_create "
    "spl_autoload_register sqlite_array_query sqlite_exec sqlite_open sqlite_query "
    "sqlite_single_query stream_context_create stream_get_contents stream_socket_client "
    "stream_socket_server stripslashes str_rot13 strip_tags syslog sys_get_temp_dir sys_getloadavg "
    "tempnam tmpfile touch uasort uksort unserialize urldecode usort utf8_decode var_dump var_export "
    "xml_parse xml_parse_into_struct xml_set_character_data_handler zend_thread_id zlib_decode "
    "zlib_encode zip_open wp_insert_user wp_remote_get "
    "array_diff array_diff_assoc array_intersect array_key_exists array_merge array_push array_shift "
    "array_pop array_search array_slice array_splice array_unique array_values date_add "
    "date_default_timezone_set date_create date_parse "
    "get_object_vars get_class_methods get_parent_class get_resource_type is_numeric is_string "
    "is_array is_object json_decode json_encode str_replace str_split strrev str_repeat substr_count "
    "substr_replace ucwords lcfirst nl2br chunk_split str_getcsv str_pad strpbrk strtr sprintf "
    "vsprintf number_format mb_strlen mb_substr mb_convert_encoding mt_rand random_bytes random_int "
    "openssl_decrypt openssl_encrypt openssl_pkcs7_decrypt stream_filter_append "
    "stream_wrapper_register http_build_query "
    "header_register_callback headers_sent setcookie setlocale ldap_connect ldap_get_entries "
    "ldap_search imap_open imap_mail odbc_connection_string_should_quote bcpow checkdate checkdnsrr "
    "symlink serialize unlink is_int usleep print_r"
)
_FAMILIES: Final = (
    rb"(?:pg|odbc|ldap|imap|mysqli?|mssql|oci|sqlite|sodium|tidy|zend|xmlwriter|xmlreader|openssl|posix"
    rb"|pcntl|ftp|snmp\d?|curl|mb|iconv|gmp|bc|ctype|enchant|finfo|gnupg|gzip?|hash|ibase|imagick?|intl"
    rb"|libxml|mcrypt|ob|session|shmop|shm|socket|stream|spl|ssh2|svn|uopz|xdebug|xml"
    rb"|yaml|zip|apcu?|apache|cairo|db2|dba|dbase|exif|fbsql|fdf|gupnp|maxdb|memcache"
    rb"|mqseries|ncurses|newt|opcache|pspell|readline|recode|rrd|runkit7?|trader|wddx|win32|wincache"
    rb"|xattr|xhprof|simplexml|posix|collator|idn|numfmt|normalizer|msgfmt|datefmt|resourcebundle"
    rb"|transliterator|grapheme|fann|geoip|udm|vpopmail|yaz|inotify|igbinary|lzf|bson"
    rb"|mongodb|cubrid|ingres|sqlsrv|dio|rar|solr|stomp|swoole|taint|tcpwrap|uv|varnish"
    rb"|zookeeper|ssdeep|scrypt|mailparse|kadm5|judy"
    rb"|preg|iterator|easter|jd|gregorian|juliantojd|frenchtojd)"
)
_GAP: Final = rb"(?:\s|/\*[^*]{0,80}\*/|(?://|\#)[^\n]{0,80}\n)*"
_CALL = re.compile(rb"(?<![.>:$-])@?(?:" + _HIGH + rb")" + _GAP + rb"=?\(", re.IGNORECASE)
_SHORT: Final = (
    rb"(?:assert|chr|eval|exec|system|file|include|require|passthru|exit|die|ord|pack"
    rb"|unpack|unlink|copy|rename|chmod|chown|mail|define(?!\s*\(\s*\[)|constant|printf|echo|hebrev|opendir|phpinfo"
    rb"|strlen|umask|virtual|stristr|rtrim|crypt|implode|explode|getopt|header|compact|flock|getdate"
    rb"|idate|mktime|nl2br|ucfirst|uniqid|syslog|touch|glob|is_dir|md5|sha1|crc32|bin2hex|hex2bin"
    rb"|dechex|hexdec|strrev|substr|strtolower|strtoupper|str_replace)"
)
_SHORT_CALL = re.compile(
    rb"(?:^|[^\w.>:$-])@?" + _SHORT + _GAP + rb"\(" + _GAP + rb"(?:['\"$@`)]|\d+\s*[,)]|\w{1,30}\s*[.(\[]|array\b)",
    re.IGNORECASE,
)
_ALONE_CALL = re.compile(
    (
        rb"^\s{0,8}[;{(&|'\"@=]{0,3}\s{0,8}@?(?:eval|exec|system|file|assert|chr|passthru|include|require|die|exit"
        rb"|phpinfo|md5|chmod|copy|unlink|rename|mail|ord|pack|define(?!\s*\(\s*\[)|constant|header|glob|symlink|touch"
        rb"|serialize|checkdate|chroot|printf|intval|substr|unpack|sprintf|strlen|implode|explode|strrev"
        rb"|count|trim|list|key|end|crypt|date)"
    )
    + _GAP
    + rb"\(\s*(?:(?:['\"$@`)]|[\w.]{0,80}\s*[(),.\[])[^\n]{0,300})?$",
    re.IGNORECASE,
)
_FAMILY_CALL = re.compile(rb"(?<![\w.>:$-])" + _FAMILIES + rb"_[a-z0-9_]{2,60}" + _GAP + rb"\(", re.IGNORECASE)
_TAG = re.compile(
    (
        rb"<\?(?:php\b|=|\s|$|(?!xml)[\w@$])|<\?xml\s*[(:]|[\[{][/\\]?php[\]}](?!\()|<%\s*(?:echo|eval)"
        rb"|<script\s+language\s*=\s*[\"']?php"
    ),
    re.IGNORECASE,
)
_VARIABLE = re.compile(
    (
        rb"\$\s{0,4}(?:_\s*(?:get|post|cookie|request|server|files|session|env|s\s*erver)|globals"
        rb"|http_(?:\w{3,20}_vars|raw_post_data)|argv|argc|php_errormsg|http_response_header|this\s*->"
        rb"|_php)\b|\$\s*\{\s*(?:['\"$@\\][^}]{0,80}\}|\w{1,40}\s*[(\['\"][^}]{0,80}\}|_[a-z]\w*\})|^\s*\$\s*\{\s*\w{1,40}\s*\}\s*$"
    ),
    re.IGNORECASE,
)
_DYNAMIC = re.compile(
    (
        rb"(?:^|[^\w])@?\${1,3}(?:[a-zA-Z_]\w{0,40}|\{[^}]{1,60}\})(?:\s*(?:\[[^\]]{0,60}\]+|\{[^}]{0,60}\}"
        rb"|->\s*\w{1,40}))*"
    )
    + _GAP
    + rb"\([^)]{0,400}\)"
    rb"|\(\s*(?:string\s*\)\s*)?\{?\[?['\"]?[a-z_][\w.'\"() \[\]\\/*]{0,120}\)*\}?"
    + _GAP
    + rb"(?:\)|\})"
    + _GAP
    + rb"\(\s*['\"$]"
    rb"|^\W{0,4}\(\s*[a-z_]\w+\s*\)\s*\([^()]{0,200}\)\s*;?\s*$"
    rb"|\[\s*['\"]?\w{2,30}['\"]?\s*\]\s*\)?\s*[\[{]\s*\d\s*[\]}]\s*\)?\s*(?:[\[{]\s*\d\s*[\]}]\s*)?\("
    rb"|^\W{0,2}(?:return\s*)?[\"'][\w\\]{2,40}[\"']\s*\(\s*\w+\s*\)|\(\s*string\s*\)\s*[\"'{]"
    rb"|['\"]\s*\.\s*@?\w{2,40}\s*\([^)]{0,200}\)\s*[.;]|\b(?:include|require)(?:_once)?\s*\(?\s*['\"](?:https?:|ftp:|php:|data:)"
    rb"|['\"]\s*\)"
    + _GAP
    + rb"\(\s*['\"]?\w|['\"]"
    + _GAP
    + (
        rb"\(\s*['\"]\w|\[['\"]?\w{2,30}['\"]?\]\[\d\]\s*\}?\s*\("
        rb"|\$\w+\s*=\s*['\"][^'\"]{1,60}['\"]\s*(?:\.\s*['\"][^'\"]{1,60}['\"]\s*)*;"
    ),
    re.IGNORECASE,
)
_OBJECT = re.compile(rb"\b[OoC]:\+?\d{1,6}:[\"'\\]{1,3}[^\"']{1,200}[\"'\\]{1,3}:\d{1,6}:\{|\ba:\d{1,6}:\{(?:i|s):\d")
_WRAPPER = re.compile(
    (
        rb"(?:^|[^\w])(?:(?:php|phar|expect|zlib|glob|ogg|rar|zip|ssh2(?:\.(?:shell|exec|tunnel|sftp|scp))?"
        rb"|compress\.(?:bzip2|zlib|lzma)|bzip2|data|var)://|php:(?:filter|input|memory|temp)"
        rb"|data:(?:[\w/;=+-]{0,60}),?(?:<\?|PD9))"
    ),
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(
    rb"(?:^|[^\w.])(?:allow_url_(?:fopen|include)|arg_separator\.\w+|asp_tags|assert\.\w+"
    rb"|auto_(?:append|prepend)_file|auto_detect_line_endings|auto_globals_jit|browscap|cgi\.\w+"
    rb"|child_terminate|com\.\w+|curl\.cainfo|date\.(?:timezone|default_\w+)|default_(?:charset"
    rb"|mimetype|socket_timeout)|disable_(?:classes|functions)|display_(?:errors|startup_errors)"
    rb"|doc_root|docref_\w+|enable_\w+_\w+|engine(?=\s*=\s*(?:on|off|true|false|[01])\s*$)|error_(?:append_string|log|prepend_string|reporting)"
    rb"|exif\.\w+|expose_php|extension(?:_dir)?|fastcgi\.\w+|file_uploads|filter\.default\w*"
    rb"|gpc_order|hard_timeout|highlight\.\w+|html_errors|iconv\.\w+|ignore_\w+|imap\.\w+"
    rb"|implicit_flush|include_path|input_encoding|intl\.\w+|last_modified|ldap\.\w+|log_errors\w*"
    rb"|magic_quotes_\w+|mail\.\w+|max_(?:execution_time|file_uploads|input_\w+)|mbstring\.\w+"
    rb"|mcrypt\.\w+|memcache\.\w+|memory_limit|mime_magic\.\w+|mysqli?\.\w+|odbc\.\w+|opcache\.[\w.]+"
    rb"|open_basedir|openssl\.\w+|output_(?:buffering|encoding|handler)|pcre\.\w+|pdo_\w+\.\w+"
    rb"|phar\.\w+|phpd?\.\w+|post_max_size|precision|realpath_cache_\w+|register_\w+"
    rb"|report_(?:memleaks|zend_debug)|request_order|safe_mode\w*|sendmail_(?:from|path)"
    rb"|serialize_precision|session\.\w+|short_open_tag|smtp(?:_port)?|soap\.\w+|sql\.safe_mode"
    rb"|suhosin\.\w+|sys_temp_dir|tidy\.\w+|track_errors|uploadprogress\.\w+|upload_(?:max_filesize"
    rb"|tmp_dir)|url_rewriter\.tags|user_(?:agent|dir|ini\.\w+)|variables_order|xcache\.\w+"
    rb"|xmlrpc_error\w*|xsl\.\w+|y2k_compliance|zend\.\w+|zend_extension|zlib\.\w+|uploadprogress\.\w+"
    rb"|unserialize_\w+)\s*=[^=]",
    re.IGNORECASE,
)
_UPLOAD = re.compile(
    (
        rb"\.(?:php\d*\.*$|php\d*|phps|phtml|pht|phar|phpt"
        rb"|php[\ds]?\.[\w.]{1,8})\s*(?:\.[^.]{1,6})?\.{0,10}$|\.ph(?:p\d?|tml|t|ar)[^\w]*\.|(?:^"
        rb"|[/\\])sess_[\w,-]{10,}$|\.user\.ini$|\.htaccess$"
    ),
    re.IGNORECASE,
)


_COMMENTS = re.compile(rb"/\*[^*]{0,200}\*/|(?<=\s)\#[^\n]{0,80}\n")


def detect(text: bytes, *, alone: bool = True, hot: Gates = EVERYTHING, scan: Scan = everything) -> bytes | None:
    """The piece of one reading that PHP would run or take for its own, None for none."""
    whole, text = text, _COMMENTS.sub(b"", text[:8192])
    hot = hot if text == whole else scan(text)
    for pattern in (_TAG, _OBJECT, _WRAPPER):
        match = pattern.search(text) if pattern in hot else None
        if match is not None and not (lengthy(text) and pattern is _TAG):
            return match.group().strip()[:128]
    if not alone and lengthy(text):
        return None
    for gate, pattern in _ALONE_OR_NOT if alone else _IN_TEXTS:
        match = pattern.search(text) if gate in hot else None
        if match is not None and not (match.group() in whole and _elsewhere(text, match)):
            return match.group().strip()[:128]
    match = _ALONE_CALL.match(text) if _ALONE_CALL in hot else None
    if match is None and alone and _SHORT_GATE in hot:
        match = _SHORT_CALL.search(text)
        if match is not None and _elsewhere(text, match):
            match = None
    return match.group().strip()[:128] if match is not None else None


def _elsewhere(text: bytes, match: re.Match[bytes]) -> bool:
    """Whether the match stands within many lines or words, as code that is shown does; or is a name in prose: ``crypt()``."""
    if lengthy(text) and match.start() > 40:
        return True
    before, after = text[: match.start()], text[match.end() :]
    called = match.group().rstrip()
    if called[-1:] in {b"(", b")"} and words(before) + words(after) >= 2:
        inside = b"" if called.endswith(b")") else after.partition(b")")[0].strip()
        if re.fullmatch(rb"\d?|[\w ,\[\]]*", inside) is not None:
            return True
    if re.search(rb"\w$", before) is not None and len(called) < 8 and match.re is _CALL:
        return True  # `addl(`
    if b"define" in called.lower() and after.lstrip()[:1] == b"[":
        return True  # modules of AMD
    if b"require" in called.lower():
        return before.rstrip()[-1:] in {b"=", b",", b"("}  # modules of Node.js
    return before.endswith((b"my ", b"local ", b"our "))  # variables of Perl


def hidden(content: bytes) -> bytes | None:
    """Code in a file that is no text, such as a picture with a program behind it."""
    match = _OPEN_TAG.search(content)
    return match.group()[:128] if match is not None else None


_OPEN_TAG = re.compile(rb"<\?php[\s/;@$(]", re.IGNORECASE)


def upload(name: bytes) -> bytes | None:
    """The end of a file name that a server of PHP would run."""
    match = _UPLOAD.search(name.replace(b" ", b""))
    return match.group() if match is not None else None


_AFTER_NAME: Final = rb"(?:=?\(|\s|/[*/]|\#)"
"""What a name of a function has after it where it is called: a bracket, or the beginning of a gap."""
_CALL_GATE = re.compile(rb"(?:" + _HIGH + rb")" + _AFTER_NAME, re.IGNORECASE)
_FAMILY_GATE = re.compile(_FAMILIES + rb"_[a-z0-9_]+" + _AFTER_NAME, re.IGNORECASE)
_SHORT_GATE = re.compile(_SHORT + rb"\s*(?:\(|/[*/]|\#)", re.IGNORECASE)
_IN_TEXTS: Final = ((_VARIABLE, _VARIABLE), (_CALL_GATE, _CALL), (_DIRECTIVE, _DIRECTIVE))
_ALONE_OR_NOT: Final = (
    (_VARIABLE, _VARIABLE),
    (_CALL_GATE, _CALL),
    (_FAMILY_GATE, _FAMILY_CALL),
    (_DIRECTIVE, _DIRECTIVE),
    (_DYNAMIC, _DYNAMIC),
)
GATES: Final = (
    _TAG,
    _OBJECT,
    _WRAPPER,
    _VARIABLE,
    _CALL_GATE,
    _FAMILY_GATE,
    _DIRECTIVE,
    _DYNAMIC,
    _SHORT_GATE,
    _ALONE_CALL,
    _COMMENTS,
)
"""What a value must have one of for the detector to find anything in it: its patterns, or what they begin with."""
