import { setTimeout } from 'node:timers/promises';
import { TERMINAL, type TaskAnswer } from '../answers.js';
import { ApiError, at, UsageError, type Client } from '../client.js';
import type { Session } from '../context.js';
import { fields, plain } from '../output.js';
import { whatToType } from '../task-text.js';

const POLL_MS = 500;
/** An API that is restarted is back within seconds; one that stays away is an error. */
const PATIENCE = 120;

/** Asks until the task is over; `onChange` hears of each change of state, stage or wait. */
export async function waitForTask(
  client: Client,
  route: string,
  onChange: (task: TaskAnswer) => void,
): Promise<TaskAnswer> {
  let seen = '';
  for (let failures = 0; ;) {
    try {
      const task = await client.get<TaskAnswer>(route);
      failures = 0;
      const picture = [task.state, task.stage, task.waitingOn?.kind, task.waitingOn?.code].join(' ');
      if (picture !== seen) onChange(task);
      seen = picture;
      if (TERMINAL.includes(task.state)) return task;
    } catch (err) {
      const passing = err instanceof UsageError || (err instanceof ApiError && err.status >= 500);
      if (!passing || ++failures > PATIENCE) throw err;
    }
    await setTimeout(POLL_MS);
  }
}

interface TaskEvent {
  at: string;
  subject: string;
  data: { type?: string; state?: string; stage?: string; waitingOn?: string | null; detail?: string | null };
}

function sayWhatToType(write: (text: string) => void, task: string, kind: string | null | undefined): void {
  const type = whatToType(task, kind);
  if (type !== null) write(`  it waits for you; in another terminal: ${plain(type)}\n`);
}

/** Prints events as they come; with a task, ends when it is over. Resumes after a break. */
export async function watchTasks(session: Session, route: string | null, name: string | null): Promise<void> {
  const { client, json, write } = session;
  if (route !== null) {
    const task = await client.get<TaskAnswer>(route);
    if (!json)
      write(
        `${fields([[task.task, `${task.state}  ${task.stage}  ${task.waitingOn?.detail ?? task.endReason ?? ''}`.trimEnd()]])}\n`,
      );
    if (!json) sayWhatToType(write, task.task, task.waitingOn?.kind);
    if (TERMINAL.includes(task.state)) return;
  }
  let last: string | undefined;
  for (let failures = 0; failures < PATIENCE; failures++) {
    try {
      for await (const event of client.events(at('events'), {}, last)) {
        last = event.id;
        failures = 0;
        const found = JSON.parse(event.data) as TaskEvent;
        if (event.event !== 'task' || (name !== null && found.subject !== name)) continue;
        const { state = '', stage = '', waitingOn, detail } = found.data;
        const text = `${found.at}  ${found.subject}  ${state}  ${stage}  ${waitingOn ?? ''}  ${detail ?? ''}`;
        write(json ? `${event.data}\n` : `${plain(text).replaceAll('\n', ' ').trimEnd()}\n`);
        if (!json) sayWhatToType(write, found.subject, waitingOn);
        if (name !== null && TERMINAL.includes(state)) return;
      }
    } catch (err) {
      const broken =
        err instanceof UsageError || err instanceof TypeError || (err instanceof ApiError && err.status >= 500);
      if (!broken) throw err;
    }
    await setTimeout(POLL_MS);
  }
  throw new UsageError('the API stays away');
}
