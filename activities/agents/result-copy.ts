/** Takes an agent's result file over, without following or waiting for anything the agent put there. Built-ins only. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { errno, RESULT_LIMIT, runFiles, writeWhole } from './records.js';
import { hashOf } from './warrant.js';

export type ResultCopy =
  | { result: 'copied'; hash: string; error: null }
  | { result: 'absent'; hash: null; error: null }
  | { result: 'refused'; hash: null; error: string };

/** Copies agent/result.json to result.json when it is a regular file of at most 1 MiB. */
export function copyResult(runDir: string): ResultCopy {
  const files = runFiles(runDir);
  const refused = (error: string): ResultCopy => ({ result: 'refused', hash: null, error });
  let fd: number;
  try {
    if (realpathSync(files.agentDir) !== path.join(realpathSync(runDir), 'agent')) {
      return refused('the directory of the result file was replaced by a link');
    }
    fd = openSync(files.agentResult, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (err) {
    const code = errno(err);
    if (code === 'ENOENT') return { result: 'absent', hash: null, error: null };
    if (code === 'ELOOP') return refused('the result file is a symbolic link');
    return refused(`the result file cannot be opened (${code ?? String(err)})`);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return refused('the result file is not a regular file');
    if (stat.size > RESULT_LIMIT) return refused(`the result file has ${stat.size} bytes; 1 MiB is the most`);
    const buffer = Buffer.alloc(stat.size);
    const length = readSync(fd, buffer, 0, buffer.length, 0);
    const text = buffer.toString('utf8', 0, length);
    writeWhole(files.result, text);
    return { result: 'copied', hash: hashOf(text), error: null };
  } finally {
    closeSync(fd);
  }
}
