-- Times are milliseconds since 1970 in UTC. Digests are 32 bytes (SHA-256). JSON stands in TEXT.
-- Every table about a device begins its key with the device's number.

-- Numbers given by the collector itself.
-- Texts are ordered and folded byte by byte, whatever the server's language, as SQLite does it.

CREATE TABLE counter (
  name               TEXT COLLATE "C" PRIMARY KEY,
  value              BIGINT NOT NULL
);
INSERT INTO counter (name, value) VALUES ('device', 0), ('title', 0), ('change', 0), ('unit', 0);
-- Before this moment no past is told: what was older is kept no longer.
INSERT INTO counter (name, value) VALUES ('history_from', -9223372036854775808);

-- Sites and departments.
CREATE TABLE unit (
  id                 BIGINT PRIMARY KEY,               -- of counter `unit`: none comes twice
  kind               TEXT COLLATE "C" NOT NULL,                -- site, department
  name               TEXT COLLATE "C" NOT NULL,
  created_at         BIGINT NOT NULL,
  UNIQUE (kind, name)
);

-- Which devices belong to a unit: of those for one kind the first that fits decides.
CREATE TABLE unit_rule (
  position           BIGINT PRIMARY KEY,
  unit               BIGINT NOT NULL REFERENCES unit (id),
  test               TEXT COLLATE "C" NOT NULL,                -- subnet, hostname, directory
  pattern            TEXT COLLATE "C" NOT NULL
);

CREATE TABLE device (
  key                BIGINT PRIMARY KEY,          -- dense: bitmaps are indexed by it
  uuid               TEXT COLLATE "C" NOT NULL UNIQUE,         -- the id outside
  hostname           TEXT COLLATE "C" NOT NULL,                -- these five repeat the summary, for people with an SQL shell
  serial             TEXT COLLATE "C",
  manufacturer       TEXT COLLATE "C",
  model              TEXT COLLATE "C",
  os_name            TEXT COLLATE "C" NOT NULL,
  class              TEXT COLLATE "C",
  summary            TEXT COLLATE "C" NOT NULL,                -- JSON
  site               BIGINT REFERENCES unit (id),  -- where it belongs, and who says so:
  site_from          TEXT COLLATE "C",             -- token, rule, hand
  department         BIGINT REFERENCES unit (id),
  department_from    TEXT COLLATE "C",
  token_site         BIGINT REFERENCES unit (id),  -- what its token said, for when no rule fits
  token_department   BIGINT REFERENCES unit (id),
  asset_tag          TEXT COLLATE "C",                         -- given by a person
  notes_text         TEXT COLLATE "C" NOT NULL DEFAULT '',     -- written by people
  enrolled_at        BIGINT NOT NULL,
  first_report_at    BIGINT,                      -- its past is known from here on
  pending            BOOLEAN NOT NULL DEFAULT FALSE,
  retired_at         BIGINT,
  demo               BOOLEAN NOT NULL DEFAULT FALSE
);

-- The keys a device speaks with; at most one that is not revoked is used.
CREATE TABLE device_key (
  public_key         BYTEA PRIMARY KEY,             -- 32 bytes, Ed25519
  device             BIGINT NOT NULL REFERENCES device (key),
  created_at         BIGINT NOT NULL,
  revoked_at         BIGINT
);
CREATE INDEX device_key_device ON device_key (device);

-- The only table besides device_report that a check-in without changes writes.
CREATE TABLE device_seen (
  device             BIGINT PRIMARY KEY,
  at                 BIGINT NOT NULL              -- by the collector's clock
);

-- The last transaction that changed what a collector remembers of a device. Those that follow the
-- tables read the devices above the number they came to.
CREATE TABLE device_touched (
  device             BIGINT PRIMARY KEY,
  number             BIGINT NOT NULL              -- of counter `change`
);
CREATE INDEX device_touched_number ON device_touched (number);

-- Which of several collectors does what only one may do.
CREATE TABLE lease (
  name               TEXT COLLATE "C" PRIMARY KEY,
  holder             TEXT COLLATE "C" NOT NULL,
  until              BIGINT NOT NULL
);

-- The last report of a device, without its sections.
CREATE TABLE device_report (
  device             BIGINT PRIMARY KEY,
  seq                BIGINT NOT NULL,
  report_id          TEXT COLLATE "C" NOT NULL,
  content            BYTEA NOT NULL,                -- digest of what the report says
  fingerprint        BYTEA NOT NULL,                -- digest of what a next report must say to be unchanged
  recent             BYTEA NOT NULL,                -- ids and digests of the last few reports
  observed_at        BIGINT NOT NULL,
  received_at        BIGINT NOT NULL,
  changed_at         BIGINT NOT NULL,             -- the newest moment of its history
  clock_error_ms     BIGINT NOT NULL,
  vitals             TEXT COLLATE "C" NOT NULL,                -- JSON, as the next three
  agent              TEXT COLLATE "C" NOT NULL,
  cost               TEXT COLLATE "C" NOT NULL,
  hardware_ids       TEXT COLLATE "C" NOT NULL
);

-- The present document of each section but software.
CREATE TABLE section (
  device             BIGINT NOT NULL,
  name               TEXT COLLATE "C" NOT NULL,
  at                 BIGINT NOT NULL,             -- when it became so
  digest             BYTEA NOT NULL,                -- of the body as sent
  document           BYTEA NOT NULL,                -- zstd JSON; empty: there is none any more
  PRIMARY KEY (device, name)
);

-- What a section was before `at`: zstd with the newer document as dictionary; empty: there was none.
CREATE TABLE section_past (
  device             BIGINT NOT NULL,
  name               TEXT COLLATE "C" NOT NULL,
  at                 BIGINT NOT NULL,
  received_at        BIGINT NOT NULL,
  stored             BIGINT NOT NULL,             -- number of the transaction that stored it: no later one is lower
  before             BYTEA NOT NULL,
  PRIMARY KEY (device, name, at)
);
CREATE INDEX section_past_at ON section_past (at);
CREATE INDEX section_past_stored ON section_past (stored);

-- Why sections are absent or incomplete: today's only. JSON: section name to list of notes.
CREATE TABLE section_note (
  device             BIGINT PRIMARY KEY,
  notes              TEXT COLLATE "C" NOT NULL
);

-- Every software title ever seen, once.
CREATE TABLE title (
  id                 BIGINT PRIMARY KEY,          -- dense, given by the collector
  hash               BYTEA NOT NULL UNIQUE,         -- 16 bytes over all texts
  source             TEXT COLLATE "C" NOT NULL,
  name               TEXT COLLATE "C" NOT NULL,
  version            TEXT COLLATE "C" NOT NULL,
  architecture       TEXT COLLATE "C" NOT NULL,                -- '' for none, as in the next three
  publisher          TEXT COLLATE "C" NOT NULL,
  source_package     TEXT COLLATE "C" NOT NULL,
  source_version     TEXT COLLATE "C" NOT NULL
);

-- The titles a device has now.
CREATE TABLE software (
  device             BIGINT PRIMARY KEY,
  first_at           BIGINT NOT NULL,             -- its past is known from here on
  at                 BIGINT NOT NULL,
  digest             BYTEA NOT NULL,                -- of the section as sent
  titles             BYTEA NOT NULL,                -- sorted title ids, varint gaps
  extra              BYTEA NOT NULL                 -- zstd columns parallel to titles: install time, size, scope, origin
);

-- One row a device and report that changed its set.
CREATE TABLE software_change (
  device             BIGINT NOT NULL,
  at                 BIGINT NOT NULL,
  received_at        BIGINT NOT NULL,
  stored             BIGINT NOT NULL,             -- number of the transaction that stored it: no later one is lower
  delta              BYTEA NOT NULL,                -- ids that went, ids that came
  PRIMARY KEY (device, at)
);
CREATE INDEX software_change_at ON software_change (at);
CREATE INDEX software_change_stored ON software_change (stored);

-- Values a device has or had, for the search and the list of people.
CREATE TABLE seen_value (
  device             BIGINT NOT NULL,
  kind               TEXT COLLATE "C" NOT NULL,                -- hostname, user, serial, mac, ip, asset_tag
  value              TEXT COLLATE "C" NOT NULL,
  label              TEXT COLLATE "C",                         -- of a user: the person's name
  first_at           BIGINT NOT NULL,
  last_at            BIGINT NOT NULL,
  PRIMARY KEY (device, kind, value)
);

-- Decisions about who a device is.
CREATE TABLE decision (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  device             BIGINT NOT NULL REFERENCES device (key),
  at                 BIGINT NOT NULL,
  kind               TEXT COLLATE "C" NOT NULL,
  evidence           TEXT COLLATE "C" NOT NULL,                -- words
  other_device       BIGINT REFERENCES device (key),
  actor              TEXT COLLATE "C",                         -- the person who decided, where one did
  undone_at          BIGINT,
  undone_by          TEXT COLLATE "C"
);
CREATE INDEX decision_device ON decision (device, at);

CREATE TABLE finding (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  device             BIGINT NOT NULL REFERENCES device (key),
  rule               TEXT COLLATE "C" NOT NULL,
  subject            TEXT COLLATE "C" NOT NULL DEFAULT '',     -- '' for the device itself
  severity           TEXT COLLATE "C" NOT NULL,
  opened_at          BIGINT NOT NULL,
  closed_at          BIGINT,
  value              TEXT COLLATE "C" NOT NULL,
  threshold          TEXT COLLATE "C" NOT NULL,
  source             TEXT COLLATE "C" NOT NULL,
  source_date        BIGINT,
  next_step          TEXT COLLATE "C" NOT NULL,
  evidence           TEXT COLLATE "C" NOT NULL,                -- JSON object
  said_at            BIGINT NOT NULL,             -- since when severity, threshold and value are these
  -- Worst first; the words' order is not the alphabet's.
  rank               SMALLINT NOT NULL GENERATED ALWAYS AS
    (CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END) STORED
);
CREATE UNIQUE INDEX finding_open ON finding (device, rule, subject) WHERE closed_at IS NULL;
CREATE INDEX finding_device ON finding (device, opened_at);
-- The lists, in their order: a page is read from where the one before ended.
CREATE INDEX finding_open_list ON finding (rank, opened_at, id) WHERE closed_at IS NULL;
CREATE INDEX finding_open_rule ON finding (rule, rank, opened_at, id) WHERE closed_at IS NULL;
CREATE INDEX finding_closed_list ON finding (rank, opened_at, id) WHERE closed_at IS NOT NULL;
CREATE INDEX finding_closed_rule ON finding (rule, rank, opened_at, id) WHERE closed_at IS NOT NULL;

-- What a finding said before `at`: at each change of severity or threshold; at most once a day (UTC)
-- where only the value changed, so that the end of each day is told as it was.
CREATE TABLE finding_past (
  finding            BIGINT NOT NULL REFERENCES finding (id),
  at                 BIGINT NOT NULL,
  severity           TEXT COLLATE "C" NOT NULL,
  value              TEXT COLLATE "C" NOT NULL,
  threshold          TEXT COLLATE "C" NOT NULL,
  source             TEXT COLLATE "C" NOT NULL,
  source_date        BIGINT,
  next_step          TEXT COLLATE "C" NOT NULL,
  evidence           TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (finding, at)
);

-- One row a waiver. At most one of a finding is in force at a moment: from `at` until `until` or
-- until a person ended or replaced it.
CREATE TABLE waiver (
  finding            BIGINT NOT NULL REFERENCES finding (id),
  at                 BIGINT NOT NULL,
  by_whom            TEXT COLLATE "C" NOT NULL,
  reason             TEXT COLLATE "C" NOT NULL,
  until              BIGINT NOT NULL,
  ended_at           BIGINT,
  PRIMARY KEY (finding, at)
);
CREATE INDEX waiver_until ON waiver (until);

CREATE TABLE enrollment_token (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  digest             BYTEA NOT NULL UNIQUE,
  label              TEXT COLLATE "C" NOT NULL,
  site               BIGINT REFERENCES unit (id),
  department         BIGINT REFERENCES unit (id),
  created_at         BIGINT NOT NULL,
  created_by         TEXT COLLATE "C" NOT NULL,
  expires_at         BIGINT NOT NULL,
  uses_allowed       BIGINT,                      -- NULL: any number
  uses               BIGINT NOT NULL DEFAULT 0,
  needs_approval     BOOLEAN NOT NULL,
  allows_reenrollment BOOLEAN NOT NULL,
  revoked_at         BIGINT
);

CREATE TABLE account (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  name               TEXT COLLATE "C" NOT NULL UNIQUE,         -- lower case
  role               TEXT COLLATE "C" NOT NULL,
  password_hash      TEXT COLLATE "C" NOT NULL,                -- argon2id, PHC form
  totp_secret        BYTEA,
  created_at         BIGINT NOT NULL,
  disabled_at        BIGINT,
  totp_step          BIGINT,                      -- the newest code that was used, by its number
  totp_due_at        BIGINT                       -- until when an administrator may go without
);

CREATE TABLE session (
  digest             BYTEA PRIMARY KEY,
  account            BIGINT NOT NULL REFERENCES account (id),
  created_at         BIGINT NOT NULL,
  used_at            BIGINT NOT NULL,
  expires_at         BIGINT NOT NULL,
  client             TEXT NOT NULL DEFAULT '',     -- from where, in words
  awaits             TEXT                          -- what must come before it opens anything
);
CREATE INDEX session_account ON session (account);

-- What lets a person in whose authenticator app is gone, each once; only hashes.
CREATE TABLE recovery_code (
  digest             BYTEA PRIMARY KEY,
  account            BIGINT NOT NULL REFERENCES account (id),
  used_at            BIGINT
);
CREATE INDEX recovery_code_account ON recovery_code (account);

CREATE TABLE api_token (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  digest             BYTEA NOT NULL UNIQUE,
  account            BIGINT NOT NULL REFERENCES account (id),
  label              TEXT COLLATE "C" NOT NULL,
  role               TEXT COLLATE "C" NOT NULL,
  created_at         BIGINT NOT NULL,
  expires_at         BIGINT NOT NULL,
  last_used_at       BIGINT,
  revoked_at         BIGINT,
  read_only          BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX api_token_account ON api_token (account);

-- Whose rights end at some sites or departments; who has no row here sees all.
CREATE TABLE account_scope (
  account            BIGINT PRIMARY KEY REFERENCES account (id),
  by_site            BOOLEAN NOT NULL,             -- only devices of its sites
  by_department      BOOLEAN NOT NULL
);
CREATE TABLE account_unit (
  account            BIGINT NOT NULL REFERENCES account (id),
  unit               BIGINT NOT NULL REFERENCES unit (id),
  PRIMARY KEY (account, unit)
);

CREATE TABLE setup_link (
  digest             BYTEA PRIMARY KEY,
  created_at         BIGINT NOT NULL,
  expires_at         BIGINT NOT NULL,
  used_at            BIGINT
);

CREATE TABLE setting (
  key                TEXT COLLATE "C" PRIMARY KEY,
  value              TEXT COLLATE "C" NOT NULL                 -- JSON
);

-- What people and the collector did. Each entry carries the hash of the one before; its number is
-- counter `audit`, so that one that is gone leaves a gap.
CREATE TABLE audit (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  at                 BIGINT NOT NULL,
  actor              TEXT COLLATE "C" NOT NULL,
  action             TEXT COLLATE "C" NOT NULL,
  object             TEXT COLLATE "C" NOT NULL,
  detail             TEXT COLLATE "C" NOT NULL,
  previous_hash      BYTEA NOT NULL UNIQUE,
  hash               BYTEA NOT NULL,
  marks              BYTEA NOT NULL                -- of each column eight bytes of its hash, to name one that was changed
);
CREATE INDEX audit_at ON audit (at);
INSERT INTO counter (name, value) VALUES ('audit', 0);
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'audit entries are never changed or deleted'; END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- Rows that are rewritten in place stay short and near each other.
ALTER TABLE device_seen SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE device_report SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE software SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE software ALTER titles SET STORAGE MAIN;
ALTER TABLE section ALTER document SET STORAGE EXTERNAL;
ALTER TABLE section_past ALTER before SET STORAGE EXTERNAL;

-- Where people sign in besides here (OpenID Connect).
CREATE TABLE sign_in_provider (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  config             TEXT COLLATE "C" NOT NULL,    -- JSON
  client_secret      BYTEA,                        -- sealed; absent: a client without one
  created_at         BIGINT NOT NULL
);

-- Who somebody is at a provider. Never found by an e-mail address.
CREATE TABLE identity (
  issuer             TEXT COLLATE "C" NOT NULL,
  subject            TEXT COLLATE "C" NOT NULL,
  account            BIGINT NOT NULL REFERENCES account (id),
  linked_at          BIGINT NOT NULL,
  used_at            BIGINT,
  shut_at            BIGINT,                       -- since when the provider gives no role; it closed the account
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX identity_account ON identity (account);

-- Answers of providers that were believed, each once; only hashes, and only of the last hour.
CREATE TABLE sign_in_used (
  digest             BYTEA PRIMARY KEY,
  at                 BIGINT NOT NULL
);

-- Programs that are told of events.
CREATE TABLE webhook (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  label              TEXT COLLATE "C" NOT NULL,
  url                TEXT COLLATE "C" NOT NULL,
  kinds              TEXT COLLATE "C" NOT NULL,    -- JSON list of words
  secret             BYTEA,                        -- sealed; absent: the key that sealed it is gone
  created_at         BIGINT NOT NULL,
  created_by         TEXT COLLATE "C" NOT NULL,
  disabled_at        BIGINT,
  disabled_why       TEXT COLLATE "C",             -- where the collector gave up
  failing_since      BIGINT,
  next_at            BIGINT NOT NULL DEFAULT 0,    -- nothing is sent before
  dropped            BIGINT NOT NULL DEFAULT 0     -- events that found the queue full
);

CREATE TABLE webhook_delivery (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  webhook            BIGINT NOT NULL REFERENCES webhook (id),
  event              TEXT COLLATE "C" NOT NULL,    -- the id outside, the same at every try
  kind               TEXT COLLATE "C" NOT NULL,
  body               TEXT COLLATE "C" NOT NULL,    -- JSON
  made_at            BIGINT NOT NULL,
  tries              BIGINT NOT NULL DEFAULT 0,
  tried_at           BIGINT,
  done_at            BIGINT,                       -- arrived or left out
  delivered          BOOLEAN NOT NULL DEFAULT FALSE,
  status             BIGINT,
  said               TEXT COLLATE "C" NOT NULL DEFAULT ''  -- why the last try failed
);
CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook, id);
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (webhook, id) WHERE done_at IS NULL;
CREATE INDEX webhook_delivery_done ON webhook_delivery (done_at) WHERE done_at IS NOT NULL;

-- What happened and is in no queue yet. Written in the transaction in which it happens, while
-- anybody listens.
CREATE TABLE event (
  id                 BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  kind               TEXT COLLATE "C" NOT NULL,
  device             BIGINT NOT NULL,
  finding            BIGINT,
  at                 BIGINT NOT NULL
);
CREATE FUNCTION event_of_finding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL) THEN
    INSERT INTO event (kind, device, finding, at)
    VALUES (CASE WHEN NEW.closed_at IS NULL THEN 'finding_opened' ELSE 'finding_closed' END,
      NEW.device, NEW.id, coalesce(NEW.closed_at, NEW.opened_at));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER event_finding_opened AFTER INSERT ON finding
FOR EACH ROW WHEN (NEW.closed_at IS NULL) EXECUTE FUNCTION event_of_finding();
CREATE TRIGGER event_finding_closed AFTER UPDATE OF closed_at ON finding
FOR EACH ROW WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL)
EXECUTE FUNCTION event_of_finding();
CREATE FUNCTION event_of_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL) THEN
    INSERT INTO event (kind, device, at)
    VALUES (CASE NEW.kind WHEN 'enrolled' THEN 'device_new' ELSE 'device_conflict' END,
      NEW.device, NEW.at);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER event_decided AFTER INSERT ON decision
FOR EACH ROW WHEN (NEW.kind IN ('enrolled', 'looks_like', 'clone_suspected', 'cloned'))
EXECUTE FUNCTION event_of_decision();
