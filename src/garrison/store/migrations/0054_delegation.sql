-- Temporary delegation: partners whom the operator admitted, and their requests for access to other accounts.

CREATE TABLE iam_delegation_partner (
    domain TEXT NOT NULL,                -- partner.com: in the ARNs of its templates and boundaries
    name TEXT NOT NULL,                  -- what customers are shown: RequestorName
    single_use BIGINT NOT NULL,          -- 1: each exchange token is traded once
    PRIMARY KEY (domain)
);

CREATE TABLE iam_delegation_account (
    account TEXT NOT NULL,               -- may ask for delegations and trade tokens in
    domain TEXT NOT NULL,
    PRIMARY KEY (account)
);
CREATE INDEX iam_delegation_account_domain ON iam_delegation_account (domain);

CREATE TABLE iam_delegation_topic (
    topic_arn TEXT NOT NULL,
    domain TEXT NOT NULL,
    url TEXT NOT NULL,                   -- where its messages are sent; empty: they wait for the operator
    authority TEXT NOT NULL,             -- PEM that vouches for the URL's server; empty: the system's authorities
    secret BLOB NOT NULL,                -- sealed: what messages are signed with
    PRIMARY KEY (topic_arn)
);

-- Never changed once they are registered: a new version has a new name.
CREATE TABLE iam_delegation_template (
    arn TEXT NOT NULL,
    domain TEXT NOT NULL,
    document TEXT NOT NULL,
    withdrawn BIGINT NOT NULL,           -- 1: no new request may name it
    PRIMARY KEY (arn)
);

CREATE TABLE iam_delegation_boundary (
    arn TEXT NOT NULL,
    domain TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (arn)
);

CREATE TABLE iam_delegation_request (
    request_id TEXT NOT NULL,
    requestor TEXT NOT NULL,             -- the partner's account
    requestor_name TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    owner_account TEXT NOT NULL,         -- empty: any account may take it up
    owner_arn TEXT NOT NULL,             -- empty until it is associated
    owner_id TEXT NOT NULL,              -- the owner's unique id: a later namesake is somebody else
    approver_arn TEXT NOT NULL,
    approver TEXT NOT NULL,              -- JSON: the identity that accepted, as it was then; empty until then
    state TEXT NOT NULL,
    expires DOUBLE PRECISION NOT NULL,   -- when the state becomes EXPIRED
    created DOUBLE PRECISION NOT NULL,
    updated DOUBLE PRECISION NOT NULL,
    description TEXT NOT NULL,
    message TEXT NOT NULL,
    template_arn TEXT NOT NULL,
    parameters TEXT NOT NULL,            -- JSON, as they were given
    policy TEXT NOT NULL,                -- the template with its parameters: what the customer sees and the session is bound by
    restrictions TEXT NOT NULL,          -- JSON: ARNs of the boundaries of roles that it may make
    session_seconds BIGINT NOT NULL,
    only_send_by_owner BIGINT NOT NULL,
    topic_arn TEXT NOT NULL,
    redirect_url TEXT NOT NULL,
    notes TEXT NOT NULL,
    rejection TEXT NOT NULL,
    released DOUBLE PRECISION,           -- when the token was sent: the access begins
    token_mac BLOB,                      -- keyed digest of the exchange token, never the token
    single_use BIGINT NOT NULL,
    trades BIGINT NOT NULL,
    revoked BIGINT NOT NULL,             -- 1: the operator ended the access
    PRIMARY KEY (request_id)
);
CREATE UNIQUE INDEX iam_delegation_request_workflow ON iam_delegation_request (requestor, workflow_id);
CREATE INDEX iam_delegation_request_owner ON iam_delegation_request (owner_account, request_id);
CREATE INDEX iam_delegation_request_due ON iam_delegation_request (expires);

-- Messages to partners. They hold exchange tokens: sealed.
CREATE TABLE iam_delegation_notice (
    position BIGINT NOT NULL,            -- the order in which they were made
    topic_arn TEXT NOT NULL,
    body BLOB NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    attempts BIGINT NOT NULL,
    next_at DOUBLE PRECISION,            -- when it is sent next, where its topic has a URL; NULL: given up
    PRIMARY KEY (position)
);
CREATE INDEX iam_delegation_notice_topic ON iam_delegation_notice (topic_arn, position);
CREATE INDEX iam_delegation_notice_due ON iam_delegation_notice (next_at);
