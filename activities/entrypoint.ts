import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The compiled file of one of our own programs (`activities/agents/shim`), to be run by node. Under the test runner
 * this module is TypeScript, and child processes need the JavaScript of the last build.
 */
export function entrypoint(name: string): string {
  const here = fileURLToPath(import.meta.url);
  const top = path.resolve(path.dirname(here), '..');
  const file = here.endsWith('.ts') ? path.join(top, 'dist', `${name}.js`) : path.join(top, `${name}.js`);
  if (!existsSync(file)) throw new Error(`${file} is missing: run npm run build`);
  return file;
}
