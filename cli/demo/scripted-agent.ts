/**
 * An agent that does what a script says: real edits and real commits, for the demo and for tests. It is a program like
 * any other agent command and knows only what every agent is given (environment, prompt file, result file).
 *
 * The script is JSON: the file named by AGENT_SCRIPT, or the block ```agent-script in the task's description. Its keys
 * are stages (`development`, for the n-th run of the stage `development@2`, `*` for any), and `onConflict` and `onRed`
 * for prompts with those headings; its values are lists of steps. A stage without a list is passed by doing nothing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type ScriptStep =
  | { write: string; text: string }
  | { append: string; text: string }
  | { replace: string; from: string; to: string }
  | { remove: string }
  /** Commits everything; the message may hold trailers of anybody. */
  | { commit: string }
  /** Merges origin/<base>, and takes both sides of every conflict. */
  | { mergeBase: true }
  | { run: string[] }
  | { print: string }
  | { printBytes: number; lines: boolean }
  /** Until the file exists. */
  | { waitFor: string }
  | { sleepMs: number }
  | { ignoreSigterm: true }
  /** Leaves a process behind, in a session of its own. */
  | { daemon: true }
  | { result: unknown }
  | { resultText: string }
  | { resultIs: 'fifo' | 'link' }
  | { exit: number };

export type Script = Record<string, ScriptStep[]>;

const variable = (name: string): string => process.env[name] ?? '';
const stage = variable('SIGNALBOX_STAGE');
const resultFile = variable('SIGNALBOX_RESULT_FILE');
const promptFile = variable('SIGNALBOX_PROMPT_FILE');
const prompt = existsSync(promptFile) ? readFileSync(promptFile, 'utf8') : '';

/** `{stage}`, `{attempt}`, `{run}`, `{task}`, `{workItem}` in any text of the script. */
function fill(text: string): string {
  const values: Record<string, string> = {
    stage,
    attempt: variable('SIGNALBOX_ATTEMPT'),
    run: variable('SIGNALBOX_RUN'),
    task: variable('SIGNALBOX_TASK'),
    workItem: variable('SIGNALBOX_TASK').split('/')[1] ?? '',
  };
  return text.replace(/\{(stage|attempt|run|task|workItem)\}/g, (_all, name: string) => values[name] ?? '');
}

function readScript(): Script {
  const file = variable('AGENT_SCRIPT');
  const text = file === '' ? /^```agent-script\n(.*?)^```/ms.exec(prompt)?.[1] : readFileSync(file, 'utf8');
  return text === undefined ? {} : (JSON.parse(text) as Script);
}

function chooseSteps(script: Script): ScriptStep[] {
  const has = (heading: string): boolean => new RegExp(`^## ${heading}$`, 'm').test(prompt);
  if (has('Conflict') && script.onConflict !== undefined) return script.onConflict;
  if (has('Red check') && script.onRed !== undefined) return script.onRed;
  return script[`${stage}@${variable('SIGNALBOX_ATTEMPT')}`] ?? script[stage] ?? script['*'] ?? [];
}

const git = (...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=Scripted Agent', '-c', 'user.email=agent@example.invalid', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });

function mergeBase(): void {
  try {
    git('merge', '--no-edit', `origin/${variable('SIGNALBOX_BASE')}`);
    return;
  } catch (err) {
    const paths = git('diff', '--name-only', '--diff-filter=U', '-z').split('\0').filter(Boolean);
    if (paths.length === 0) throw err;
    for (const file of paths) {
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^(<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|).*\n/gm, ''));
    }
  }
  git('add', '-A');
  git('commit', '-q', '--no-edit');
}

function edit(file: string, change: (text: string) => string): void {
  const name = fill(file);
  mkdirSync(path.dirname(name), { recursive: true });
  writeFileSync(name, change(existsSync(name) ? readFileSync(name, 'utf8') : ''));
}

async function print(bytes: number, lines: boolean): Promise<void> {
  const chunk = Buffer.alloc(65_536, 'x');
  if (lines) for (let at = 79; at < chunk.length; at += 80) chunk[at] = 0x0a;
  for (let left = bytes; left > 0; left -= chunk.length) {
    const part = chunk.subarray(0, left);
    if (!process.stdout.write(part)) await new Promise((resolve) => process.stdout.once('drain', resolve));
  }
}

async function perform(step: ScriptStep): Promise<void> {
  if ('write' in step) edit(step.write, () => fill(step.text));
  else if ('append' in step) appendFileSync(fill(step.append), fill(step.text));
  else if ('replace' in step) edit(step.replace, (text) => text.replaceAll(step.from, fill(step.to)));
  else if ('remove' in step) rmSync(fill(step.remove), { recursive: true });
  else if ('commit' in step) {
    git('add', '-A');
    git('commit', '-q', '-m', fill(step.commit));
  } else if ('mergeBase' in step) mergeBase();
  else if ('run' in step) execFileSync(step.run[0] ?? '', step.run.slice(1).map(fill), { stdio: 'inherit' });
  else if ('print' in step) process.stdout.write(`${fill(step.print)}\n`);
  else if ('printBytes' in step) await print(step.printBytes, step.lines);
  else if ('waitFor' in step) while (!existsSync(fill(step.waitFor))) await sleep(20);
  else if ('sleepMs' in step) await sleep(step.sleepMs);
  else if ('ignoreSigterm' in step) process.on('SIGTERM', () => undefined);
  else if ('daemon' in step) spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();
  else if ('result' in step) writeFileSync(resultFile, JSON.stringify(step.result));
  else if ('resultText' in step) writeFileSync(resultFile, step.resultText);
  else if ('resultIs' in step) {
    if (step.resultIs === 'link') symlinkSync('/etc/passwd', resultFile);
    else execFileSync('mkfifo', [resultFile]);
  } else process.exit(step.exit);
}

for (const step of chooseSteps(readScript())) await perform(step);
