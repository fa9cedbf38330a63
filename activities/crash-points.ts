/**
 * Named points around outside effects where a test can have the process die, as by SIGKILL. Off unless armed, and
 * armed only by the setting SIGNALBOX_CRASH_AT=<name>:<n> (the n-th time the point is reached).
 */
let armed: { name: string; left: number } | null = null;

/** `spec`: `<name>:<n>`, or null for none. */
export function armCrashPoint(spec: string | null): void {
  const match = spec === null ? null : /^([a-z0-9.-]+):(\d{1,9})$/.exec(spec);
  armed = match?.[1] === undefined ? null : { name: match[1], left: Number(match[2]) };
}

export function crashPoint(name: string): void {
  if (armed?.name !== name) return;
  armed.left -= 1;
  if (armed.left <= 0) process.kill(process.pid, 'SIGKILL');
}
