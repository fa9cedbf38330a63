import Type from 'typebox';
import { FORGE_KINDS } from '../../domain/forges.js';
import { Later } from '../validation.js';
import { closed, line, listOf, nullable, open, optional, repoId, REPO_ID } from './common.js';

const argv = (description: string) =>
  Type.Array(
    Type.String({ minLength: 1, maxLength: 4096, pattern: '^[^\\u0000]*$', description: 'Text without NUL.' }),
    {
      minItems: 1,
      maxItems: 200,
      description: `${description} An argv array, never a shell line.`,
    },
  );
const duration = (description: string) =>
  Type.String({
    pattern: '^\\d{1,12}(\\.\\d{1,3})?\\s?(ms|s|m|h|d|w)$',
    description: `${description} A number and ms, s, m, h, d or w, like \`15m\`.`,
  });
/** A path inside the tree: relative, no empty part, no `..`, no control characters. */
const treePath = Type.String({
  maxLength: 1000,
  pattern: '^(?!/)(?!.*//)(?!(.*/)?\\.{1,2}(/|$))[^\\u0000-\\u001f]+$',
  description: 'A path inside of the repository, relative and without `..`.',
});

const Auth = closed({
  kind: Type.Enum(['none', 'token', 'ssh-key', 'helper'], { description: 'How the remote is authenticated.' }),
  ref: optional(
    Type.String({
      maxLength: 1000,
      pattern: '^(env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\\u0000-\\u001f]+)$',
      description: '`env:NAME` or `file:PATH` on the host, read there at each use. Never the secret itself.',
    }),
  ),
});

const Setup = closed({
  command: argv('Run at most once per clone and per checked tree.'),
  timeout: Type.Optional(duration('Ends the command; 10 minutes unless given.')),
  cache: Type.Optional(Type.Array(treePath, { maxItems: 50, description: 'Paths kept between runs.' })),
  cacheKey: Type.Optional(
    Type.Array(treePath, {
      maxItems: 50,
      description: 'Files whose content names the cache; the same content restores it.',
    }),
  ),
});

const Check = closed({
  name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'Name of the check, unique.' }),
  kind: Type.Optional(
    Type.Enum(['command', 'external'], {
      description: 'What gives the verdict: a command that is run here, or a status that the forge has of the commit.',
    }),
  ),
  command: Type.Optional(argv('Green is exit 0.')),
  timeout: Type.Optional(
    duration(
      'What takes longer is an infrastructure fault; 20 minutes unless given, an hour where the check is external.',
    ),
  ),
  env: Type.Optional(
    Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' }), Type.String({ maxLength: 8192 }), {
      description: 'Environment of the command.',
    }),
  ),
  needsHistory: Type.Optional(Type.Boolean({ description: 'Gives the check a `.git` with history.' })),
  context: Type.Optional(line(255, 'The forge’s name of an external check: of a status, a check run or a job.')),
});

const Forge = closed({
  kind: Type.Enum([...FORGE_KINDS], { description: 'What kind of forge it is; `gitea` is Forgejo, too.' }),
  api: Type.Optional(
    Type.String({
      maxLength: 1000,
      pattern: '^https?://[^\\s\\u0000-\\u001f]+$',
      description: 'Address of its API: https, or http on this machine. Not needed for github.com and gitlab.com.',
    }),
  ),
  project: Type.String({
    minLength: 3,
    maxLength: 1000,
    pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$',
    description: '`owner/name`; of GitLab also with groups in between.',
  }),
});

const settings = {
  auth: optional(Auth),
  merge: optional(
    closed({
      strategy: Type.Enum(['auto', 'rebase-ff', 'merge', 'squash', 'pr'], {
        description:
          '`auto`: rebase and fast-forward, a merge commit where the range holds merges. `pr`: the same, and a pull request is kept on the forge.',
      }),
    }),
  ),
  forge: optional(Forge),
  checkout: optional(Type.Literal('update', { description: 'Keep a checked-out remote in step after each landing.' })),
  setup: optional(Setup),
  checks: optional(Type.Array(Check, { maxItems: 50, description: 'All are required for landing, in this order.' })),
  pipeline: optional(
    Type.Unknown({
      description: 'Stages of the repository’s tasks; null = `.signalbox/pipeline.yaml` or the built-in one.',
    }),
  ),
  limits: optional(
    closed({
      activeTasks: Later('How many tasks may be active at once.'),
      waitingForPeople: Later('How many tasks may wait for people at once.'),
    }),
  ),
  settings: Later('Settings of this repository alone.'),
  takeOver: Type.Optional(
    Type.Boolean({ description: 'Land on the remote from now on, although another Signalbox instance does.' }),
  ),
};

export const CreateRepo = closed({
  id: repoId,
  remote: Type.String({
    minLength: 1,
    maxLength: 2000,
    pattern: '^[^\\u0000-\\u0020\\u007f][^\\u0000-\\u001f\\u007f]*$',
    description: 'Path or URL of the git remote; the truth about what landed.',
  }),
  base: Type.Optional(line(255, 'Branch that landings reach; `main` unless given.')),
  workItemPrefix: Type.Optional(
    Type.String({
      pattern: '^[A-Z][A-Z0-9]{0,15}$',
      description: 'Before the number of a work item: a capital, then up to 15 capitals or digits; `ET` unless given.',
    }),
  ),
  ...settings,
});
export type CreateRepo = Type.Static<typeof CreateRepo>;

export const PatchRepo = closed(settings);
export type PatchRepo = Type.Static<typeof PatchRepo>;

export const RepoAnswer = open(
  {
    id: Type.String({ pattern: REPO_ID }),
    remote: Type.String(),
    base: Type.String(),
    workItemPrefix: Type.String(),
    auth: Auth,
    merge: open({ strategy: Type.String() }),
    forge: nullable(
      open(
        { kind: Type.String(), api: Type.String(), project: Type.String() },
        'Where it keeps pull requests and statuses: as given, or as the address of the remote says.',
      ),
    ),
    checkout: nullable(Type.String()),
    setup: nullable(Type.Unknown()),
    checks: Type.Array(Type.Unknown()),
    pipeline: nullable(Type.Unknown()),
    limits: open({ activeTasks: Type.Null(), waitingForPeople: Type.Null() }),
    facts: open({}, 'What was found out about the remote.'),
    notes: Type.Array(Type.String(), { description: 'What should be known about it; nothing is wrong.' }),
    adoptedAt: Type.String({ description: 'Tip of base when it was added; the audit begins here.' }),
    createdAt: Type.String(),
  },
  'A registered repository.',
);
export const RepoList = listOf(RepoAnswer);
