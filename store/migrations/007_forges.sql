-- Up Migration

-- The pull request of a task: what the forge should show, and what it shows as far as it is known.
CREATE TABLE pull_requests (
  repo          text NOT NULL,
  work_item     text NOT NULL,
  -- Rises with each change of the task that the forge should show.
  wanted        integer NOT NULL DEFAULT 1,
  -- The value of wanted that was carried out last.
  shown         integer NOT NULL DEFAULT 0,
  number        integer,
  url           text,
  -- 'open' | 'merged' | 'closed'
  state         text,
  -- Title and body as they were written last, as a hash: what people write there since stays.
  text_hash     text,
  -- Why the forge is behind; null when it is not.
  error         text,
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (repo, work_item)
);

-- Check workflows that wait for what a forge says of a commit: news of it wakes them.
CREATE TABLE external_waits (
  workflow_id   text NOT NULL,
  context       text NOT NULL,
  repo          text NOT NULL,
  sha           text NOT NULL,
  work_item     text,
  since         timestamptz NOT NULL DEFAULT now(),
  until         timestamptz NOT NULL,
  -- What was read last, and when.
  seen          text,
  seen_url      text,
  seen_at       timestamptz,
  PRIMARY KEY (workflow_id, context)
);
CREATE INDEX external_waits_by_sha ON external_waits (repo, sha);

CREATE TABLE hooks (
  id            text PRIMARY KEY,
  source        text NOT NULL,
  -- At most two, so that one can replace the other; a signature is made with the secret itself.
  secrets       text[] NOT NULL,
  -- owner/name at the forge → id of a repository.
  projects      jsonb NOT NULL DEFAULT '{}',
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now()
);

-- Deliveries that were taken in: the same one again does nothing.
CREATE TABLE deliveries (
  hook          text NOT NULL,
  -- The id that the sender gave it, else a hash of its content.
  key           text NOT NULL,
  at            timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (hook, key)
);
CREATE INDEX deliveries_by_age ON deliveries (at);
