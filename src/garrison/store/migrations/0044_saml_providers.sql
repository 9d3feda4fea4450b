-- SAML providers: whose assertions an account takes.

CREATE TABLE iam_saml_provider (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    uuid TEXT NOT NULL,                  -- SAMLProviderUUID: part of the address that encrypted assertions are sent to
    metadata TEXT NOT NULL,              -- the document as it was put
    issuer TEXT NOT NULL,                -- its entityID
    certificates TEXT NOT NULL,          -- JSON list: its signing certificates, DER in Base64
    valid_until DOUBLE PRECISION NOT NULL,
    encryption TEXT,                     -- Required | Allowed; NULL: never set
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, name)
);
CREATE UNIQUE INDEX iam_saml_provider_uuid ON iam_saml_provider (uuid);

-- Private keys that open encrypted assertions, at most two a provider.
CREATE TABLE iam_saml_private_key (
    account TEXT NOT NULL,
    provider TEXT NOT NULL,              -- its name
    key_id TEXT NOT NULL,
    sealed BLOB NOT NULL,                -- PKCS #8, sealed for purpose "saml-private-key", associated with account/uuid
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, provider, key_id)
);

-- Assertions that were taken: each is good once. Kept until it would be refused for its age.
CREATE TABLE sts_saml_assertion (
    digest TEXT NOT NULL PRIMARY KEY,    -- SHA-256 of provider and assertion id
    until DOUBLE PRECISION NOT NULL
);
CREATE INDEX sts_saml_assertion_until ON sts_saml_assertion (until);
