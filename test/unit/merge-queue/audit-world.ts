/** Histories as git and the store would show them, made without either: valid until a test damages one thing. */
import type { Again, AuditFacts, HistoryCommit } from '../../../domain/merge-queue/audit-types.js';
import { ourIdent } from '../../../domain/merge-queue/commit.js';
import { entryId, planId, withTrailers } from '../../../domain/merge-queue/plan.js';
import type { Landing, LandingStrategy } from '../../../domain/merge-queue/types.js';
import { contentId } from '../../../domain/content-id.js';

export const oid = (...parts: (string | number)[]): string => `${contentId(...parts)}00000000`;

const PERSON = 'Dev <dev@example.org>';
const START = 1_790_000_000;

export interface Made {
  /** Itself last. */
  segment: HistoryCommit[];
  commit: HistoryCommit;
  row: Landing;
}

export interface LandOptions {
  strategy?: LandingStrategy;
  /** Commits of a rebase. */
  size?: number;
  item?: number;
  generation?: number;
  try?: number;
  attributes?: string | null;
  checked?: boolean;
}

export class AuditWorld {
  readonly adopted = oid('adopted');
  commits: HistoryCommit[] = [];
  made: Made[] = [];
  again: Record<string, Again> = {};
  #n = 0;

  get tip(): string {
    return this.commits.at(-1)?.oid ?? this.adopted;
  }

  /** A person pushes to base. */
  push(message = 'A person was here'): HistoryCommit {
    const ident = `${PERSON} ${START + this.#n} +0100`;
    return this.add({ parents: [this.tip], author: ident, committer: ident, message });
  }

  /** Lands a task as the merge queue would. */
  land(options: LandOptions = {}): Made {
    const { strategy = 'rebase-ff', size = 1, attributes = null } = options;
    const n = this.#n;
    const timestamp = START + n;
    const workItem = `ET-${String(options.item ?? n).padStart(3, '0')}`;
    const { generation = 1, try: tried = 1 } = options;
    const identity = {
      repo: 'web',
      base: 'main',
      task: `web/${workItem}`,
      generation,
      try: tried,
      head: oid('head', n),
    };
    const entry = { ...identity, workItem, entry: entryId(identity) };
    const baseOid = this.tip;
    const message = `Work on ${workItem}`;
    const inputs = { strategy, baseOid, message, attributes, timestamp, entry };
    const plan = planId(inputs);
    const ours = { author: `${PERSON} ${timestamp} +0100`, committer: ourIdent(timestamp), attributes };
    const segment: HistoryCommit[] = [];
    for (let i = 1; strategy === 'rebase-ff' && i < size; i += 1) {
      segment.push(this.add({ ...ours, parents: [this.tip], message: `Step ${i}` }));
    }
    const parents = strategy === 'merge' ? [baseOid, identity.head] : [this.tip];
    const commit = this.add({ ...ours, parents, message: withTrailers(message, { ...inputs, plan }) });
    this.again[commit.oid] = { kind: 'same' };
    const row: Landing = {
      ...{ entry: entry.entry, task: identity.task, generation, head: identity.head, plan, base: baseOid },
      ...{ commit: commit.oid, tree: commit.tree, verdict: options.checked === false ? 'none' : 'green' },
      at: new Date((timestamp + 1) * 1000).toISOString(),
    };
    const made = { segment: [...segment, commit], commit, row };
    this.made.push(made);
    return made;
  }

  /** What the audit is told; `over` is what a test damages. */
  facts(over: Partial<Omit<AuditFacts, 'history'>> & { history?: Partial<AuditFacts['history']> } = {}): AuditFacts {
    const { history, ...rest } = over;
    return {
      ...{ repo: 'web', base: 'main', strict: false, hasChecks: true, accepted: [], openEntries: [] },
      rows: this.made.map(({ row }) => row),
      greenTrees: this.made.filter(({ row }) => row.verdict === 'green').map(({ row }) => row.tree),
      ...rest,
      history: {
        ...{ from: this.adopted, to: this.tip, commits: this.commits, tip: this.tip, notInTip: [], lost: [] },
        ...{ absent: [], again: this.again, recordedSince: 0, rememberedSince: START - 1 },
        ...history,
      },
    };
  }

  private add(
    commit: Pick<HistoryCommit, 'parents' | 'author' | 'committer' | 'message'> & Partial<HistoryCommit>,
  ): HistoryCommit {
    const n = (this.#n += 1);
    const made = {
      attributes: null,
      encoding: null,
      onLine: true,
      ...commit,
      oid: oid('commit', n),
      tree: oid('tree', n),
    };
    this.commits.push(made);
    return made;
  }
}
