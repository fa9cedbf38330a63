/** Takes an agent's result file over, without following or waiting for anything the agent put there. Built-ins only. */
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { errno, readPlain } from './plain-file.js';
import { RESULT_LIMIT, runFiles, writeWhole } from './records.js';
import { hashOf } from './warrant.js';

export type ResultCopy =
  | { result: 'copied'; hash: string; error: null }
  | { result: 'absent'; hash: null; error: null }
  | { result: 'refused'; hash: null; error: string };

/** Copies agent/result.json to result.json when it is a regular file of at most 1 MiB. */
export function copyResult(runDir: string): ResultCopy {
  const files = runFiles(runDir);
  const refused = (error: string): ResultCopy => ({ result: 'refused', hash: null, error });
  try {
    if (realpathSync(files.agentDir) !== path.join(realpathSync(runDir), 'agent')) {
      return refused('the directory of the result file was replaced by a link');
    }
  } catch (err) {
    if (errno(err) === 'ENOENT') return { result: 'absent', hash: null, error: null };
    return refused(`the directory of the result file cannot be looked into (${errno(err) ?? String(err)})`);
  }
  const found = readPlain(files.agentResult, RESULT_LIMIT);
  if (found.kind === 'absent') return { result: 'absent', hash: null, error: null };
  if (found.kind === 'refused') return refused(`the result file ${found.reason}`);
  const text = found.value.toString('utf8');
  writeWhole(files.result, text);
  return { result: 'copied', hash: hashOf(text), error: null };
}
