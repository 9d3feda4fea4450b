-- What inspectors tell of the requests that they saw, in batches. Slots are minutes since the epoch.

CREATE TABLE waf_count (
    web_acl TEXT NOT NULL,
    metric TEXT NOT NULL,                -- of a rule or rule group; Default_Action; ALL
    slot BIGINT NOT NULL,
    action TEXT NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (web_acl, metric, slot, action)
);
CREATE INDEX waf_count_slot ON waf_count (slot);

-- Some of the requests that a rule matched.
CREATE TABLE waf_sample (
    web_acl TEXT NOT NULL,
    metric TEXT NOT NULL,
    slot BIGINT NOT NULL,
    number BIGINT NOT NULL,              -- among those of its slot
    at DOUBLE PRECISION NOT NULL,
    request TEXT NOT NULL,               -- JSON: a SampledHTTPRequest without weight
    PRIMARY KEY (web_acl, metric, slot, number)
);
CREATE INDEX waf_sample_slot ON waf_sample (slot);

-- Which paths were asked for, and by which bots. Slots are hours.
CREATE TABLE waf_path (
    web_acl TEXT NOT NULL,
    slot BIGINT NOT NULL,
    path TEXT NOT NULL,
    category TEXT NOT NULL,              -- of the bot; empty: no bot
    organization TEXT NOT NULL,
    bot TEXT NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (web_acl, slot, path, category, organization, bot)
);
CREATE INDEX waf_path_slot ON waf_path (slot);

-- The addresses that a rate-based rule limits at this moment, by the inspector that tells so.
CREATE TABLE waf_limited (
    rule TEXT NOT NULL,                  -- id of the rule's counters
    inspector TEXT NOT NULL,
    address TEXT NOT NULL,
    told DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (rule, inspector, address)
);
