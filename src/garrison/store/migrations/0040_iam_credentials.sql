-- IAM: instance profiles, and the credentials that are neither passwords nor access keys.
--
-- As in 0010_iam.sql: rows hang on unique ids, never on names; `name_folded` is the name in lower case, unique in an account;
-- times are seconds since the epoch.

CREATE TABLE iam_instance_profile (
    account TEXT NOT NULL,
    profile_id TEXT NOT NULL,            -- AIPA...
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    path TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    role_id TEXT,                        -- AROA...; NULL: no role in it
    PRIMARY KEY (account, profile_id)
);
CREATE UNIQUE INDEX iam_instance_profile_name ON iam_instance_profile (account, name_folded);
CREATE INDEX iam_instance_profile_role ON iam_instance_profile (account, role_id);

CREATE TABLE iam_server_certificate (
    account TEXT NOT NULL,
    certificate_id TEXT NOT NULL,        -- ASCA...
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    path TEXT NOT NULL,
    body TEXT NOT NULL,                  -- PEM
    chain TEXT,                          -- PEM, one certificate after the other; NULL: none
    private_key BLOB NOT NULL,           -- PEM, sealed for purpose "server-certificate", associated with account/certificate_id
    uploaded DOUBLE PRECISION NOT NULL,
    expires DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, certificate_id)
);
CREATE UNIQUE INDEX iam_server_certificate_name ON iam_server_certificate (account, name_folded);

CREATE TABLE iam_signing_certificate (
    account TEXT NOT NULL,
    certificate_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,              -- AIDA...; the account's number: the root user's
    body TEXT NOT NULL,                  -- PEM
    thumbprint TEXT NOT NULL,            -- SHA-256 of the certificate's DER, in hex: one certificate belongs to one user
    status TEXT NOT NULL,                -- Active | Inactive
    uploaded DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, certificate_id)
);
CREATE UNIQUE INDEX iam_signing_certificate_thumbprint ON iam_signing_certificate (account, thumbprint);
CREATE INDEX iam_signing_certificate_owner ON iam_signing_certificate (account, owner_id);

CREATE TABLE iam_ssh_public_key (
    account TEXT NOT NULL,
    key_id TEXT NOT NULL,                -- APKA...
    owner_id TEXT NOT NULL,              -- AIDA...
    body TEXT NOT NULL,                  -- ssh-rsa AAAA..., without a comment
    fingerprint TEXT NOT NULL,           -- MD5 of the key's blob, in hex with colons
    status TEXT NOT NULL,                -- Active | Inactive
    uploaded DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, key_id)
);
CREATE UNIQUE INDEX iam_ssh_public_key_body ON iam_ssh_public_key (account, owner_id, body);

CREATE TABLE iam_service_credential (
    account TEXT NOT NULL,
    credential_id TEXT NOT NULL,         -- ACCA...
    owner_id TEXT NOT NULL,              -- AIDA...
    service TEXT NOT NULL,               -- codecommit.amazonaws.com
    public_name TEXT NOT NULL,           -- the generated user name, or the alias of an API key: jane-at-123456789012
    proof BLOB NOT NULL,                 -- keyed hash of the secret, for purpose "service-credential": the secret itself is kept nowhere
    status TEXT NOT NULL,                -- Active | Inactive
    created DOUBLE PRECISION NOT NULL,
    expires DOUBLE PRECISION,            -- NULL: never
    PRIMARY KEY (account, credential_id)
);
CREATE UNIQUE INDEX iam_service_credential_name ON iam_service_credential (account, service, public_name);
CREATE INDEX iam_service_credential_owner ON iam_service_credential (account, owner_id);
