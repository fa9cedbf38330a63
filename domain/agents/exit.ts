/** What the supervisor of a run wrote down when the run was over. Facts only; outcome.ts says what they mean. */

/** How one command of a run ended. */
export interface CommandEnd {
  name: string;
  /** Exit code; null when a signal ended it or it never started. */
  code: number | null;
  signal: string | null;
  /** Errno name (`ENOENT`) when it could not be started. */
  spawnError: string | null;
  /** The limit that ended it, if one did. */
  limit: 'wall' | 'stall' | null;
  /** Byte offset in the output log at which its output begins. */
  logFrom: number;
  seconds: number;
}

/**
 * `none`: the repository has no setup, or this clone had it. `cached`: restored from the cache. `failed`: its content's
 * doing. `timeout`: infrastructure.
 */
export type SetupEnd = 'none' | 'cached' | 'ran' | 'failed' | 'timeout';

export interface ExitRecord {
  /** Only the process that claimed the run knows it: shim.json holds its hash. */
  proof: string;
  /** HMAC of the rest under the key that the worker gave the supervisor at its start. */
  mac: string;
  /** RFC 3339. */
  startedAt: string;
  at: string;
  /** How far it came: a clone that could not be refreshed and a failing setup end a run before its commands. */
  phase: 'refresh' | 'setup' | 'commands';
  /** What went wrong in the supervisor or the clone itself; null when nothing did. */
  trouble: string | null;
  setup: { end: SetupEnd; code: number | null; seconds: number };
  /** Those that were started, in order; the first that fails is the last. */
  commands: CommandEnd[];
  /** Code and signal of the last command. */
  code: number | null;
  signal: string | null;
  limit: 'wall' | 'stall' | null;
  /** `request`: somebody asked for it; `host`: the supervisor itself was told to end. */
  stoppedBy: 'request' | 'host' | null;
  stopReason: string | null;
  outputBytes: number;
  outputTruncated: boolean;
  /** Lines over the line limit, cut. */
  cutLines: number;
  result: 'absent' | 'copied' | 'refused';
  /** SHA-256 of the copy; null where there is none. */
  resultHash: string | null;
  resultError: string | null;
  leftoversCommitted: boolean;
  /** Why what was left uncommitted could not be committed. */
  leftoversError: string | null;
  /** Processes of the run that could not be ended. */
  survivors: number;
}
