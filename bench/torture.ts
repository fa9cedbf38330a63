/**
 * Landings through the whole stack, on two hosts, while workers and git processes are killed at random and a person
 * pushes to base now and then. Then the kills stop, everything must land by itself, and the audit must prove each
 * landing, once. Exits with 1 where it does not.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { AuditReport } from '../domain/merge-queue/audit-types.js';
import { PRIORITIES } from '../domain/tasks.js';
import { at, createClient, type Client } from '../cli/client.js';
import { createSampleRepository } from '../cli/demo/sample-repository.js';
import { startStack } from '../cli/demo/stack.js';
import { benchGit } from './baselines.js';
import { mulberry } from './random.js';
import { Person, Storm } from './storm.js';

interface Options {
  landings: number;
  seed: number;
  pause: number;
  patience: number;
}

/** Tasks that are open at once. */
const OPEN = 12;
/** Short, so that a dead host is noticed and its work taken over within seconds. */
const TIMES = {
  SIGNALBOX_AGENT_STALE: '2s',
  SIGNALBOX_MERGE_LEASE: '3s',
  SIGNALBOX_BACKOFF_BASE: '200ms',
  SIGNALBOX_BACKOFF_MAX: '2s',
};
const AGENT = `#!/bin/sh
set -e
name=$(basename "$SIGNALBOX_TASK")
[ -e "change-$name" ] && exit 0
echo "$SIGNALBOX_TASK" > "change-$name" && git add -A
git -c user.name=Torture -c user.email=torture@localhost commit -qm "Change of $name"
`;

interface Task {
  task: string;
  state: string;
  waitingOn: { kind: string; detail?: string } | null;
  counters: { faults: number };
}

const whole = (text: string): number => {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number');
};

const options = new Command('torture')
  .description('land under kills and prove it; the last line is one JSON object, exit code 1 = a promise was broken')
  .option('--landings <n>', 'how many', whole, 300)
  .option('--seed <n>', 'of everything random; without it one is made up and printed', whole, Date.now() % 1_000_000)
  .option('--pause <ms>', 'longest pause between two kills', whole, 1500)
  .option('--patience <seconds>', 'how long the last ones may take when the kills have stopped', whole, 300)
  .parse()
  .opts<Options>();

const say = (line: string): void => void process.stderr.write(`${line}\n`);
say(`torture: ${options.landings} landings, seed ${options.seed}`);
const began = Date.now();
const dir = await mkdtemp(path.join(tmpdir(), 'signalbox-torture-'));
await chmod(dir, 0o711);
const { remote, first } = await createSampleRepository(dir);
const stack = await startStack(path.join(dir, 'data'), { quiet: true, ownGroup: true, env: TIMES });
const storm = new Storm({ dir, stack, env: TIMES, random: mulberry(options.seed) });
const person = new Person(dir, remote);
const violations: string[] = [];
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
try {
  const api = createClient(stack);
  await prepareRepository(api);
  await storm.startOtherHost();
  const noise = makeNoise();
  const tasks = await landAll(api).finally(() => (storm.over = true));
  await noise;
  violations.push(...(await judge(api, tasks)));
} catch (err) {
  violations.push((err as Error).message);
} finally {
  await storm.stop();
  await stack.stop();
  if (violations.length === 0) await rm(dir, { recursive: true, force: true });
}
for (const violation of violations) say(`torture: ${violation}`);
if (violations.length > 0) say(`torture: seed ${options.seed}; what is left is in ${dir}`);
const { landings, seed } = options;
const minutes = Number(((Date.now() - began) / 60_000).toFixed(1));
const facts = { ok: violations.length === 0, seed, landings, kills: storm.kills, pushes: person.pushes, minutes };
process.stdout.write(`${JSON.stringify({ ...facts, violations })}\n`);
process.exitCode = violations.length === 0 ? 0 : 1;

async function prepareRepository(api: Client): Promise<void> {
  const agent = path.join(dir, 'agent.sh');
  await writeFile(agent, AGENT, { mode: 0o755 });
  await api.send('PUT', at('agent-profiles', 'default'), { adapter: 'command', command: [agent] });
  const stages = [
    { name: 'work', kind: 'agent', agent: 'default' },
    { name: 'merge', kind: 'merge' },
  ];
  const checks = [{ name: 'true', kind: 'command', command: ['true'], timeout: '1m' }];
  await api.send('POST', at('repos'), { id: 'web', remote, base: 'main', checks, pipeline: { stages } });
}

/** Kills and pushes until nine tenths have landed. */
async function makeNoise(): Promise<void> {
  const random = mulberry(options.seed + 1);
  while (storm.landed < options.landings * 0.9 && !storm.over) {
    await sleep(random() * options.pause);
    if (random() < 0.15) await person.push();
    else await storm.strike();
  }
}

/** Hands tasks in as others end; gives them when all are done. */
async function landAll(api: Client): Promise<Task[]> {
  const random = mulberry(options.seed + 2);
  const open = new Set<string>();
  const done: Task[] = [];
  let handedIn = 0;
  let last = Date.now();
  while (done.length < options.landings) {
    if (interrupted.signal.aborted) throw new Error('interrupted');
    while (open.size < OPEN && handedIn < options.landings) {
      const priority = PRIORITIES[Math.floor(random() * PRIORITIES.length)];
      const { task } = await api.send<Task>('POST', at('tasks'), {
        repo: 'web',
        title: `Torture ${handedIn}`,
        priority,
      });
      open.add(task);
      handedIn += 1;
    }
    for (const name of open) {
      const task = await api.get<Task>(at('tasks', ...name.split('/')));
      if (task.state === 'failed' || task.waitingOn?.kind === 'answer')
        throw new Error(`waits: ${JSON.stringify(task)}`);
      if (task.state !== 'done') continue;
      open.delete(name);
      last = Date.now();
      storm.landed = done.push(task);
      if (done.length % 10 === 0) say(`torture: ${done.length} landed, ${JSON.stringify(storm.kills)}`);
    }
    if (Date.now() - last > options.patience * 1000) {
      const queue = await api.get(at('repos', 'web', 'merge-queue'));
      throw new Error(`nothing lands: ${[...open].join(' ')}; ${JSON.stringify(queue)}`);
    }
    await sleep(100);
  }
  return done;
}

/** What is wrong, in words. */
async function judge(api: Client, tasks: readonly Task[]): Promise<string[]> {
  const wrong: string[] = [];
  const audit = await api.get<AuditReport>(at('repos', 'web', 'audit'));
  if (!audit.ok) wrong.push(`the audit found ${JSON.stringify(audit.offences)}`);
  if (audit.landings !== tasks.length || audit.proven !== tasks.length) {
    wrong.push(`${tasks.length} tasks, ${audit.landings} landings, ${audit.proven} of them proven`);
  }
  // One whose connection was killed may have come through, and is made again.
  const foreign = audit.foreign.filter(({ subject }) => /^Push \d+ of a person$/.test(subject));
  if (foreign.length !== audit.foreign.length || foreign.length < person.pushes) {
    wrong.push(`${person.pushes} pushes of a person, ${audit.foreign.length} commits that are not ours`);
  }
  const format = '--format=%(trailers:key=Signalbox-Task,valueonly,separator=%x2C)';
  const landed = (await benchGit(remote, 'log', format, `${first}..main`)).split('\n').filter((line) => line !== '');
  const once = new Set(landed);
  if (once.size !== landed.length) wrong.push('a task is on base twice');
  for (const { task } of tasks) if (!once.has(task)) wrong.push(`${task} is done and not on base`);
  await benchGit(remote, 'fsck', '--full', '--strict', '--no-dangling');
  const queue = await api.get<{ state: string }>(at('repos', 'web', 'merge-queue'));
  if (queue.state !== 'running') wrong.push(`the queue is ${queue.state}`);
  return wrong;
}
