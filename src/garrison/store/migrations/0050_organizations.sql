-- AWS Organizations: which accounts belong together, and which policies bound them.
--
-- Every row hangs on its organization (o-...). A node is a root (r-...), an organizational unit (ou-...) or an account. Times are
-- seconds since the epoch; JSON is TEXT.

-- A closed account keeps its rows; nobody can sign for it any more.
ALTER TABLE account ADD COLUMN state TEXT NOT NULL DEFAULT 'ACTIVE'; -- ACTIVE | SUSPENDED
ALTER TABLE account ADD COLUMN closed DOUBLE PRECISION;             -- NULL: not closed
CREATE INDEX account_email ON account (email);

CREATE TABLE org_organization (
    organization TEXT NOT NULL,          -- o-...
    management TEXT NOT NULL,            -- the management account
    feature_set TEXT NOT NULL,           -- ALL | CONSOLIDATED_BILLING
    root_id TEXT NOT NULL,               -- r-...
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (organization)
);
CREATE UNIQUE INDEX org_organization_management ON org_organization (management);

CREATE TABLE org_unit (
    organization TEXT NOT NULL,
    unit_id TEXT NOT NULL,               -- ou-ROOT-...
    parent_id TEXT NOT NULL,             -- r-... or ou-...
    name TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (unit_id)
);
CREATE UNIQUE INDEX org_unit_name ON org_unit (organization, parent_id, name);

-- An account is in one organization at most.
CREATE TABLE org_account (
    organization TEXT NOT NULL,
    account TEXT NOT NULL,
    parent_id TEXT NOT NULL,
    joined_method TEXT NOT NULL,         -- CREATED | INVITED
    joined DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account)
);
CREATE INDEX org_account_parent ON org_account (organization, parent_id, account);

CREATE TABLE org_create_status (
    organization TEXT NOT NULL,
    request_id TEXT NOT NULL,            -- car-...
    account_name TEXT NOT NULL,
    state TEXT NOT NULL,                 -- SUCCEEDED | FAILED
    requested DOUBLE PRECISION NOT NULL,
    completed DOUBLE PRECISION NOT NULL,
    account TEXT,                        -- NULL: failed
    failure_reason TEXT,                 -- NULL: did not fail
    PRIMARY KEY (organization, request_id)
);

-- Policies that customers made; AWS's own (p-FullAWSAccess, p-RCPFullAWSAccess) are in the program.
CREATE TABLE org_policy (
    organization TEXT NOT NULL,
    policy_id TEXT NOT NULL,             -- p-...
    arn TEXT NOT NULL,
    type TEXT NOT NULL,                  -- SERVICE_CONTROL_POLICY ...
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    content TEXT NOT NULL,               -- as it was put
    created DOUBLE PRECISION NOT NULL,
    updated DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (policy_id)
);
CREATE UNIQUE INDEX org_policy_name ON org_policy (organization, type, name);
CREATE UNIQUE INDEX org_policy_arn ON org_policy (arn);

-- seq is the order of attachment, which decides between policies of one node.
CREATE TABLE org_attachment (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    organization TEXT NOT NULL,
    target_id TEXT NOT NULL,             -- r-..., ou-... or an account
    policy_id TEXT NOT NULL,
    type TEXT NOT NULL,
    attached DOUBLE PRECISION NOT NULL
);
CREATE UNIQUE INDEX org_attachment_pair ON org_attachment (organization, target_id, policy_id);
CREATE INDEX org_attachment_policy ON org_attachment (organization, policy_id, target_id);

-- The types of policy that are enabled in the root.
CREATE TABLE org_policy_type (
    organization TEXT NOT NULL,
    type TEXT NOT NULL,
    PRIMARY KEY (organization, type)
);

CREATE TABLE org_handshake (
    handshake_id TEXT NOT NULL,          -- h-...
    organization TEXT NOT NULL,          -- the one that began it
    management TEXT NOT NULL,            -- its management account
    action TEXT NOT NULL,                -- INVITE | ENABLE_ALL_FEATURES | APPROVE_ALL_FEATURES | TRANSFER_RESPONSIBILITY
    state TEXT NOT NULL,                 -- REQUESTED | OPEN | CANCELED | ACCEPTED | DECLINED; past its end it reads as EXPIRED
    target_type TEXT NOT NULL,           -- ACCOUNT | EMAIL | ORGANIZATION
    target_id TEXT NOT NULL,
    parent TEXT,                         -- the handshake that this one is part of
    resources TEXT NOT NULL,             -- JSON: as answers show them
    tags TEXT NOT NULL,                  -- JSON object: what the account is tagged with once it joins
    requested DOUBLE PRECISION NOT NULL,
    expires DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (handshake_id)
);
CREATE INDEX org_handshake_organization ON org_handshake (organization, handshake_id);
CREATE INDEX org_handshake_target ON org_handshake (target_id, handshake_id);

CREATE TABLE org_service_access (
    organization TEXT NOT NULL,
    service TEXT NOT NULL,               -- config.amazonaws.com
    enabled DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (organization, service)
);

CREATE TABLE org_delegation (
    organization TEXT NOT NULL,
    account TEXT NOT NULL,
    service TEXT NOT NULL,
    enabled DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (organization, account, service)
);

CREATE TABLE org_resource_policy (
    organization TEXT NOT NULL,
    policy_id TEXT NOT NULL,             -- rp-...
    content TEXT NOT NULL,               -- as it was put
    resolved TEXT NOT NULL,              -- with users and roles as unique ids: for evaluation
    PRIMARY KEY (organization)
);

CREATE TABLE org_tag (
    organization TEXT NOT NULL,
    resource_id TEXT NOT NULL,           -- r-..., ou-..., an account, p-..., rp-... or rt-...
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (organization, resource_id, tag_key)
);

-- What IAM may do with the root users of member accounts: RootCredentialsManagement, RootSessions.
CREATE TABLE org_root_feature (
    organization TEXT NOT NULL,
    feature TEXT NOT NULL,
    PRIMARY KEY (organization, feature)
);
