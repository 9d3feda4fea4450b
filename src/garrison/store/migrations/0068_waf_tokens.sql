-- Keys of the tokens that browsers get for a solved challenge or CAPTCHA. The newest signs; older ones still verify.

CREATE TABLE waf_token_key (
    key_id TEXT NOT NULL,                -- eight hex digits, in every token
    sealed BLOB NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (key_id)
);
