-- Times are milliseconds since 1970 in UTC. Digests are 32 bytes (SHA-256). JSON stands in TEXT.
-- Every table about a device begins its key with the device's number.

-- Numbers given by the collector itself.
CREATE TABLE counter (
  name               TEXT PRIMARY KEY,
  value              INTEGER NOT NULL
);
INSERT INTO counter (name, value) VALUES ('device', 0), ('title', 0), ('change', 0), ('unit', 0);
-- Before this moment no past is told: what was older is kept no longer.
INSERT INTO counter (name, value) VALUES ('history_from', -9223372036854775808);

-- Sites and departments.
CREATE TABLE unit (
  id                 INTEGER PRIMARY KEY,          -- of counter `unit`: none comes twice
  kind               TEXT NOT NULL,                -- site, department
  name               TEXT NOT NULL,
  created_at         INTEGER NOT NULL,
  UNIQUE (kind, name)
);

-- Which devices belong to a unit: of those for one kind the first that fits decides.
CREATE TABLE unit_rule (
  position           INTEGER PRIMARY KEY,
  unit               INTEGER NOT NULL REFERENCES unit (id),
  test               TEXT NOT NULL,                -- subnet, hostname, directory
  pattern            TEXT NOT NULL
);

CREATE TABLE device (
  key                INTEGER PRIMARY KEY,          -- dense: bitmaps are indexed by it
  uuid               TEXT NOT NULL UNIQUE,         -- the id outside
  hostname           TEXT NOT NULL,                -- these five repeat the summary, for people with an SQL shell
  serial             TEXT,
  manufacturer       TEXT,
  model              TEXT,
  os_name            TEXT NOT NULL,
  class              TEXT,
  summary            TEXT NOT NULL,                -- JSON
  site               INTEGER REFERENCES unit (id), -- where it belongs, and who says so:
  site_from          TEXT,                         -- token, rule, hand
  department         INTEGER REFERENCES unit (id),
  department_from    TEXT,
  token_site         INTEGER REFERENCES unit (id), -- what its token said, for when no rule fits
  token_department   INTEGER REFERENCES unit (id),
  asset_tag          TEXT,                         -- given by a person
  notes_text         TEXT NOT NULL DEFAULT '',     -- written by people
  enrolled_at        INTEGER NOT NULL,
  first_report_at    INTEGER,                      -- its past is known from here on
  pending            BOOLEAN NOT NULL DEFAULT FALSE,
  retired_at         INTEGER,
  demo               BOOLEAN NOT NULL DEFAULT FALSE
);

-- The keys a device speaks with; at most one that is not revoked is used.
CREATE TABLE device_key (
  public_key         BLOB PRIMARY KEY,             -- 32 bytes, Ed25519
  device             INTEGER NOT NULL REFERENCES device (key),
  created_at         INTEGER NOT NULL,
  revoked_at         INTEGER
);
CREATE INDEX device_key_device ON device_key (device);

-- The only table besides device_report that a check-in without changes writes.
CREATE TABLE device_seen (
  device             INTEGER PRIMARY KEY,
  at                 INTEGER NOT NULL              -- by the collector's clock
);

-- The last transaction that changed what a collector remembers of a device. Those that follow the
-- tables read the devices above the number they came to.
CREATE TABLE device_touched (
  device             INTEGER PRIMARY KEY,
  number             INTEGER NOT NULL              -- of counter `change`
);
CREATE INDEX device_touched_number ON device_touched (number);

-- Which of several collectors does what only one may do.
CREATE TABLE lease (
  name               TEXT PRIMARY KEY,
  holder             TEXT NOT NULL,
  until              INTEGER NOT NULL
);

-- The last report of a device, without its sections.
CREATE TABLE device_report (
  device             INTEGER PRIMARY KEY,
  seq                INTEGER NOT NULL,
  report_id          TEXT NOT NULL,
  content            BLOB NOT NULL,                -- digest of what the report says
  fingerprint        BLOB NOT NULL,                -- digest of what a next report must say to be unchanged
  recent             BLOB NOT NULL,                -- ids and digests of the last few reports
  observed_at        INTEGER NOT NULL,
  received_at        INTEGER NOT NULL,
  changed_at         INTEGER NOT NULL,             -- the newest moment of its history
  clock_error_ms     INTEGER NOT NULL,
  vitals             TEXT NOT NULL,                -- JSON, as the next three
  agent              TEXT NOT NULL,
  cost               TEXT NOT NULL,
  hardware_ids       TEXT NOT NULL
);

-- The present document of each section but software.
CREATE TABLE section (
  device             INTEGER NOT NULL,
  name               TEXT NOT NULL,
  at                 INTEGER NOT NULL,             -- when it became so
  digest             BLOB NOT NULL,                -- of the body as sent
  document           BLOB NOT NULL,                -- zstd JSON; empty: there is none any more
  PRIMARY KEY (device, name)
);

-- What a section was before `at`: zstd with the newer document as dictionary; empty: there was none.
CREATE TABLE section_past (
  device             INTEGER NOT NULL,
  name               TEXT NOT NULL,
  at                 INTEGER NOT NULL,
  received_at        INTEGER NOT NULL,
  stored             INTEGER NOT NULL,            -- number of the transaction that stored it: no later one is lower
  before             BLOB NOT NULL,
  PRIMARY KEY (device, name, at)
) WITHOUT ROWID;
CREATE INDEX section_past_at ON section_past (at);
CREATE INDEX section_past_stored ON section_past (stored);

-- Why sections are absent or incomplete: today's only. JSON: section name to list of notes.
CREATE TABLE section_note (
  device             INTEGER PRIMARY KEY,
  notes              TEXT NOT NULL
);

-- Every software title ever seen, once.
CREATE TABLE title (
  id                 INTEGER PRIMARY KEY,          -- dense, given by the collector
  hash               BLOB NOT NULL UNIQUE,         -- 16 bytes over all texts
  source             TEXT NOT NULL,
  name               TEXT NOT NULL,
  version            TEXT NOT NULL,
  architecture       TEXT NOT NULL,                -- '' for none, as in the next three
  publisher          TEXT NOT NULL,
  source_package     TEXT NOT NULL,
  source_version     TEXT NOT NULL
);

-- The titles a device has now.
CREATE TABLE software (
  device             INTEGER PRIMARY KEY,
  first_at           INTEGER NOT NULL,             -- its past is known from here on
  at                 INTEGER NOT NULL,
  digest             BLOB NOT NULL,                -- of the section as sent
  titles             BLOB NOT NULL,                -- sorted title ids, varint gaps
  extra              BLOB NOT NULL                 -- zstd columns parallel to titles: install time, size, scope, origin
);

-- One row a device and report that changed its set.
CREATE TABLE software_change (
  device             INTEGER NOT NULL,
  at                 INTEGER NOT NULL,
  received_at        INTEGER NOT NULL,
  stored             INTEGER NOT NULL,            -- number of the transaction that stored it: no later one is lower
  delta              BLOB NOT NULL,                -- ids that went, ids that came
  PRIMARY KEY (device, at)
) WITHOUT ROWID;
CREATE INDEX software_change_at ON software_change (at);
CREATE INDEX software_change_stored ON software_change (stored);

-- Values a device has or had, for the search and the list of people.
CREATE TABLE seen_value (
  device             INTEGER NOT NULL,
  kind               TEXT NOT NULL,                -- hostname, user, serial, mac, ip, asset_tag
  value              TEXT NOT NULL,
  label              TEXT,                         -- of a user: the person's name
  first_at           INTEGER NOT NULL,
  last_at            INTEGER NOT NULL,
  PRIMARY KEY (device, kind, value)
) WITHOUT ROWID;

-- Decisions about who a device is.
CREATE TABLE decision (
  id                 INTEGER PRIMARY KEY,
  device             INTEGER NOT NULL REFERENCES device (key),
  at                 INTEGER NOT NULL,
  kind               TEXT NOT NULL,
  evidence           TEXT NOT NULL,                -- words
  other_device       INTEGER REFERENCES device (key),
  actor              TEXT,                         -- the person who decided, where one did
  undone_at          INTEGER,
  undone_by          TEXT
);
CREATE INDEX decision_device ON decision (device, at);

CREATE TABLE finding (
  id                 INTEGER PRIMARY KEY,
  device             INTEGER NOT NULL REFERENCES device (key),
  rule               TEXT NOT NULL,
  subject            TEXT NOT NULL DEFAULT '',     -- '' for the device itself
  severity           TEXT NOT NULL,
  opened_at          INTEGER NOT NULL,
  closed_at          INTEGER,
  value              TEXT NOT NULL,
  threshold          TEXT NOT NULL,
  source             TEXT NOT NULL,
  source_date        INTEGER,
  next_step          TEXT NOT NULL,
  evidence           TEXT NOT NULL,                -- JSON object
  said_at            INTEGER NOT NULL,             -- since when severity, threshold and value are these
  -- Worst first; the words' order is not the alphabet's.
  rank               INTEGER NOT NULL GENERATED ALWAYS AS
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
  finding            INTEGER NOT NULL REFERENCES finding (id),
  at                 INTEGER NOT NULL,
  severity           TEXT NOT NULL,
  value              TEXT NOT NULL,
  threshold          TEXT NOT NULL,
  source             TEXT NOT NULL,
  source_date        INTEGER,
  next_step          TEXT NOT NULL,
  evidence           TEXT NOT NULL,
  PRIMARY KEY (finding, at)
) WITHOUT ROWID;

-- One row a waiver. At most one of a finding is in force at a moment: from `at` until `until` or
-- until a person ended or replaced it.
CREATE TABLE waiver (
  finding            INTEGER NOT NULL REFERENCES finding (id),
  at                 INTEGER NOT NULL,
  by_whom            TEXT NOT NULL,
  reason             TEXT NOT NULL,
  until              INTEGER NOT NULL,
  ended_at           INTEGER,
  PRIMARY KEY (finding, at)
) WITHOUT ROWID;
CREATE INDEX waiver_until ON waiver (until);

CREATE TABLE enrollment_token (
  id                 INTEGER PRIMARY KEY,
  digest             BLOB NOT NULL UNIQUE,
  label              TEXT NOT NULL,
  site               INTEGER REFERENCES unit (id),
  department         INTEGER REFERENCES unit (id),
  created_at         INTEGER NOT NULL,
  created_by         TEXT NOT NULL,
  expires_at         INTEGER NOT NULL,
  uses_allowed       INTEGER,                      -- NULL: any number
  uses               INTEGER NOT NULL DEFAULT 0,
  needs_approval     BOOLEAN NOT NULL,
  allows_reenrollment BOOLEAN NOT NULL,
  revoked_at         INTEGER
);

CREATE TABLE account (
  id                 INTEGER PRIMARY KEY,
  name               TEXT NOT NULL UNIQUE,         -- lower case
  role               TEXT NOT NULL,
  password_hash      TEXT NOT NULL,                -- argon2id, PHC form
  totp_secret        BLOB,
  created_at         INTEGER NOT NULL,
  disabled_at        INTEGER,
  totp_step          INTEGER,                      -- the newest code that was used, by its number
  totp_due_at        INTEGER                       -- until when an administrator may go without
);

CREATE TABLE session (
  digest             BLOB PRIMARY KEY,
  account            INTEGER NOT NULL REFERENCES account (id),
  created_at         INTEGER NOT NULL,
  used_at            INTEGER NOT NULL,
  expires_at         INTEGER NOT NULL,
  client             TEXT NOT NULL DEFAULT '',     -- from where, in words
  awaits             TEXT                          -- what must come before it opens anything
);
CREATE INDEX session_account ON session (account);

-- What lets a person in whose authenticator app is gone, each once; only hashes.
CREATE TABLE recovery_code (
  digest             BLOB PRIMARY KEY,
  account            INTEGER NOT NULL REFERENCES account (id),
  used_at            INTEGER
);
CREATE INDEX recovery_code_account ON recovery_code (account);

CREATE TABLE api_token (
  id                 INTEGER PRIMARY KEY,
  digest             BLOB NOT NULL UNIQUE,
  account            INTEGER NOT NULL REFERENCES account (id),
  label              TEXT NOT NULL,
  role               TEXT NOT NULL,
  created_at         INTEGER NOT NULL,
  expires_at         INTEGER NOT NULL,
  last_used_at       INTEGER,
  revoked_at         INTEGER,
  read_only          BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX api_token_account ON api_token (account);

-- Whose rights end at some sites or departments; who has no row here sees all.
CREATE TABLE account_scope (
  account            INTEGER PRIMARY KEY REFERENCES account (id),
  by_site            BOOLEAN NOT NULL,             -- only devices of its sites
  by_department      BOOLEAN NOT NULL
);
CREATE TABLE account_unit (
  account            INTEGER NOT NULL REFERENCES account (id),
  unit               INTEGER NOT NULL REFERENCES unit (id),
  PRIMARY KEY (account, unit)
) WITHOUT ROWID;

CREATE TABLE setup_link (
  digest             BLOB PRIMARY KEY,
  created_at         INTEGER NOT NULL,
  expires_at         INTEGER NOT NULL,
  used_at            INTEGER
);

CREATE TABLE setting (
  key                TEXT PRIMARY KEY,
  value              TEXT NOT NULL                 -- JSON
);

-- What people and the collector did. Each entry carries the hash of the one before; its number is
-- counter `audit`, so that one that is gone leaves a gap.
CREATE TABLE audit (
  id                 INTEGER PRIMARY KEY,
  at                 INTEGER NOT NULL,
  actor              TEXT NOT NULL,
  action             TEXT NOT NULL,
  object             TEXT NOT NULL,
  detail             TEXT NOT NULL,
  previous_hash      BLOB NOT NULL UNIQUE,
  hash               BLOB NOT NULL,
  marks              BLOB NOT NULL                -- of each column eight bytes of its hash, to name one that was changed
);
CREATE INDEX audit_at ON audit (at);
INSERT INTO counter (name, value) VALUES ('audit', 0);
-- INSERT OR REPLACE would delete without asking the trigger below.
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id OR previous_hash = NEW.previous_hash)
BEGIN SELECT RAISE(ABORT, 'audit entries are never replaced'); END;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit entries are never deleted'); END;

-- Where people sign in besides here (OpenID Connect).
CREATE TABLE sign_in_provider (
  id                 INTEGER PRIMARY KEY,
  config             TEXT NOT NULL,                -- JSON
  client_secret      BLOB,                         -- sealed; absent: a client without one
  created_at         INTEGER NOT NULL
);

-- Who somebody is at a provider. Never found by an e-mail address.
CREATE TABLE identity (
  issuer             TEXT NOT NULL,
  subject            TEXT NOT NULL,
  account            INTEGER NOT NULL REFERENCES account (id),
  linked_at          INTEGER NOT NULL,
  used_at            INTEGER,
  shut_at            INTEGER,                      -- since when the provider gives no role; it closed the account
  PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX identity_account ON identity (account);

-- Answers of providers that were believed, each once; only hashes, and only of the last hour.
CREATE TABLE sign_in_used (
  digest             BLOB PRIMARY KEY,
  at                 INTEGER NOT NULL
) WITHOUT ROWID;

-- Programs that are told of events.
CREATE TABLE webhook (
  id                 INTEGER PRIMARY KEY,
  label              TEXT NOT NULL,
  url                TEXT NOT NULL,
  kinds              TEXT NOT NULL,                -- JSON list of words
  secret             BLOB,                         -- sealed; absent: the key that sealed it is gone
  created_at         INTEGER NOT NULL,
  created_by         TEXT NOT NULL,
  disabled_at        INTEGER,
  disabled_why       TEXT,                         -- where the collector gave up
  failing_since      INTEGER,
  next_at            INTEGER NOT NULL DEFAULT 0,   -- nothing is sent before
  dropped            INTEGER NOT NULL DEFAULT 0    -- events that found the queue full
);

CREATE TABLE webhook_delivery (
  id                 INTEGER PRIMARY KEY,
  webhook            INTEGER NOT NULL REFERENCES webhook (id),
  event              TEXT NOT NULL,                -- the id outside, the same at every try
  kind               TEXT NOT NULL,
  body               TEXT NOT NULL,                -- JSON
  made_at            INTEGER NOT NULL,
  tries              INTEGER NOT NULL DEFAULT 0,
  tried_at           INTEGER,
  done_at            INTEGER,                      -- arrived or left out
  delivered          BOOLEAN NOT NULL DEFAULT FALSE,
  status             INTEGER,
  said               TEXT NOT NULL DEFAULT ''      -- why the last try failed
);
CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook, id);
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (webhook, id) WHERE done_at IS NULL;
CREATE INDEX webhook_delivery_done ON webhook_delivery (done_at) WHERE done_at IS NOT NULL;

-- What happened and is in no queue yet. Written in the transaction in which it happens, while
-- anybody listens.
CREATE TABLE event (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  kind               TEXT NOT NULL,
  device             INTEGER NOT NULL,
  finding            INTEGER,
  at                 INTEGER NOT NULL
);
CREATE TRIGGER event_finding_opened AFTER INSERT ON finding
WHEN NEW.closed_at IS NULL AND EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL)
BEGIN
  INSERT INTO event (kind, device, finding, at)
  VALUES ('finding_opened', NEW.device, NEW.id, NEW.opened_at);
END;
CREATE TRIGGER event_finding_closed AFTER UPDATE OF closed_at ON finding
WHEN OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL
  AND EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL)
BEGIN
  INSERT INTO event (kind, device, finding, at)
  VALUES ('finding_closed', NEW.device, NEW.id, NEW.closed_at);
END;
CREATE TRIGGER event_decided AFTER INSERT ON decision
WHEN NEW.kind IN ('enrolled', 'looks_like', 'clone_suspected', 'cloned')
  AND EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL)
BEGIN
  INSERT INTO event (kind, device, at)
  VALUES (CASE NEW.kind WHEN 'enrolled' THEN 'device_new' ELSE 'device_conflict' END,
    NEW.device, NEW.at);
END;
