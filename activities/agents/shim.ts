/**
 * The supervisor of one run: `node shim.js <run directory>`, with its warrant as file 3. Detached from the worker that started it, so that agents
 * outlive workers; the only parent of the agent, so that it alone learns how it ended; small, so that it starts fast.
 *
 *   claim shim.json (once for ever) → refresh the clone → ports → setup → commands in order → end every process of the run
 *   → commit what was left → take the result file over → exit.json
 *
 * Of any number of shims started for a run, one wins the claim and the others leave without a trace; a tombstone in
 * place of the claim means the run was declared lost and nothing may start. When the shim itself is killed there is a
 * claim without exit.json: whoever finds the process gone ends the rest of the tree and calls the run lost.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, writeSync } from 'node:fs';
import type { CommandEnd, ExitRecord, SetupEnd } from '../../domain/agents/exit.js';
import { commitLeftovers, refresh, runGit, type RunGit } from './in-run-git.js';
import { LimitedLog, type OutputBudget } from './output.js';
import { openLog } from './plain-file.js';
import { leasePorts, type PortLease } from './ports.js';
import { bootId, processFacts, runMarks, RunTree } from './processes.js';
import { runFiles, writeOnce, writeWhole, type ShimRecord, type SupervisedSpec } from './records.js';
import { copyResult } from './result-copy.js';
import { cacheEntry, restore, save } from './setup-cache.js';
import { raiseOomScore, runStep, StopWatch, type Step, type StepEnd } from './step.js';
import { signed, takeWarrant, type Warrant } from './warrant.js';

const SETUP_LOG_LIMIT = 64 * 1024 * 1024;

class Shim {
  readonly #dir: string;
  readonly #spec: SupervisedSpec;
  readonly #key: string;
  readonly #tree: RunTree;
  readonly #stop: StopWatch;
  readonly #record: ExitRecord;
  #ports: PortLease | null = null;

  constructor(dir: string, { spec, key }: Warrant, proof: string) {
    this.#dir = dir;
    this.#spec = spec;
    this.#key = key;
    this.#tree = new RunTree(dir, [process.pid]);
    this.#stop = new StopWatch(dir);
    this.#record = {
      proof,
      mac: '',
      startedAt: new Date().toISOString(),
      at: '',
      phase: 'refresh',
      trouble: null,
      setup: { end: 'none', code: null, seconds: 0 },
      commands: [],
      code: null,
      signal: null,
      limit: null,
      stoppedBy: null,
      stopReason: null,
      outputBytes: 0,
      outputTruncated: false,
      cutLines: 0,
      result: 'absent',
      resultHash: null,
      resultError: null,
      leftoversCommitted: false,
      leftoversError: null,
      survivors: 0,
    };
  }

  async run(): Promise<void> {
    const r = this.#record;
    try {
      if (await this.#prepare()) await this.#runCommands();
      if (r.phase === 'commands') await this.#takeOver();
    } catch (err) {
      r.trouble = err instanceof Error ? (err.stack ?? err.message) : String(err);
    }
    r.survivors = await this.#tree.kill();
    this.#ports?.free();
    r.stoppedBy = this.#stop.by;
    r.stopReason = this.#stop.reason;
    r.at = new Date().toISOString();
    writeWhole(runFiles(this.#dir).exit, JSON.stringify(signed(r, this.#key), null, 2));
  }

  async #prepare(): Promise<boolean> {
    const { git, cwd, setup } = this.#spec;
    if (git !== null) {
      this.#record.trouble = await refresh(git, cwd, this.#git);
      if (this.#record.trouble !== null) return false;
    }
    this.#record.phase = 'setup';
    if (this.#stop.stopped() || !(await this.#takePorts())) return false;
    if (setup !== null && !(await this.#setUp())) return false;
    this.#record.phase = 'commands';
    return !this.#stop.stopped();
  }

  /** False when it was stopped while it waited. */
  async #takePorts(): Promise<boolean> {
    const { ports } = this.#spec;
    if (ports === undefined) return true;
    const say = (): void => {
      const log = openLog(runFiles(this.#dir).setupLog);
      writeSync(log, `[signalbox: waiting, all ports of ${ports.first}-${ports.last} are taken]\n`);
      closeSync(log);
    };
    this.#ports = await leasePorts(ports, () => this.#stop.stopped(), say);
    return this.#ports !== null;
  }

  async #setUp(): Promise<boolean> {
    const { setup, cwd } = this.#spec;
    if (setup === null) return true;
    const finish = (end: SetupEnd, code: number | null = null, seconds = 0): boolean => {
      this.#record.setup = { end, code, seconds };
      return end === 'ran' || end === 'cached';
    };
    if (setup.done === true) return finish('cached');
    const entry = cacheEntry(setup, cwd);
    if (entry !== null && restore(entry, setup, cwd)) return finish('cached');
    const budget: OutputBudget = { left: SETUP_LOG_LIMIT, limit: SETUP_LOG_LIMIT, truncated: false };
    const log = new LimitedLog(runFiles(this.#dir).setupLog, budget);
    const { command, env, timeoutMs } = setup;
    const end = await this.#step({ command, env, cwd, wallMs: timeoutMs, stallMs: null, out: log, err: log });
    if (end.spawnError !== null) log.write(Buffer.from(`${command[0] ?? ''}: ${end.spawnError}\n`));
    log.close();
    if (end.limit !== null) return finish('timeout', end.code, end.seconds);
    if (this.#stop.stopped() || end.code !== 0) return finish('failed', end.code, end.seconds);
    if (entry !== null) save(entry, setup, cwd);
    return finish('ran', 0, end.seconds);
  }

  async #runCommands(): Promise<void> {
    const { commands, cwd, output } = this.#spec;
    const files = runFiles(this.#dir);
    const budget: OutputBudget = { left: output.bytes, limit: output.bytes, truncated: false };
    const out = new LimitedLog(files.out, budget);
    const err = output.streams === 'merged' ? out : new LimitedLog(files.err, budget);
    for (const { name, command, env, wallMs, stallMs } of commands) {
      const logFrom = out.stored;
      const end = await this.#step({ command, env, cwd, wallMs, stallMs, out, err });
      if (end.spawnError !== null) err.write(Buffer.from(`${command[0] ?? ''}: ${end.spawnError}\n`));
      const { code, signal, spawnError, limit, seconds } = end;
      const done: CommandEnd = { name, code, signal, spawnError, limit, logFrom, seconds };
      this.#record.commands.push(done);
      Object.assign(this.#record, { code, signal, limit });
      if (code !== 0 || this.#stop.stopped()) break;
    }
    const logs = err === out ? [out] : [out, err];
    this.#record.outputBytes = logs.reduce((sum, log) => sum + log.seen, 0);
    this.#record.cutLines = logs.reduce((sum, log) => sum + log.cutLines, 0);
    this.#record.outputTruncated = budget.truncated;
    for (const log of logs) log.close();
  }

  async #takeOver(): Promise<void> {
    const { git, result, cwd } = this.#spec;
    if (git !== null) {
      const { committed, error } = await commitLeftovers(git, cwd, this.#git);
      this.#record.leftoversCommitted = committed;
      this.#record.leftoversError = error;
    }
    if (!result) return;
    const copied = copyResult(this.#dir);
    this.#record.result = copied.result;
    this.#record.resultError = copied.error;
    this.#record.resultHash = copied.hash;
  }

  async #step(step: Step): Promise<StepEnd> {
    const env = { ...step.env, ...this.#ports?.env, ...runMarks(this.#spec.runId, this.#dir) };
    const end = await runStep({ ...step, env }, this.#dir, this.#tree, this.#stop);
    this.#record.survivors = Math.max(this.#record.survivors, end.survivors);
    return end;
  }

  /** Not interrupted by a stop: what was done is committed all the same. */
  readonly #git: RunGit = (args) => {
    const { cwd, commands, runId } = this.#spec;
    const env = {
      ...commands[0]?.env,
      ...runMarks(runId, this.#dir),
      GIT_TERMINAL_PROMPT: '0',
      GIT_OPTIONAL_LOCKS: '0',
    };
    return runGit(args, { clone: cwd, env, runDir: this.#dir, tree: this.#tree });
  };
}

/** Creates the claim; null when somebody else has it, or a tombstone stands in its place. */
function claim(dir: string, spec: SupervisedSpec): string | null {
  const proof = randomBytes(32).toString('hex');
  const record: ShimRecord = {
    tombstone: false,
    pid: process.pid,
    startTime: processFacts(process.pid)?.startTime ?? '',
    bootId: bootId(),
    runId: spec.runId,
    attempt: spec.attempt,
    fence: spec.fence,
    seal: createHash('sha256').update(proof).digest('hex'),
    reason: null,
    at: new Date().toISOString(),
  };
  return writeOnce(runFiles(dir).shim, JSON.stringify(record, null, 2)) ? proof : null;
}

const dir = process.argv[2];
if (dir === undefined) throw new Error('usage: shim RUN_DIRECTORY 3<WARRANT');
const warrant = takeWarrant();
raiseOomScore('self', 500);
const proof = claim(dir, warrant.spec);
if (proof !== null) await new Shim(dir, warrant, proof).run();
// Whatever a hostile process holds open, the run is over.
process.exit(0);
