import { parse } from 'yaml';
import { UsageError } from './client.js';
import { readTextFile } from './text-file.js';

/** A pipeline written as YAML or JSON; the API judges what it says. An empty file says nothing, and is no choice of none. */
export async function readPipelineFile(file: string): Promise<unknown> {
  const text = await readTextFile('--pipeline', file);
  let pipeline: unknown;
  try {
    pipeline = parse(text);
  } catch (err) {
    throw new UsageError(`--pipeline ${file}: ${(err as Error).message}`);
  }
  if (pipeline === null || pipeline === undefined) {
    throw new UsageError(`--pipeline ${file}: the file is empty; allowed: stages, like {"stages":[…]}`);
  }
  return pipeline;
}
