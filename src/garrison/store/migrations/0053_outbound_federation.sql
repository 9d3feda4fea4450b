-- Outbound identity federation: the issuer that an account's tokens name, and the keys that sign them.

-- The issuer stays the same when the feature is switched off and on again: others trust it by its name.
CREATE TABLE iam_outbound_federation (
    account TEXT NOT NULL,
    issuer_id TEXT NOT NULL,             -- a UUID, in the issuer's URL
    issuer TEXT NOT NULL,                -- the whole URL: `iss`
    enabled BIGINT NOT NULL,             -- 0 or 1
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account)
);
CREATE UNIQUE INDEX iam_outbound_federation_issuer ON iam_outbound_federation (issuer_id);

-- One key an algorithm. The private half is sealed; the public half is a JWK (RFC 7517) as it is published.
CREATE TABLE iam_outbound_key (
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,                -- `kid`: the JWK's thumbprint (RFC 7638)
    algorithm TEXT NOT NULL,             -- RS256 or ES384
    sealed BLOB NOT NULL,
    jwk TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, key_id)
);

-- What SetSecurityTokenServicePreferences set. No row: version 1, AWS's default.
CREATE TABLE iam_token_preference (
    account TEXT NOT NULL,
    version BIGINT NOT NULL,             -- 1 or 2
    PRIMARY KEY (account)
);
