-- IAM: who exists in an account and what is attached to whom.
--
-- Every row hangs on a unique id (AIDA user, AGPA group, AROA role, ANPA managed policy), never on a name: a principal that is
-- deleted and made again under its old name gets a new id and inherits nothing. Times are seconds since the epoch.
-- `name_folded` is the name in lower case: names are unique in an account regardless of case.

-- What the account itself carries. The account's row of its own (id, name, e-mail) is the store's.
CREATE TABLE iam_account (
    account TEXT NOT NULL,
    alias TEXT,                          -- NULL: none; unique over all accounts, as AWS's
    created DOUBLE PRECISION NOT NULL,
    root_password_last_used DOUBLE PRECISION,
    PRIMARY KEY (account)
);
CREATE UNIQUE INDEX iam_account_alias ON iam_account (alias);

-- No row: AWS's default policy is in force. Flags are 0 or 1; 0 in max_age and reuse_prevention means not set.
CREATE TABLE iam_password_policy (
    account TEXT NOT NULL,
    minimum_length BIGINT NOT NULL,
    require_symbols BIGINT NOT NULL,
    require_numbers BIGINT NOT NULL,
    require_uppercase BIGINT NOT NULL,
    require_lowercase BIGINT NOT NULL,
    allow_users_to_change BIGINT NOT NULL,
    max_age BIGINT NOT NULL,             -- days
    reuse_prevention BIGINT NOT NULL,    -- how many passwords
    hard_expiry BIGINT,                  -- NULL: not set
    PRIMARY KEY (account)
);

CREATE TABLE iam_user (
    account TEXT NOT NULL,
    user_id TEXT NOT NULL,               -- AIDA...
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    path TEXT NOT NULL,                  -- begins and ends with a slash
    created DOUBLE PRECISION NOT NULL,
    boundary_arn TEXT,                   -- a managed policy's ARN; NULL: no permissions boundary
    password_last_used DOUBLE PRECISION,
    PRIMARY KEY (account, user_id)
);
CREATE UNIQUE INDEX iam_user_name ON iam_user (account, name_folded);

CREATE TABLE iam_group (
    account TEXT NOT NULL,
    group_id TEXT NOT NULL,              -- AGPA...
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    path TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, group_id)
);
CREATE UNIQUE INDEX iam_group_name ON iam_group (account, name_folded);

CREATE TABLE iam_membership (
    account TEXT NOT NULL,
    user_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    PRIMARY KEY (account, user_id, group_id)
);
CREATE INDEX iam_membership_group ON iam_membership (account, group_id);

CREATE TABLE iam_role (
    account TEXT NOT NULL,
    role_id TEXT NOT NULL,               -- AROA...
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    path TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    description TEXT,                    -- NULL: never given
    max_session_duration BIGINT NOT NULL,
    max_signin_session_duration BIGINT,  -- NULL: not set
    trust_policy TEXT NOT NULL,          -- the document as it was put, with ARNs: for display
    trust_resolved TEXT NOT NULL,        -- the same with users and roles as unique ids: for evaluation
    trust_principals TEXT NOT NULL,      -- JSON object: ARN as it was put -> unique id
    boundary_arn TEXT,
    last_used DOUBLE PRECISION,
    last_used_region TEXT,
    service TEXT,                        -- elasticbeanstalk.amazonaws.com: a service-linked role of that service; NULL: not one
    PRIMARY KEY (account, role_id)
);
CREATE UNIQUE INDEX iam_role_name ON iam_role (account, name_folded);

-- Deletions of service-linked roles, kept so that their status can be asked.
CREATE TABLE iam_service_linked_deletion (
    account TEXT NOT NULL,
    task_id TEXT NOT NULL,               -- task/aws-service-role/SERVICE/ROLE/UUID
    status TEXT NOT NULL,                -- SUCCEEDED | FAILED
    reason TEXT NOT NULL,                -- empty unless it failed
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, task_id)
);

-- Customer managed policies. AWS's own (arn:aws:iam::aws:policy/...) are in the package, not here.
CREATE TABLE iam_policy (
    account TEXT NOT NULL,
    policy_id TEXT NOT NULL,             -- ANPA...
    arn TEXT NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    path TEXT NOT NULL,
    description TEXT,                    -- NULL: never given
    created DOUBLE PRECISION NOT NULL,
    updated DOUBLE PRECISION NOT NULL,
    default_version BIGINT NOT NULL,     -- 3 of "v3"
    last_version BIGINT NOT NULL,        -- the highest number ever given out: numbers are not used twice
    PRIMARY KEY (account, policy_id)
);
CREATE UNIQUE INDEX iam_policy_name ON iam_policy (account, name_folded);
CREATE UNIQUE INDEX iam_policy_arn ON iam_policy (arn);

CREATE TABLE iam_policy_version (
    account TEXT NOT NULL,
    policy_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,              -- as it was put
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, policy_id, version)
);

CREATE TABLE iam_inline_policy (
    account TEXT NOT NULL,
    owner_id TEXT NOT NULL,              -- AIDA..., AGPA... or AROA...
    name TEXT NOT NULL,
    document TEXT NOT NULL,              -- as it was put
    PRIMARY KEY (account, owner_id, name)
);

-- Managed policies (the account's own and AWS's) on users, groups and roles.
CREATE TABLE iam_attachment (
    account TEXT NOT NULL,
    owner_id TEXT NOT NULL,              -- AIDA..., AGPA... or AROA...
    policy_arn TEXT NOT NULL,
    attached DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, owner_id, policy_arn)
);
CREATE INDEX iam_attachment_policy ON iam_attachment (account, policy_arn);

-- Long-term credentials. Looked up by their id alone, before the account is known.
CREATE TABLE iam_access_key (
    access_key_id TEXT NOT NULL,         -- AKIA...
    account TEXT NOT NULL,
    owner_id TEXT NOT NULL,              -- AIDA...; the account's number: the root user's key
    secret BLOB NOT NULL,                -- sealed for purpose "access-key", associated with the bytes of access_key_id
    status TEXT NOT NULL,                -- Active | Inactive
    created DOUBLE PRECISION NOT NULL,
    last_used DOUBLE PRECISION,          -- NULL: never
    last_used_service TEXT,
    last_used_region TEXT,
    PRIMARY KEY (access_key_id)
);
CREATE INDEX iam_access_key_owner ON iam_access_key (account, owner_id);

CREATE TABLE iam_tag (
    account TEXT NOT NULL,
    resource_id TEXT NOT NULL,           -- AIDA..., AROA... or ANPA...
    key_folded TEXT NOT NULL,            -- users and roles: the key in lower case (unique regardless of case); policies: the key itself
    tag_key TEXT NOT NULL,               -- the key as it was put
    tag_value TEXT NOT NULL,
    PRIMARY KEY (account, resource_id, key_folded)
);
