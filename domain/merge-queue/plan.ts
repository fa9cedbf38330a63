/**
 * The plan of a landing and its proof. Invariants: the plan id is a function of everything that decides the bytes of
 * the landing; a landing commit carries enough to compute the plan id again, so that a commit with trailers that were
 * merely copied, or written by an agent, proves nothing.
 */
import { contentId } from '../content-id.js';
import { COMMITTER, identSeconds, normaliseMessage, type CommitObject } from './commit.js';
import type { EntryIdentity, LandingPlan, LandingStrategy } from './types.js';

/** entry = H(repo, base, task, generation, head, try). */
export function entryId(e: Omit<EntryIdentity, 'entry' | 'workItem'>): string {
  return contentId(e.repo, e.base, e.task, e.generation, e.head, e.try);
}

export type PlanInputs = Pick<
  LandingPlan,
  'strategy' | 'baseOid' | 'message' | 'attributes' | 'timestamp' | 'stackBase'
> & {
  entry: Pick<EntryIdentity, 'entry' | 'head'>;
};

/** plan = H(base oid, entry, head oid, strategy, message, attributes hash, timestamp, stack base if any). */
export function planId(p: PlanInputs): string {
  const stack = p.stackBase === undefined ? [] : [p.stackBase];
  return contentId(p.baseOid, p.entry.entry, p.entry.head, p.strategy, p.message, p.attributes, p.timestamp, ...stack);
}

/** Whole seconds: never before the request, never before the commit it lands on. */
export function planTimestamp(enqueuedAt: string, baseCommitter: string): number {
  const asked = Math.floor(Date.parse(enqueuedAt) / 1000);
  return Math.max(Number.isFinite(asked) ? asked : 0, identSeconds(baseCommitter));
}

/** Message of a merge landing: the title is data, so it is one line and cannot bring trailers of its own. */
export function mergeMessage(task: string, title: string): string {
  const line = oneLine(title);
  return line === '' ? `Merge ${task}` : `Merge ${task}: ${line}`;
}

function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return Array.from(line).slice(0, 200).join('');
}

const SUBJECTS_SHOWN = 100;
const AUTHORS_NAMED = 50;

/**
 * Message of a squash: the title, what the commits of the range (oldest first) said, and who else wrote them besides
 * the author of the last one, whose authorship the landing keeps. A title that reads like one of our trailers gets the
 * task before it.
 */
export function squashMessage(
  task: string,
  title: string,
  range: readonly Pick<CommitObject, 'author' | 'message' | 'parents'>[],
): string {
  const said = range.filter((c) => c.parents.length < 2).map((c) => `* ${oneLine(c.message.split('\n', 1)[0] ?? '')}`);
  const more = said.length > SUBJECTS_SHOWN ? [`* and ${said.length - SUBJECTS_SHOWN} more`] : [];
  const nameOf = (author: string): string => author.slice(0, author.lastIndexOf('>') + 1);
  const last = nameOf(range.at(-1)?.author ?? '');
  const others = [...new Set(range.map((c) => nameOf(c.author)))].filter((name) => name !== '' && name !== last);
  const paragraphs = [
    hasOurTrailer(oneLine(title)) ? `${task}: ${oneLine(title)}` : oneLine(title) || `Land ${task}`,
    [...said.slice(0, SUBJECTS_SHOWN), ...more].join('\n'),
    others
      .slice(0, AUTHORS_NAMED)
      .map((name) => `Co-authored-by: ${name}`)
      .join('\n'),
  ];
  return paragraphs.filter((p) => p !== '').join('\n\n');
}

const ANY_OF_OURS = /^[ \t]*signalbox-[a-z0-9-]*[ \t]*:/im;

/** True if the message has a line that could be read as one of our trailers. Only landings may carry them. */
export const hasOurTrailer = (message: string): boolean => ANY_OF_OURS.test(message);

const KEYS = ['Head', 'Try', 'Task', 'Entry', 'Plan', 'Base'] as const;
/** Before the others, where there is one. */
const STACK = 'Signalbox-Stack: ';
const TRAILER = /^[A-Za-z0-9][A-Za-z0-9-]*: \S/;

/** Appends the trailers of a landing: joined to a block of trailers that is there, else as a paragraph of their own. */
export function withTrailers(message: string, plan: PlanInputs & { entry: EntryIdentity; plan: string }): string {
  const e = plan.entry;
  const values = [e.head, `${e.generation}.${e.try}`, e.task, e.entry, plan.plan, plan.baseOid];
  const lines = KEYS.map((key, i) => `Signalbox-${key}: ${values[i] ?? ''}`);
  const block = [...(plan.stackBase === undefined ? [] : [`${STACK}${plan.stackBase}`]), ...lines].join('\n');
  const text = normaliseMessage(message);
  const paragraphs = text.split('\n\n');
  const last = paragraphs.at(-1) ?? '';
  const joins = paragraphs.length > 1 && last.split('\n').every((line) => TRAILER.test(line));
  return `${text}${joins ? '\n' : '\n\n'}${block}`;
}

export interface LandingFacts {
  task: string;
  entry: string;
  plan: string;
  baseOid: string;
  head: string;
  generation: number;
  try: number;
  message: string;
  stackBase?: string;
}

/** What the trailers at the end of a commit message claim; null if they are not those of a landing. */
export function readTrailers(message: string): LandingFacts | null {
  const lines = normaliseMessage(message).split('\n');
  const values = KEYS.map((key, i) => {
    const line = lines[lines.length - KEYS.length + i] ?? '';
    const prefix = `Signalbox-${key}: `;
    return line.startsWith(prefix) ? line.slice(prefix.length) : null;
  });
  const [head, tried, task, entry, plan, baseOid] = values;
  const counts = /^(\d{1,9})\.(\d{1,9})$/.exec(tried ?? '');
  if (head == null || task == null || entry == null || plan == null || baseOid == null || counts === null) return null;
  const above = lines.slice(0, -KEYS.length);
  const stacked = above.at(-1)?.startsWith(STACK) === true ? above.pop()?.slice(STACK.length) : undefined;
  return {
    ...{ task, entry, plan, baseOid, head },
    generation: Number(counts[1]),
    try: Number(counts[2]),
    message: normaliseMessage(above.join('\n')),
    ...(stacked === undefined ? {} : { stackBase: stacked }),
  };
}

/** A landing that proves; the strategy is the one that its plan id comes out with. */
export interface ProvenFacts extends LandingFacts {
  strategy: LandingStrategy;
}

/**
 * The landing that a commit proves, or null: our committer, our trailers, entry and plan ids that come out again.
 * `attributes` is the hash for the base it names, computed by the caller.
 */
export function provenLanding(
  commit: CommitObject,
  repo: string,
  base: string,
  attributes: string | null,
): ProvenFacts | null {
  if (!commit.committer.startsWith(`${COMMITTER} `)) return null;
  const facts = readTrailers(commit.message);
  if (facts === null) return null;
  if (entryId({ repo, base, ...facts }) !== facts.entry) return null;
  const merge = commit.parents.length === 2;
  if (commit.parents[0] === undefined || commit.parents.length > 2) return null;
  if (merge && (commit.parents[0] !== facts.baseOid || commit.parents[1] !== facts.head)) return null;
  const { baseOid, message, stackBase } = facts;
  const parts = { baseOid, message, attributes, entry: facts, ...(stackBase !== undefined && { stackBase }) };
  const timestamp = identSeconds(commit.committer);
  const made = (strategy: LandingStrategy): boolean => facts.plan === planId({ strategy, ...parts, timestamp });
  if (merge) return made('merge') ? { ...facts, strategy: 'merge' } : null;
  if (made('rebase-ff')) return { ...facts, strategy: 'rebase-ff' };
  return commit.parents[0] === facts.baseOid && made('squash') ? { ...facts, strategy: 'squash' } : null;
}
