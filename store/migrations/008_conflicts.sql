-- Up Migration

-- What git says of merging two commits: base with a head, or two heads. Only of what lives: the rest is deleted by the
-- scan that finds it gone.
CREATE TABLE merge_predictions (
  repo          text NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
  base          text NOT NULL,
  -- Blob of the merge attributes of base that it was asked with; '' = none.
  attributes    text NOT NULL,
  a             text NOT NULL,
  b             text NOT NULL,
  kind          text NOT NULL CHECK (kind IN ('clean', 'conflict', 'unrelated')),
  paths         jsonb NOT NULL DEFAULT '[]',
  PRIMARY KEY (repo, base, attributes, a, b)
);
CREATE INDEX merge_predictions_conflicts ON merge_predictions (repo, base) WHERE kind = 'conflict';

-- Live tasks whose work cannot land as things are; a row goes when it can.
CREATE TABLE conflict_flags (
  repo          text NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
  base          text NOT NULL,
  work_item     text NOT NULL,
  head          text NOT NULL,
  since         timestamptz NOT NULL,
  -- [{kind, name, oid, paths}]
  against       jsonb NOT NULL,
  PRIMARY KEY (repo, base, work_item)
);

CREATE TABLE conflict_scans (
  repo          text NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
  base          text NOT NULL,
  -- Counts the scans that began; `stored` is the newest that ended: an older one never wins.
  begun         bigint NOT NULL DEFAULT 0,
  stored        bigint NOT NULL DEFAULT 0,
  base_oid      text,
  attributes    text,
  -- What it looked at: [{task, head, place}].
  live          jsonb,
  -- {scanned, flagged, cleared, notified, heads, pairs, asked, seconds}
  report        jsonb,
  at            timestamptz,
  -- Why the last one could not be made; null = it could.
  fault         text,
  PRIMARY KEY (repo, base)
);
