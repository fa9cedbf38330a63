-- Up Migration

-- What a worker gave a supervisor at its start: the key that vouches for the exit record, and where the run began. Not
-- in the run directory, where an agent writes by name; activities/agents/warrant.ts says what this is worth.
CREATE TABLE run_keys (
  run_id        text NOT NULL REFERENCES jobs(run_id) ON DELETE CASCADE,
  key           text NOT NULL,
  -- {start, base, setUp} of an agent's run; null for a check.
  facts         jsonb,
  created_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, key)
);

-- Since when the host of a running job is not heard of, as its workflow was told; null = it lives.
ALTER TABLE jobs ADD COLUMN host_away_since timestamptz;

-- Why a task ended that did not end itself.
ALTER TABLE tasks ADD COLUMN end_reason text;
