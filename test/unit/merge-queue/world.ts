/** A model of everything around the queue: the remote, the checks, the rows, and messages that go astray. */
import type { Verdict } from '../../../domain/checks/types.js';
import type { QueueCommand } from '../../../domain/merge-queue/commands.js';
import type { QueueEvent } from '../../../domain/merge-queue/events.js';
import { reduceQueue } from '../../../domain/merge-queue/reduce.js';
import { contentId } from '../../../domain/content-id.js';
import { emptyQueue, type QueueEntry, type QueueState, type QueueTimes } from '../../../domain/merge-queue/state.js';
import type {
  EnqueueRequest,
  EntryEdit,
  FenceResult,
  Gate,
  Landing,
  LandingPlan,
  MergeOutcome,
  PrepareResult,
  PublishResult,
  QueueBlock,
} from '../../../domain/merge-queue/types.js';
import { PRIORITIES, type Priority } from '../../../domain/tasks.js';

export const REPAIR_WAIT = 3_600_000;
export const TIMES: QueueTimes = {
  ...{ mergeLease: 900_000, hostStale: 120_000, backoffBase: 10_000, backoffMax: 600_000 },
  repairWait: REPAIR_WAIT,
};

export interface Nature {
  /** In these paths. */
  conflict?: string[];
  red?: boolean;
  /** Turns a red base green. */
  fix?: boolean;
}

type Asked = Exclude<QueueCommand, { kind: 'cancel' | 'tell' }>;
interface Flight {
  command: Asked;
  /** The queue has its answer or does not want it any more. */
  zombie: boolean;
  answer: QueueEvent | null;
}

export function request(n: number, priority: Priority = 'normal', nth = 1): EnqueueRequest {
  const task = `web/ET-${String(n).padStart(3, '0')}`;
  return {
    ...{ repo: 'web', base: 'main', task, workItem: task.slice(4), generation: 1, head: `h${n}.${nth}`, try: nth },
    ...{
      entry: `e${n}.${nth}`,
      workflowId: `task/${task}`,
      title: `T${n}`,
      priority,
      enqueuedAt: '2026-01-01T00:00:00Z',
    },
  };
}

const overlap = (a: readonly string[], b: readonly string[]): boolean => a.some((path) => b.includes(path));

/** Looks at every step: repairs of the same paths come one after the other, and nobody waits too long or in a circle. */
class RepairWatch {
  readonly away = new Map<string, { paths: string[]; since: number }>();
  waits = 0;
  private readonly conflictedAt = new Map<string, number>();

  watch(before: QueueState, event: QueueEvent, after: QueueState, now: number): void {
    if (event.kind === 'taskEnded') this.away.delete(event.task);
    const known = new Set(before.entries.map((e) => e.request.entry));
    const left = before.entries.filter((e) => !after.entries.some((x) => x.request.entry === e.request.entry));
    for (const { request } of after.entries.filter((e) => !known.has(e.request.entry))) this.away.delete(request.task);
    if (event.kind === 'prepared' && event.result.kind === 'conflict') {
      const { entry } = before.calls.find((c) => c.id === event.call) ?? {};
      if (entry != null && !this.conflictedAt.has(entry)) this.conflictedAt.set(entry, now);
      const gone = left.find((e) => e.request.entry === entry);
      if (gone && after.conflicts) this.sent(gone.request, event.result.conflict.paths, now);
    }
    for (const entry of after.entries) this.waiting(entry, after, now);
  }

  private sent({ entry, task }: EnqueueRequest, paths: string[], now: number): void {
    const patient = now < (this.conflictedAt.get(entry) ?? now) + REPAIR_WAIT;
    for (const [other, repair] of this.away) {
      if (other === task || now >= repair.since + REPAIR_WAIT || !patient) continue;
      if (overlap(repair.paths, paths)) throw new Error(`${task} and ${other} repair the same paths at once`);
    }
    this.away.set(task, { paths, since: now });
  }

  private waiting({ request, waitsFor, phase }: QueueEntry, { entries }: QueueState, now: number): void {
    if (waitsFor == null) return;
    this.waits += 1;
    if (phase !== 'queued') throw new Error('an entry that waits for a repair was taken up');
    if (waitsFor.until <= now || waitsFor.until > (this.conflictedAt.get(request.entry) ?? 0) + REPAIR_WAIT) {
      throw new Error('waits for a repair for too long');
    }
    const seen = [request.task];
    for (let next: string | undefined = waitsFor.task; next !== undefined;) {
      if (seen.includes(next)) throw new Error(`waiting in a circle: ${seen.join(' ')}`);
      seen.push(next);
      const task: string = next;
      next = entries.find((e) => e.request.task === task)?.waitsFor?.task;
    }
  }
}

export class World {
  state: QueueState = emptyQueue('web', 'main');
  now = 1_000_000;
  deadline: number | null = null;
  flights: Flight[] = [];
  /** Signals of checks under way. */
  running: Verdict[] = [];
  base: { id: string; red: boolean; entry: string | null }[] = [{ id: 'root', red: false, entry: null }];
  tip = 'root';
  tips = new Set(['root']);
  nonce = 0;
  gates: Gate[] = [];
  gateSeq = 0;
  /** What the rows of entries say that people decided. */
  edits = new Map<string, EntryEdit>();
  hosts = ['a', 'b'];
  pushRefused = false;
  natures = new Map<string, Nature>();
  pushes = new Map<string, number>();
  rows = new Map<string, MergeOutcome>();
  lastLanded = 'root';
  told = new Map<string, MergeOutcome[]>();
  sent: QueueCommand[] = [];
  startOrder: string[] = [];
  /** By arrival: how many later ones were taken up before it. */
  passed = new Map<number, number>();
  checksAtOnce = false;
  /** Does not look whether the reducer leaves its input alone: long histories are quicker. */
  trusting = false;
  /** Of those that were passed, how often it was while they waited for a repair. */
  excused = new Map<number, number>();
  /** Tasks that mend a conflict, by what they touch and since when. */
  readonly repairs = new RepairWatch();

  constructor() {
    this.feed({ kind: 'restored' });
  }

  top(): { id: string; red: boolean } {
    const top = this.base.at(-1);
    if (!top) throw new Error('base is never empty');
    return top;
  }

  feed(event: QueueEvent): void {
    const before = this.state;
    const frozen = this.trusting ? '' : JSON.stringify(before);
    const step = reduceQueue(before, event, this.now, TIMES);
    if (!this.trusting && JSON.stringify(before) !== frozen)
      throw new Error(`the reducer changed its input at ${event.kind}`);
    this.state = step.state;
    this.deadline = step.deadline;
    if (step.deadline !== null && step.deadline <= this.now) throw new Error('a deadline in the past');
    this.watchOrder(before);
    this.watchBounds();
    this.repairs.watch(before, event, this.state, this.now);
    for (const command of step.commands) this.carryOut(command);
  }

  /** An entry is in one place; and what the queue remembers of the past does not grow with it. */
  private watchBounds(): void {
    const { entries, settled, calls, tombstones, seenGates, verdicts, durations, repairs } = this.state;
    const names = [...entries.map((e) => e.request.entry), ...settled.map((e) => e.identity.entry)];
    if (new Set(names).size !== names.length) throw new Error('an entry in two places');
    // One of a kind, but checks that nobody waits for any more: each is let go by itself.
    const asked = calls.filter((c) => c.kind !== 'letGo' && (c.entry !== null || !c.kind.startsWith('check')));
    const kinds = asked.map((c) => c.kind);
    if (new Set(kinds).size !== kinds.length) throw new Error(`at once: ${kinds.join(' ')}`);
    const unsaved = settled.filter((e) => !e.recorded).length;
    if (settled.length > 200 + unsaved) throw new Error('the settled pile up');
    const kept = { tombstones: 200, seenGates: 50, verdicts: 4, durations: 20, repairs: 50 };
    for (const [name, list] of Object.entries({ tombstones, seenGates, verdicts, durations, repairs })) {
      if (list.length > kept[name as keyof typeof kept]) throw new Error(`${name} pile up`);
    }
  }

  /** Whoever is taken up is the most urgent and oldest of those that may start. */
  private watchOrder(before: QueueState): void {
    const active = this.state.entries.filter((e) => e.phase !== 'queued');
    if (active.length > 1) throw new Error('two entries past queued');
    const [entry] = active;
    const old = before.entries.find((e) => e.request.entry === entry?.request.entry);
    if (!entry || (old && old.phase !== 'queued')) return;
    this.startOrder.push(entry.request.entry);
    const rank = (e: QueueEntry): number => PRIORITIES.indexOf(e.edit?.priority ?? e.request.priority);
    const aged = (e: QueueEntry): number => Math.max(0, rank(e) - Math.floor((this.passed.get(e.seq) ?? 0) / 5));
    for (const other of this.state.entries) {
      if ((this.state.gates ?? []).some((g) => g.kind === 'freeze') && other.edit?.fix !== true) continue;
      if (this.state.drainBefore !== null && other.seq >= this.state.drainBefore) continue;
      if (other.waitsFor != null) continue;
      const diff = aged(other) - aged(entry);
      if (diff < 0 || (diff === 0 && other.seq < entry.seq)) throw new Error('taken up out of order');
    }
    for (const other of this.state.entries) {
      if (other.seq >= entry.seq) continue;
      const passed = (this.passed.get(other.seq) ?? 0) + 1;
      this.passed.set(other.seq, passed);
      // A priority that was lowered later has its own bound.
      if (other.waitsFor != null) this.excused.set(other.seq, (this.excused.get(other.seq) ?? 0) + 1);
      if (passed - (this.excused.get(other.seq) ?? 0) > 15) throw new Error('starved');
    }
  }

  private carryOut(command: QueueCommand): void {
    this.sent.push(command);
    if (command.kind === 'tell') {
      if (!this.rows.has(command.entry)) throw new Error('told before it was recorded');
      this.told.set(command.entry, [...(this.told.get(command.entry) ?? []), command.outcome]);
      return;
    }
    if (command.kind === 'cancel') {
      for (const f of this.flights) if (f.command.call === command.call) f.zombie = true;
      return;
    }
    if (command.kind === 'predict') {
      if (this.state.calls.some((c) => c.entry !== null)) throw new Error('a prediction beside a landing');
      if (this.flights.some((f) => !f.zombie && f.command.kind === 'predict'))
        throw new Error('two predictions at once');
    }
    if (command.kind === 'publish') {
      const other = this.flights.some((f) => !f.zombie && f.command.kind === 'publish');
      if (other) throw new Error('two publishes at once');
      if (this.state.block) throw new Error('a publish while blocked');
      const fix = this.state.entries.some((e) => e.request.entry === command.plan.entry.entry && e.edit?.fix === true);
      const closed = (this.state.gates ?? []).some((g) => g.kind === 'pause' || (g.kind === 'freeze' && !fix));
      if (closed) throw new Error('a publish while paused or frozen');
      if (command.verdict.tree !== command.plan.tree) throw new Error('a publish of an unchecked tree');
      const proofs = this.state.entries.find((e) => e.request.entry === command.plan.entry.entry);
      if (!proofs) throw new Error('a publish of an entry that is not there');
    }
    this.flights.push({ command, zombie: false, answer: null });
  }

  private fault(reason: string): QueueBlock {
    const since = new Date(this.now).toISOString();
    const code = reason === 'push' ? 'push-refused' : reason === 'tip' ? 'tip-missing' : 'base-rewound';
    return { code, reason, clearedBy: 'signalbox resume', baseOid: this.top().id, since };
  }

  private landing(plan: LandingPlan): Landing {
    const { entry, task, generation, head } = plan.entry;
    const at = new Date(this.now).toISOString();
    const { commit, tree, baseOid: base } = plan;
    return { ...{ entry, task, generation, head, verdict: 'green', commit, tree, base }, plan: plan.plan, at };
  }

  private prepare(r: EnqueueRequest, acceptTip: string | null): PrepareResult {
    const must = acceptTip ?? this.lastLanded;
    if (!this.base.some((b) => b.id === must)) return { kind: 'blocked', block: this.fault('rewound') };
    if (this.tip === '' && acceptTip === null) return { kind: 'blocked', block: this.fault('tip') };
    if (this.tip === '') this.tip = this.top().id;
    const { entry } = r;
    const before = this.base.find((b) => b.entry === entry);
    const plan = this.plan(r, before?.id ?? `c.${contentId(entry, this.top().id, this.tip)}`);
    if (before) return { kind: 'landed', landing: this.landing(plan) };
    const paths = this.natures.get(entry)?.conflict;
    if (paths !== undefined) return { kind: 'conflict', conflict: { paths, hunks: 'x' }, baseOid: this.top().id };
    return { kind: 'planned', plan };
  }

  private plan(r: EnqueueRequest, commit: string): LandingPlan {
    const { id } = this.top();
    return {
      ...{ plan: `p.${commit}`, entry: r, strategy: 'merge', baseOid: id, lastTip: this.tip },
      ...{ message: r.title, attributes: null, timestamp: 1, commit, tree: `t.${commit}` },
    };
  }

  private resolve(plan: LandingPlan): FenceResult | null {
    if (this.base.some((b) => b.id === plan.commit)) return { kind: 'landed', landing: this.landing(plan) };
    if (this.tips.has(plan.commit)) return { kind: 'blocked', block: this.fault('rewound') };
    return null;
  }

  private publish(plan: LandingPlan): PublishResult {
    const known = this.resolve(plan);
    if (known && known.kind !== 'not-landed') return known;
    const fix = this.edits.get(plan.entry.entry)?.fix === true;
    if (this.gates.some((g) => g.kind === 'pause' || (g.kind === 'freeze' && !fix))) {
      return { kind: 'gated', reason: 'gate' };
    }
    if (this.pushRefused) return { kind: 'blocked', block: this.fault('push') };
    if (this.tip === '') return { kind: 'blocked', block: this.fault('tip') };
    if (this.top().id !== plan.baseOid || this.tip !== plan.lastTip) return { kind: 'stale', reason: 'moved' };
    const { entry } = plan.entry;
    this.pushes.set(entry, (this.pushes.get(entry) ?? 0) + 1);
    this.base.push({ id: plan.commit, red: this.top().red && this.natures.get(entry)?.fix !== true, entry });
    this.tip = plan.commit;
    this.tips.add(plan.commit);
    return { kind: 'landed', landing: this.landing(plan) };
  }

  private fence(plan: LandingPlan | null): FenceResult {
    const known = plan && this.resolve(plan);
    if (this.tip === '') return known?.kind === 'landed' ? known : { kind: 'blocked', block: this.fault('tip') };
    this.tip = `nonce${++this.nonce}`;
    return known ?? { kind: 'not-landed', tip: this.tip };
  }

  private verdict(tree: string, red: boolean): Verdict {
    const failed = red ? { name: 'unit', command: ['t'], exitCode: 1, tail: 'no' } : null;
    const verdict = red ? 'red' : 'green';
    const key = `web/${tree}/cfg`;
    return { key, repo: 'web', tree, configHash: 'cfg', verdict, failed, flaky: false, reason: null, at: '' };
  }

  private checkOf(verdict: Verdict): { kind: 'verdict'; verdict: Verdict } | { kind: 'pending'; key: string } {
    if (this.checksAtOnce) return { kind: 'verdict', verdict };
    this.running.push(verdict);
    return { kind: 'pending', key: verdict.key };
  }

  private effect(command: Asked): QueueEvent {
    const { call } = command;
    switch (command.kind) {
      case 'pickHost': {
        const keep = command.prefer !== null && this.hosts.includes(command.prefer);
        return { kind: 'hostPicked', call, host: keep ? command.prefer : (this.hosts[0] ?? null) };
      }
      case 'prepare':
        return { kind: 'prepared', call, result: this.prepare(command.request, command.acceptTip) };
      case 'check': {
        const nature = this.natures.get(command.plan.entry.entry);
        const baseRed = this.base.find((b) => b.id === command.plan.baseOid)?.red === true;
        const red = nature?.red === true || (baseRed && nature?.fix !== true);
        return { kind: 'checked', call, reply: this.checkOf(this.verdict(command.plan.tree, red)) };
      }
      case 'checkBase': {
        const red = this.base.find((b) => b.id === command.baseOid)?.red === true;
        return { kind: 'baseChecked', call, reply: this.checkOf(this.verdict(`t.${command.baseOid}`, red)) };
      }
      case 'publish':
        return { kind: 'published', call, result: this.publish(command.plan) };
      case 'fence':
        return { kind: 'fenced', call, result: this.fence(command.plan) };
      case 'letGo':
        // Nobody is told any more.
        this.running = this.running.filter((verdict) => verdict.key !== command.key);
        return { kind: 'letGone', call };
      case 'predict':
        return { kind: 'predicted', call, baseOid: this.top().id };
      case 'readGates':
        return { kind: 'gatesRead', call, gates: [...this.gates] };
      case 'record':
        for (const { identity, outcome } of command.settled) {
          const old = this.rows.get(identity.entry);
          if (old && old.kind !== outcome.kind) throw new Error(`outcome changed from ${old.kind} to ${outcome.kind}`);
          if (outcome.kind === 'landed' && !old) this.lastLanded = outcome.landing.commit;
          this.rows.set(identity.entry, outcome);
        }
        return { kind: 'recorded', call };
    }
  }

  private flight(n: number): Flight | null {
    return this.flights[n % Math.max(1, this.flights.length)] ?? null;
  }

  /** The effect takes place; the answer is on its way. A dropped call may still do it: nobody can call it back. */
  act(n: number): void {
    const f = this.flight(n);
    if (f) f.answer ??= this.effect(f.command);
  }

  /** The answer arrives (late ones of dropped calls as well). `again`: and stays on its way. */
  deliver(n: number, again = false): void {
    const f = this.flight(n);
    if (!f) return;
    f.answer ??= this.effect(f.command);
    if (!again) this.flights = this.flights.filter((x) => x !== f);
    f.zombie = true;
    this.feed(f.answer);
  }

  /** The infrastructure gives up, whether or not the effect took place. */
  fail(n: number): void {
    const f = this.flight(n);
    if (!f) return;
    if (f.command.kind !== 'publish') this.flights = this.flights.filter((x) => x !== f);
    this.feed({ kind: 'failed', call: f.command.call, message: 'lost' });
    f.zombie = true;
  }

  signal(n: number, mode: 'once' | 'again' | 'lost' | 'fault'): void {
    const v = this.running[n % Math.max(1, this.running.length)];
    if (!v) return;
    if (mode !== 'again') this.running = this.running.filter((x) => x !== v);
    if (mode === 'lost') return;
    const verdict: Verdict = mode === 'fault' ? { ...v, verdict: 'fault', failed: null, reason: 'timeout' } : v;
    this.feed({ kind: 'checkSettled', key: v.key, verdict });
  }

  /** The run dies and another takes its state over; what was in flight may still happen. */
  crash(): void {
    this.state = JSON.parse(JSON.stringify(this.state)) as QueueState;
    for (const f of this.flights) f.zombie = true;
    this.feed({ kind: 'restored' });
  }

  enqueue(r: EnqueueRequest, nature: Nature = {}): void {
    if (!this.natures.has(r.entry)) this.natures.set(r.entry, nature);
    this.feed({ kind: 'enqueue', request: r, edit: this.edits.get(r.entry) });
  }

  /** A person's word about an entry: the row first, then the queue hears of it. */
  edit(entry: string, change: { priority?: Priority | null; fix?: boolean }): void {
    const old = this.edits.get(entry) ?? { version: 0, priority: null, fix: false };
    const edit = { ...old, ...change, version: old.version + 1 };
    this.edits.set(entry, edit);
    this.feed({ kind: 'entryEdited', entry, edit });
  }

  markFix(entry: string, fix = true): void {
    this.edit(entry, { fix });
  }

  gate(kind: Gate['kind'], scope: Gate['scope'] = 'all', base: string | null = null): void {
    const id = ++this.gateSeq;
    this.gates.push({ id, repo: 'web', kind, scope, base, reason: kind, by: 'ada', since: '' });
    this.feed({ kind: 'gateChanged', id: `g${id}`, acceptTip: null });
  }

  /** The queue hears of it whether or not a gate stood. */
  resume(accept = false): void {
    this.gates = [];
    this.feed({ kind: 'gateChanged', id: `g${++this.gateSeq}`, acceptTip: accept ? this.top().id : null });
  }

  private needsAccept(): boolean {
    return this.state.block?.code === 'base-rewound' || this.state.block?.code === 'tip-missing';
  }

  /** A person deletes the tip ref; what it remembered is gone with it. */
  loseTip(): void {
    this.tip = '';
    this.tips.clear();
  }

  /** A person pushes; `red` decides what base is now. */
  push(red: boolean): void {
    this.base.push({ id: `person${++this.nonce}`, red, entry: null });
  }

  rewind(): void {
    if (this.base.length > 1) this.base.pop();
  }

  tick(): void {
    this.now = Math.max(this.now + 1, this.deadline ?? this.now + 1);
    this.feed({ kind: 'tick' });
  }

  /** No more faults: everything answers, time passes, until all is settled. */
  calm(): void {
    this.pushRefused = false;
    this.hosts = ['b'];
    if (this.top().red) this.push(false);
    this.resume(this.needsAccept());
    for (let i = 0; i < 3000; i += 1) {
      if (this.flights.length > 0) this.deliver(0);
      else if (this.running.length > 0) this.signal(0, 'once');
      else if (this.needsAccept()) this.resume(true);
      else if (this.deadline !== null) this.tick();
      else return;
    }
    throw new Error(`does not come to rest: ${JSON.stringify(this.state)}`);
  }
}
