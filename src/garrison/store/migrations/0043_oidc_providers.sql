-- OpenID Connect providers: whose ID tokens an account takes, and for which of its clients.

CREATE TABLE iam_oidc_provider (
    account TEXT NOT NULL,
    name TEXT NOT NULL,                  -- the URL without its scheme: the end of the ARN, the beginning of condition keys
    url TEXT NOT NULL,                   -- the claim `iss` of its tokens
    client_ids TEXT NOT NULL,            -- JSON list, in the order in which they were given
    thumbprints TEXT NOT NULL,           -- JSON list of SHA-1 digests of certificates, 40 hexadecimal digits each
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, name)
);
