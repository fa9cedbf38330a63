/**
 * The files of a run directory, and the two ways they are written: whole (temporary file, fsync, rename) or once (the
 * same, but linked into place, so that exactly one writer wins). Node built-ins only: the shim loads this.
 *
 *   shim.json   who runs it, or a tombstone          created once: the claim
 *   stop        a request to stop, with its reason   written by the worker
 *   exit.json   how it ended                         written by the shim, last of all
 *   out.jsonl, err.log, setup.log, shim.log          output, by reference
 *   result.json the agent's result file, as read     copied by the shim
 *   agent/      prompt and result: the only part that an agent is told of
 *
 * An agent that runs as our user can write all of them: they say what to look at, and what is believed in the end is
 * what Postgres and a signed exit record say (warrant.ts). What to run is in no file with a name.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { LOG_FILES } from '../../domain/agents/logs.js';
import type { SupervisedPorts } from './ports.js';
import { errno, isDirectory, plainText, setAside } from './plain-file.js';

export interface SupervisedCommand {
  name: string;
  /** argv. */
  command: string[];
  /** Its whole environment. */
  env: Record<string, string>;
  wallMs: number;
  /** Longest silence; null = none. */
  stallMs: number | null;
}

export interface SupervisedGit {
  /** What the clone lacks of base; null when it has all of it. */
  bundle: { file: string; ref: string } | null;
  base: string;
  baseOid: string;
  branch: string;
  /** Commit that the branch is set to before anything runs. */
  start: string;
  /** How to commit what is left uncommitted; null = it is not (the next refresh drops it). */
  leftovers: { message: string; name: string; email: string } | null;
}

export interface SupervisedSetup {
  command: string[];
  env: Record<string, string>;
  timeoutMs: number;
  /** Paths below the working directory. */
  cache: string[];
  cacheKey: string[];
  cacheDir: string;
  /** The cache was restored already: there is nothing to run. */
  done?: boolean;
}

/** What a shim runs: preparation, then commands in order until one fails. Also used for checks. */
export interface SupervisedSpec {
  runId: string;
  attempt: number;
  fence: number;
  cwd: string;
  git: SupervisedGit | null;
  setup: SupervisedSetup | null;
  commands: SupervisedCommand[];
  /** A range of ports for setup and commands; absent = none. */
  ports?: SupervisedPorts;
  /** `merged` keeps stdout and stderr in one log, in the order written. */
  output: { bytes: number; streams: 'split' | 'merged' };
  /** Whether an agent's result file is expected in agent/result.json. */
  result: boolean;
}

/** The claim of a run. A tombstone has no process: the run was declared lost before anything started. */
export interface ShimRecord {
  tombstone: boolean;
  pid: number;
  /** Field 22 of /proc/<pid>/stat, in clock ticks since boot. */
  startTime: string;
  bootId: string;
  runId: string;
  attempt: number;
  fence: number;
  /** SHA-256 of the proof that exit.json will carry. */
  seal: string;
  reason: string | null;
  at: string;
}

export interface StopRequest {
  reason: string;
  at: string;
}

export const runFiles = (runDir: string) => ({
  shim: path.join(runDir, 'shim.json'),
  exit: path.join(runDir, 'exit.json'),
  stop: path.join(runDir, 'stop'),
  out: path.join(runDir, LOG_FILES.stdout),
  err: path.join(runDir, LOG_FILES.stderr),
  setupLog: path.join(runDir, LOG_FILES.setup),
  shimLog: path.join(runDir, 'shim.log'),
  result: path.join(runDir, 'result.json'),
  bundle: path.join(runDir, 'base.bundle'),
  agentDir: path.join(runDir, 'agent'),
  prompt: path.join(runDir, 'agent', 'prompt.md'),
  agentResult: path.join(runDir, 'agent', 'result.json'),
});

/** Longest reason that is taken from a request to stop: it travels through histories. */
const REASON_LIMIT = 2_000;

/** Largest result file that is read. */
export const RESULT_LIMIT = 1024 * 1024;

function writeTemporary(file: string, text: string): string {
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return temporary;
}

function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Replaces `file`, whatever lies there: a reader sees the old text or all of the new one. */
export function writeWhole(file: string, text: string): void {
  const temporary = writeTemporary(file, text);
  if (isDirectory(file)) setAside(file);
  renameSync(temporary, file);
  syncDirectory(path.dirname(file));
}

/** Creates `file` with all of its text, unless it is there: true for the one writer that won. */
export function writeOnce(file: string, text: string): boolean {
  const temporary = writeTemporary(file, text);
  try {
    linkSync(temporary, file);
  } catch (err) {
    if (errno(err) === 'EEXIST') return false;
    throw err;
  } finally {
    unlinkSync(temporary);
  }
  syncDirectory(path.dirname(file));
  return true;
}

/** Largest record that is read. */
const RECORD_LIMIT = 1024 * 1024;

/** Parsed content of a record; null when there is no file, or not JSON in it (then nobody of ours wrote it). */
export function readRecord(file: string): unknown {
  const text = plainText(file, RECORD_LIMIT);
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch (err) {
    if (err instanceof SyntaxError) return null;
    throw err;
  }
}

/** Why a run is to stop; null when nobody asked for it. */
export function readStop(runDir: string): string | null {
  const record = readRecord(runFiles(runDir).stop);
  const isRequest = typeof record === 'object' && record !== null && 'reason' in record;
  return isRequest && typeof record.reason === 'string' ? record.reason.slice(0, REASON_LIMIT) : null;
}
