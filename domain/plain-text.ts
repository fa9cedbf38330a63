/** Text of agents, commands and other people, made inert before it is shown or told on. */

// (Built from text: as a literal the pattern would hold the very characters it is about.)
const CONTROL = new RegExp(
  [
    String.raw`\u001b\[[0-?]*[ -/]*[@-~]`,
    String.raw`\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)`,
    String.raw`[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]`,
  ].join('|'),
  'g',
);

/** Without anything that steers a terminal; line ends and tabs stay. */
export const plain = (text: string): string => text.replaceAll('\r\n', '\n').replace(CONTROL, '');

const MOST_LINES = 10;
const MOST_CHARACTERS = 1_500;

/** The end of an output for a person: ten lines at most, inert; empty where it says nothing. */
export function lastLines(output: string): string {
  const lines = plain(output).trimEnd().split('\n').slice(-MOST_LINES);
  const text = lines.join('\n').replace(/^\s*\n/, '');
  const characters = Array.from(text); // never half of a pair of surrogates, which no store takes
  return characters.length > MOST_CHARACTERS ? `…${characters.slice(-MOST_CHARACTERS).join('')}` : text;
}

const BELOW = '; its last lines:\n';

/** What is said, and under it the end of the output that goes with it, set off; the same as before where there is none. */
export function withLastLines(said: string, output: string): string {
  const lines = lastLines(output);
  if (lines === '') return said;
  return `${said}${BELOW}${lines.replace(/^/gm, '    ')}`;
}

/** What was said, alone: for one line of a table. */
export const withoutLastLines = (text: string): string => text.split(BELOW)[0] ?? text;

/** Below it, a value is no secret, and would be found everywhere. */
const LEAST_SECRET = 8;
/** Tokens of our own API, wherever they come from. */
const OWN_TOKEN = /\bsbx_[A-Za-z0-9_-]{20,}/g;

/** The text with the values of an environment that may be secrets replaced by their names. */
export function withoutSecrets(text: string, env: Readonly<Record<string, string>>): string {
  const secrets = Object.entries(env)
    .filter(([, value]) => value.trim().length >= LEAST_SECRET)
    // The longest first: one may be part of another.
    .sort(([, a], [, b]) => b.length - a.length);
  return secrets
    .reduce((rest, [name, value]) => rest.replaceAll(value.trim(), `[${name}]`), text)
    .replace(OWN_TOKEN, '[token]');
}
