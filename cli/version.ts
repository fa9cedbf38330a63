import { readFileSync } from 'node:fs';

/** Of package.json, which lies one folder up from the sources and two from the compiled files. */
export function version(): string {
  const up = import.meta.url.endsWith('.ts') ? '..' : '../..';
  const manifest = JSON.parse(readFileSync(new URL(`${up}/package.json`, import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
