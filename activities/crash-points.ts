/**
 * Named points around outside effects where a test can have the process die, as by SIGKILL. Off unless armed by the
 * setting CRASH_AT=<name>:<n> (the n-th time the point is reached). A point fires once for each data directory: the
 * worker that comes after finds the mark and goes on.
 */
import { existsSync, writeFileSync } from 'node:fs';

let armed: { name: string; left: number; mark: string } | null = null;

/** @param spec `<name>:<n>`, or null for none. @param mark file that says that the point has fired. */
export function armCrashPoint(spec: string | null, mark: string): void {
  const match = spec === null ? null : /^([a-z-]+):(\d{1,3})$/.exec(spec);
  armed = match?.[1] === undefined || existsSync(mark) ? null : { name: match[1], left: Number(match[2]), mark };
}

export function crashPoint(name: string): void {
  if (armed?.name !== name) return;
  armed.left -= 1;
  if (armed.left > 0) return;
  writeFileSync(armed.mark, name);
  process.kill(process.pid, 'SIGKILL');
}
