"""The vocabulary of SQL as the lexer sees it: what class a word is of, over the dialects that applications use."""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[bytes]:
    return frozenset(text.encode().split())


LOGICAL: Final = _words("and or xor")
UNION: Final = _words("union except intersect")
OPERATORS: Final = _words(
    "like rlike regexp glob is in between div mod similar ilike sounds isnull notnull escape collate binary match overlaps"
)
COMPARISONS: Final = OPERATORS | _words("= != <> < > <= >= <=> && ||")
STATEMENTS: Final = _words(
    "insert update delete drop alter create truncate replace exec execute declare merge grant revoke shutdown waitfor handler "
    "rename load call attach pragma copy backup restore kill analyze vacuum prepare deallocate begin commit rollback print "
    "explain describe desc show use set"
)
KEYWORDS: Final = _words(
    "as all distinct top values case when then else end null true false default using procedure table database schema exists any "
    "some on join inner left right outer cross natural into outfile dumpfile delay time immediate "
    "limit offset fetch having where "
    "from by asc desc rows only returning with recursive over partition"
)
FUNCTIONS: Final = _words(
    "abs acos aes_decrypt aes_encrypt array_agg ascii asciistr asin atan avg benchmark bin bin_to_num bit_and bit_or bit_xor "
    "bit_length cast ceil ceiling char char_length chr charindex coalesce coercibility compress concat concat_ws connection_id "
    "conv convert convert_tz cos cot count crc32 cume_dist curdate current_database current_date current_setting current_time "
    "current_timestamp current_user curtime database database_to_xml datalength date date_add date_format date_sub datediff "
    "day dayname db_id db_name dbms_lock dbms_pipe dbms_random decode default degrees des_decrypt des_encrypt "
    "dense_rank elt encode encrypt exp export_set extract extractvalue field file_priv find_in_set floor format found_rows "
    "from_base64 from_days from_unixtime generate_series get_lock getdate gen_random_uuid greatest group_concat gtid_subset "
    "gtid_subtract has_database_privilege has_table_privilege hex host_name hour if ifnull iif inet6_aton inet6_ntoa inet_aton "
    "inet_ntoa instr interval is_free_lock is_member is_srvrolemember is_used_lock isnull json_array json_build_object "
    "json_extract json_keys json_object json_search json_value json_query jsonb_pretty json_object_agg last_insert_id "
    "last_day lcase least left len length likelihood likely unlikely ln lo_export lo_get lo_import load_extension load_file "
    "localtimestamp localtime locate log lower lpad ltrim make_set makedate master_pos_wait max md5 mid min minute mod "
    "month monthname name_const newid now nullif nvl object_id object_name oct octet_length old_password openquery openrowset "
    "opendatasource ord original_login overlay parsename password patindex pg_ls_dir pg_read_file pg_read_binary_file pg_sleep "
    "pg_sleep_for pg_sleep_until pi polygon point linestring multipoint multipolygon multilinestring geometrycollection position "
    "pow power printf procedure quarter query_to_xml quote quotename radians raise_application_error rand random randomblob "
    "raisetable raiseerror rawtohex regexp_instr regexp_like regexp_replace regexp_substr regexp_matches release_lock repeat "
    "replace replicate reverse right round row_count row_number row_to_json rpad rtrim schema "
    "schema_name scope_identity sec_to_time "
    "second session_user sha sha1 sha2 sign sin sleep soundex space sqlite_compileoption_get sqlite_compileoption_used "
    "sqlite_source_id sqlite_version sqrt sql_to_xml starts_with std stddev str str_to_date strcmp strftime string_agg stuff "
    "subdate substr substring substring_index subtime sum suser_name suser_sname sys_context sysdate system_user "
    "table_to_xml tan time time_format timediff timestamp timestampadd timestampdiff to_base64 to_char to_date to_days "
    "to_number to_seconds to_timestamp total_changes translate trim trunc truncate typeof ucase uncompress "
    "uncompressed_length unhex unicode unistr unix_timestamp updatexml upper user user_name userenv utc_date utc_time "
    "utc_timestamp utl_http utl_inaddr uuid uuid_short values var_pop variance version week weekday weight_string xmltype "
    "xmlconcat xmlelement xmlforest xpath xmlagg year yearweek zeroblob xp_cmdshell xp_dirtree sp_executesql array div "
    "changes char_value nth_value ntile lead lag first_value last_value percent_rank ctxsys ora_hash dump"
)
STRONG_FUNCTIONS: Final = _words(
    "sleep benchmark pg_sleep pg_sleep_for load_file extractvalue updatexml xmltype group_concat concat_ws utl_http utl_inaddr "
    "dbms_pipe dbms_lock openrowset opendatasource openquery xp_cmdshell xp_dirtree pg_read_file pg_ls_dir lo_import lo_export "
    "lo_get load_extension json_search randomblob is_srvrolemember db_name current_database "
    "sqlite_version sqlite_compileoption_get "
    "sqlite_compileoption_used query_to_xml database_to_xml table_to_xml name_const gtid_subset make_set export_set unhex "
    "suser_name sys_context raise_application_error waitfor user_name session_user system_user current_user sp_executesql "
    "jsonb_pretty json_build_object unistr master_pos_wait load_extension inet6_aton convert_tz starts_with regexp_like "
    "regexp_instr find_in_set likelihood ora_hash has_table_privilege dbms_random ctxsys"
)
"""Functions that hardly stand in prose or in another language's code."""
OBJECTS: Final = _words(
    "information_schema pg_catalog sysobjects syscolumns sysusers systables sysdatabases all_tables all_tab_columns user_tables "
    "user_tab_columns dba_users dba_tables sqlite_master sqlite_schema sqlite_temp_master sqlite_sequence pg_user pg_shadow "
    "pg_database pg_tables pg_class msysaccessobjects msysobjects msysqueries msysaces msysrelationships mysql northwind tempdb "
    "msdb dual users user password passwd admin members accounts credentials table_name column_name schema_name tables columns "
    "schemata v$version all_users dba_tab_columns pg_roles"
)
