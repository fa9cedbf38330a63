import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { UsageError } from './client.js';

/** A pipeline written as YAML or JSON; the API judges what it says. */
export async function readPipelineFile(file: string): Promise<unknown> {
  try {
    return parse(await readFile(file, 'utf8'));
  } catch (err) {
    throw new UsageError(`${file}: ${(err as Error).message}`);
  }
}
