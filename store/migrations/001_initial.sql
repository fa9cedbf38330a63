-- Up Migration

CREATE TABLE repos (
  id            text PRIMARY KEY,
  remote        text NOT NULL,
  -- The remote after normalising its address; one remote and base belong to one repository.
  remote_key    text NOT NULL,
  base          text NOT NULL,
  prefix        text NOT NULL,
  -- The validated request: auth (by reference), merge, setup, checks, pipeline, checkout.
  config        jsonb NOT NULL,
  -- What was found out about the remote: {headsPrefix, tipPrefix, bare, checkedOut}.
  facts         jsonb NOT NULL,
  -- Base at `repo add`: where the audit begins.
  adopted_at    text NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  UNIQUE (remote_key, base)
);

CREATE TABLE tasks (
  repo          text NOT NULL REFERENCES repos(id),
  work_item     text NOT NULL,
  prefix        text NOT NULL,
  number        integer NOT NULL,
  title         text NOT NULL,
  description   text NOT NULL DEFAULT '',
  source        text,
  external_id   text,
  branch        text NOT NULL,
  priority      text NOT NULL DEFAULT 'normal',
  pipeline      jsonb NOT NULL,
  max_attempts  integer,
  generation    integer NOT NULL DEFAULT 1,
  state         text NOT NULL DEFAULT 'queued',
  stage         text NOT NULL DEFAULT 'created',
  agent_running text,
  head          text,
  waiting_on    jsonb,
  landed        jsonb,
  counters      jsonb NOT NULL DEFAULT '{"faults":0,"transient":0,"followUps":0,"humanWaits":0}',
  human_seconds double precision NOT NULL DEFAULT 0,
  submitted_by  text,
  -- Version of the mirrored picture: an older one never wins.
  mirror_run    text,
  mirror_seq    integer NOT NULL DEFAULT 0,
  -- Workflow runs that were followed by another one: nothing of theirs counts any more.
  mirror_past   text[] NOT NULL DEFAULT '{}',
  created_at    timestamptz NOT NULL DEFAULT now(),
  -- Moves with the stage only, so that age = time in the stage.
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (repo, work_item),
  UNIQUE (repo, prefix, number),
  CHECK ((source IS NULL) = (external_id IS NULL))
);
CREATE UNIQUE INDEX tasks_external ON tasks (source, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX tasks_live_branch ON tasks (repo, branch) WHERE state NOT IN ('done', 'failed', 'cancelled');
CREATE INDEX tasks_by_age ON tasks (created_at, repo, work_item);

-- Highest number of a repository that was deleted: its heads and landings are still on the remote, so that another
-- task must never bear the same name.
CREATE TABLE used_numbers (
  repo          text NOT NULL,
  prefix        text NOT NULL,
  highest       integer NOT NULL,
  PRIMARY KEY (repo, prefix)
);

-- Executions of stages (agent, check): what /api/queue shows, and the line for agent slots.
CREATE TABLE jobs (
  id            bigserial PRIMARY KEY,
  run_id        text NOT NULL UNIQUE,
  repo          text NOT NULL,
  work_item     text,
  generation    integer NOT NULL DEFAULT 1,
  stage         text NOT NULL,
  kind          text NOT NULL,
  agent         text,
  attempt       integer NOT NULL,
  status        text NOT NULL DEFAULT 'queued',
  host          text,
  prefer_host   text,
  workflow_id   text NOT NULL,
  error         text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  started_at    timestamptz,
  finished_at   timestamptz
);
CREATE INDEX jobs_by_status ON jobs (status, id);
CREATE INDEX jobs_by_task ON jobs (repo, work_item, id);

CREATE TABLE agent_runs (
  id            text PRIMARY KEY,
  repo          text NOT NULL,
  work_item     text NOT NULL,
  generation    integer NOT NULL,
  stage         text NOT NULL,
  attempt       integer NOT NULL,
  agent         text NOT NULL,
  adapter       text NOT NULL,
  model         text,
  effort        text,
  status        text NOT NULL DEFAULT 'running',
  -- Rises with each worker attempt that takes the run over: only the newest may signal it or store its result.
  fence         integer NOT NULL DEFAULT 0,
  exit_code     integer,
  failure_class text,
  usage         jsonb,
  cost_usd      double precision,
  cost_known    boolean NOT NULL DEFAULT false,
  host          text NOT NULL,
  pid           integer,
  log_path      text,
  report        jsonb,
  started_at    timestamptz NOT NULL DEFAULT now(),
  finished_at   timestamptz
);
CREATE INDEX agent_runs_by_task ON agent_runs (repo, work_item, started_at);

-- One decision for each (task, stage, sha) of a generation, for ever.
CREATE TABLE decisions (
  repo          text NOT NULL,
  work_item     text NOT NULL,
  generation    integer NOT NULL,
  stage         text NOT NULL,
  sha           text NOT NULL,
  verdict       text NOT NULL,
  by            text NOT NULL,
  reason        text,
  intent        bigint,
  at            timestamptz NOT NULL,
  PRIMARY KEY (repo, work_item, generation, stage, sha)
);

CREATE TABLE merge_queues (
  repo          text NOT NULL,
  base          text NOT NULL,
  view          jsonb NOT NULL,
  mirror_run    text,
  mirror_seq    integer NOT NULL DEFAULT 0,
  mirror_past   text[] NOT NULL DEFAULT '{}',
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (repo, base)
);

CREATE TABLE merge_entries (
  entry         text PRIMARY KEY,
  repo          text NOT NULL,
  base          text NOT NULL,
  work_item     text NOT NULL,
  generation    integer NOT NULL,
  head          text NOT NULL,
  try           integer NOT NULL,
  request       jsonb NOT NULL,
  outcome       jsonb,
  created_at    timestamptz NOT NULL DEFAULT now(),
  settled_at    timestamptz
);
CREATE INDEX merge_entries_open ON merge_entries (repo, base) WHERE outcome IS NULL;

CREATE TABLE verdicts (
  key           text PRIMARY KEY,
  repo          text NOT NULL,
  tree          text NOT NULL,
  config_hash   text NOT NULL,
  verdict       text NOT NULL,
  failed        jsonb,
  flaky         boolean NOT NULL DEFAULT false,
  reason        text,
  runs          jsonb NOT NULL,
  at            timestamptz NOT NULL
);

CREATE TABLE landings (
  entry         text PRIMARY KEY,
  -- Order of recording, which is the order of landing: one publish at a time.
  seq           bigserial,
  repo          text NOT NULL,
  base          text NOT NULL,
  task          text NOT NULL,
  work_item     text NOT NULL,
  generation    integer NOT NULL,
  plan          text NOT NULL,
  head          text NOT NULL,
  commit        text NOT NULL,
  tree          text NOT NULL,
  base_oid      text NOT NULL,
  verdict       text NOT NULL,
  at            timestamptz NOT NULL,
  UNIQUE (repo, work_item, generation)
);
CREATE INDEX landings_newest ON landings (repo, base, seq DESC);

CREATE TABLE hosts (
  id            text PRIMARY KEY,
  -- Rises with each worker process: an older one may not speak for the host.
  incarnation   bigint NOT NULL,
  pid           integer NOT NULL,
  agent_slots   integer NOT NULL,
  check_slots   integer NOT NULL,
  info          jsonb NOT NULL DEFAULT '{}',
  started_at    timestamptz NOT NULL DEFAULT now(),
  last_seen_at  timestamptz NOT NULL DEFAULT now(),
  -- A worker that shut down in order says so.
  stopped_at    timestamptz
);

CREATE TABLE repo_gate (
  id            bigserial PRIMARY KEY,
  repo          text NOT NULL REFERENCES repos(id),
  kind          text NOT NULL CHECK (kind IN ('pause', 'drain', 'freeze')),
  scope         text NOT NULL DEFAULT 'all' CHECK (scope IN ('all', 'admission', 'landing')),
  base          text,
  reason        text NOT NULL,
  by            text NOT NULL,
  since         timestamptz NOT NULL DEFAULT now(),
  cleared_at    timestamptz,
  cleared_by    text
);
CREATE INDEX repo_gate_active ON repo_gate (repo) WHERE cleared_at IS NULL;

CREATE TABLE agent_profiles (
  name          text PRIMARY KEY,
  profile       jsonb NOT NULL,
  updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_tokens (
  id            text PRIMARY KEY,
  name          text NOT NULL,
  -- SHA-256 of the secret, never the secret.
  hash          bytea NOT NULL UNIQUE,
  scopes        text[] NOT NULL,
  repos         text[],
  expires_at    timestamptz,
  revoked_at    timestamptz,
  last_used_at  timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tickets (
  hash          bytea PRIMARY KEY,
  token_id      text NOT NULL,
  expires_at    timestamptz NOT NULL
);

CREATE TABLE audit (
  id            bigserial PRIMARY KEY,
  at            timestamptz NOT NULL DEFAULT now(),
  actor         text NOT NULL,
  action        text NOT NULL,
  subject       text NOT NULL,
  -- 'accepted', or 'refused' with the error code.
  result        text NOT NULL,
  detail        jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE idempotency_keys (
  key           text NOT NULL,
  token_id      text NOT NULL,
  body_hash     bytea NOT NULL,
  status        integer,
  response      jsonb,
  created_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (key, token_id)
);

-- Effects to carry out after the commit that wanted them; each is idempotent by its key.
CREATE TABLE outbox (
  id            bigserial PRIMARY KEY,
  key           text NOT NULL UNIQUE,
  -- 'start-task' | 'run-granted' | 'gate-changed'
  kind          text NOT NULL,
  payload       jsonb NOT NULL,
  attempts      integer NOT NULL DEFAULT 0,
  error         text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  available_at  timestamptz NOT NULL DEFAULT now(),
  done_at       timestamptz
);
CREATE INDEX outbox_open ON outbox (available_at) WHERE done_at IS NULL;

-- What /api/events tells; id is the SSE event id. Also the timeline of a task.
CREATE TABLE events (
  id            bigserial PRIMARY KEY,
  at            timestamptz NOT NULL DEFAULT now(),
  -- 'task' | 'merge-queue' | 'freeze'
  kind          text NOT NULL,
  repo          text NOT NULL,
  subject       text NOT NULL,
  data          jsonb NOT NULL
);
CREATE INDEX events_by_subject ON events (subject, id);
CREATE INDEX events_by_repo ON events (repo, id);
