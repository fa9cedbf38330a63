/**
 * The one place that runs git. What a call may see is an allow-list: no configuration of the system or a user, no
 * inherited variable, no hooks, no helper programs; what it may do besides is named per call.
 */
import type { Readable, Writable } from 'node:stream';
import { execa, type Options } from 'execa';
import { SignalboxError } from '../../domain/errors.js';

const MINUTE = 60_000;
export const LOCAL_TIMEOUT = 5 * MINUTE;
export const REMOTE_TIMEOUT = 15 * MINUTE;
/** Bytes of output a call may give. */
const MAX_OUTPUT = 512 * 1024 * 1024;

/** On every call, before what the call itself names. */
const FIXED_CONFIG: readonly string[] = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.logAllRefUpdates=false',
  // A ref may never point to what a power cut took away.
  'core.fsync=all',
  // A redirect would take credentials to another host.
  'http.followRedirects=false',
  'core.askPass=',
  'credential.helper=',
  'gc.auto=0',
  'maintenance.auto=false',
  'protocol.ext.allow=never',
  'submodule.recurse=false',
  'fetch.recurseSubmodules=false',
  'push.recurseSubmodules=no',
  'commit.gpgSign=false',
  'transfer.fsckObjects=true',
  'fetch.fsckObjects=true',
  'safe.directory=*',
  // Harmless faults of old tools in the history of real projects.
  'fetch.fsck.zeroPaddedFilemode=ignore',
  'fetch.fsck.badTimezone=ignore',
  'fetch.fsck.missingSpaceBeforeDate=ignore',
  'fetch.fsck.missingSpaceBeforeEmail=ignore',
  'fetch.fsck.missingNameBeforeEmail=ignore',
];

export interface GitCall {
  /** Bare repository to work on; without it `cwd` decides. */
  gitDir?: string;
  cwd?: string;
  /** Further `-c` settings, `name=value`. */
  config?: readonly string[];
  /** Further variables. */
  env?: Readonly<Record<string, string>>;
  input?: string | Uint8Array;
  /** Descriptor of a held lock that the child inherits, so that the lock lives as long as the child. */
  lockFd?: number;
  /** Milliseconds. */
  timeout?: number;
  /** Exit codes that are answers; any other throws. Default: 0 alone. -1 stands for none (a timeout, a signal). */
  answers?: readonly number[];
  /** Bytes as latin1 characters instead of UTF-8: for paths and blobs. */
  binary?: boolean;
  /** Protocols this call may speak; default none. */
  protocols?: string;
}

export interface GitResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Git {
  run(args: readonly string[], call?: GitCall): Promise<GitResult>;
  /** Starts git for a dialogue; the caller reads its output, ends its input and waits for its end. */
  open(args: readonly string[], call?: Pick<GitCall, 'gitDir'>): GitChild;
}

export interface GitChild {
  stdin: Writable;
  stdout: Readable;
  kill(): void;
  /** What it said on standard error, when it has ended. */
  ended: Promise<string>;
}

export interface GitSetup {
  /** An empty directory. */
  home: string;
  /** PATH for git and what it starts (ssh). */
  path?: string | undefined;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** `run` throws `git-infrastructure` (retryable) with git's last words unless the exit code is an answer. */
export function createGit(setup: GitSetup): Git {
  const fixedEnv = {
    PATH: setup.path ?? DEFAULT_PATH,
    HOME: setup.home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
  };
  const surroundings = (call: GitCall): Pick<Options, 'cwd'> & { env: Record<string, string>; extendEnv: false } => ({
    env: {
      ...fixedEnv,
      GIT_ALLOW_PROTOCOL: call.protocols ?? 'none',
      ...(call.gitDir === undefined ? {} : { GIT_DIR: call.gitDir }),
      ...call.env,
    },
    extendEnv: false,
    cwd: call.cwd ?? call.gitDir ?? setup.home,
  });
  const argv = (args: readonly string[], config: readonly string[] = []): string[] => [
    ...[...FIXED_CONFIG, ...config].flatMap((setting) => ['-c', setting]),
    ...args,
  ];
  return {
    open(args, call = {}) {
      const child = execa('git', argv(args), {
        ...surroundings(call),
        stdin: 'pipe',
        stdout: 'pipe',
        stderr: 'pipe',
        buffer: { stdout: false },
        reject: false,
      });
      const ended = child.then(({ stderr }) => stderr);
      return { stdin: child.stdin, stdout: child.stdout, ended, kill: () => void child.kill('SIGKILL') };
    },
    async run(args, call = {}) {
      const lock = call.lockFd === undefined ? [] : [inherited(call.lockFd)];
      const result = await execa('git', argv(args, call.config), {
        ...surroundings(call),
        stdio: [call.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...lock],
        ...(call.input === undefined ? {} : { input: call.input }),
        encoding: call.binary === true ? 'latin1' : 'utf8',
        stripFinalNewline: false,
        maxBuffer: MAX_OUTPUT,
        timeout: call.timeout ?? LOCAL_TIMEOUT,
        reject: false,
        // A git that writes refs is never cut off because its parent leaves.
        cleanup: false,
      });
      const out = { code: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
      if ((call.answers ?? [0]).includes(out.code)) return out;
      const how = result.timedOut
        ? 'took too long'
        : result.exitCode === undefined
          ? `ended without an exit code (${result.signal ?? result.shortMessage})`
          : `exited with ${result.exitCode}`;
      throw new SignalboxError('git-infrastructure', `git ${args[0] ?? ''} ${how}: ${lastWords(out.stderr)}`);
    },
  };
}

/** Any open descriptor can be handed on; the types of execa name the first few only. */
export const inherited = (fd: number): 3 => fd as 3;

/** The end of what git said, on one line. */
export function lastWords(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== '' && !line.startsWith('hint:'));
  return lines.slice(-6).join(' | ').slice(-1000) || 'no message';
}
