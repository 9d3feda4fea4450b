-- AWS WAF: web ACLs and what they are made of, and to what they are associated.
--
-- An entity is named by its ARN, which never changes. Entities of the scope CLOUDFRONT are in us-east-1. Times are seconds since
-- the epoch; documents are JSON in the API's own shape.

CREATE TABLE waf_entity (
    arn TEXT NOT NULL,
    kind TEXT NOT NULL,                  -- webacl | rulegroup | ipset | regexpatternset | managedruleset
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    scope TEXT NOT NULL,                 -- REGIONAL | CLOUDFRONT
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    lock_token TEXT NOT NULL,            -- another one after each change
    document TEXT NOT NULL,
    created DOUBLE PRECISION NOT NULL,
    updated DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (arn)
);
CREATE UNIQUE INDEX waf_entity_name ON waf_entity (account, region, scope, kind, name);

-- Which sets and groups the rules of a web ACL or rule group refer to.
CREATE TABLE waf_reference (
    owner TEXT NOT NULL,
    target TEXT NOT NULL,
    PRIMARY KEY (owner, target)
);
CREATE INDEX waf_reference_target ON waf_reference (target);

-- A resource has one web ACL at most.
CREATE TABLE waf_association (
    resource TEXT NOT NULL,              -- the ARN of what is protected
    web_acl TEXT NOT NULL,
    type TEXT NOT NULL,                  -- APPLICATION_LOAD_BALANCER | API_GATEWAY
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (resource)
);
CREATE INDEX waf_association_web_acl ON waf_association (web_acl, resource);

CREATE TABLE waf_logging (
    web_acl TEXT NOT NULL,
    log_scope TEXT NOT NULL,             -- CUSTOMER | SECURITY_LAKE | CLOUDWATCH_TELEMETRY_RULE_MANAGED
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    scope TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (web_acl, log_scope)
);

-- What other accounts may do with a rule group.
CREATE TABLE waf_policy (
    rule_group TEXT NOT NULL,
    policy TEXT NOT NULL,                -- as it was put
    resolved TEXT NOT NULL,              -- with users and roles as their unique ids
    PRIMARY KEY (rule_group)
);

CREATE TABLE waf_tag (
    arn TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (arn, tag_key)
);

-- Keys of the client integration. The text of a key is sealed, and says for which domains it is.
CREATE TABLE waf_api_key (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    api_key TEXT NOT NULL,
    domains TEXT NOT NULL,               -- JSON
    created DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, region, scope, id)
);
