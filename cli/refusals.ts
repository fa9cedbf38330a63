/** How a refusal is said: each fault once, with its field, what was found there and what is allowed. */
import type { Fault } from '../domain/errors.js';
import type { ApiError } from './client.js';
import { plain, visible } from './output.js';

const SHOWN = 80;

/** The lines for people; the first begins with `error: `. */
export function refusalLines(err: ApiError): string[] {
  const { faults, message, problem } = err;
  const [only, ...more] = faults;
  if (only === undefined) return [`error: ${plain(message)}${hint(problem)}`];
  if (more.length === 0) return [`error: ${faultText({ ...only, message: whole(only, message) })}`];
  const summed = faults.every((fault) => message.includes(fault.message));
  const head = summed && typeof problem.title === 'string' ? problem.title : message;
  return [`error: ${plain(head)}`, ...faults.map((fault) => `  ${faultText(fault)}`)];
}

/** `repo "nope": there is no such repository` */
function faultText({ field, value, message }: Fault): string {
  const found = value == null ? '' : ` ${cut(visible(JSON.stringify(value)))}`;
  return field === '' ? plain(message) : `${plain(field)}${found}: ${plain(message)}`;
}

/** What the detail says beyond the fault, without the name of the field that it may begin with. */
function whole({ field, message }: Fault, detail: string): string {
  const rest = [`${field}: `, `${field} `].find((start) => field !== '' && detail.startsWith(start));
  const text = rest === undefined ? detail : detail.slice(rest.length);
  return text.includes(message) ? text : `${text}: ${message}`;
}

const cut = (text: string): string => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);

/** A program hears of the header; here the token is an option or a variable. */
const hint = (problem: Record<string, unknown>): string =>
  problem.code === 'unauthenticated' ? ' (--token or SIGNALBOX_TOKEN; it may have expired or been revoked)' : '';
