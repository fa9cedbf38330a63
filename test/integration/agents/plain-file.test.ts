import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
} from 'node:fs';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isTaken, openLog, plainSize, plainTail, plainText, readPlain } from '../../../activities/agents/plain-file.js';
import { writeOnce, writeWhole } from '../../../activities/agents/records.js';

let dir: string;
const at = (name: string): string => path.join(dir, name);
const socket = createServer();
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'signalbox-plain-'));
  await new Promise<void>((resolve) => socket.listen(at('a socket'), resolve));
  execFileSync('mkfifo', [at('a FIFO')]);
  symlinkSync('/etc/passwd', at('a link'));
  symlinkSync('a link to itself', at('a link to itself'));
  mkdirSync(at('a directory'));
  writeFileSync(at('a large file'), '');
  truncateSync(at('a large file'), 5 * 2 ** 40);
  // Whoever waits for the FIFO is let go after a while, to see it fail.
  spawn('sh', ['-c', 'sleep 10; : 1<>"$1"', 'sh', at('a FIFO')], { stdio: 'ignore' }).unref();
});
afterAll(() => {
  socket.close();
  rmSync(dir, { recursive: true });
});

const OTHERS = ['a FIFO', 'a link', 'a link to itself', 'a directory', 'a socket'];

describe('a file that somebody else may have put there', () => {
  it.each([...OTHERS, 'a large file'])('is not taken, nor waited for, when it is %s', (name) => {
    const begun = Date.now();
    expect(readPlain(at(name), 1000)).toMatchObject({ kind: 'refused' });
    expect(plainText(at(name), 1000)).toBeNull();
    expect(Date.now() - begun).toBeLessThan(2_000);
  });

  it.each(OTHERS)('has no size and no end when it is %s', (name) => {
    expect([plainSize(at(name)), plainTail(at(name), 0, 100)]).toEqual([0, '']);
  });

  it('is absent when nothing is there, or its directory is none', () => {
    expect(readPlain(at('nothing'), 10)).toEqual({ kind: 'absent' });
    expect(readPlain('/etc/passwd/x', 10)).toEqual({ kind: 'absent' });
    expect([isTaken(at('nothing')), isTaken('/etc/passwd/x'), isTaken(at('a link to itself'))]).toEqual([
      ...[false, false, true],
    ]);
  });

  it('is read as it is, its end from an offset on', () => {
    writeFileSync(at('text'), '0123456789');
    expect(plainText(at('text'), 10)).toBe('0123456789');
    expect([plainTail(at('text'), 0, 4), plainTail(at('text'), 8, 4), plainTail(at('text'), 99, 4)]).toEqual([
      ...['6789', '89', ''],
    ]);
    expect(plainTail(at('a large file'), 0, 3)).toBe('\0\0\0');
  });
});

describe('a name of ours', () => {
  it.each(OTHERS)('is written to, and what lay there is kept beside it, when it was %s', (name) => {
    const log = `log over ${name}`;
    execFileSync('cp', ['-a', at(name), at(log)]);
    const fd = openLog(at(log));
    writeFileSync(fd, 'ours');
    closeSync(fd);
    expect(plainText(at(log), 10)).toBe('ours');
    const record = `record over ${name}`;
    execFileSync('cp', ['-a', at(name), at(record)]);
    expect(writeOnce(at(record), 'a claim')).toBe(false);
    writeWhole(at(record), 'a record');
    expect(plainText(at(record), 10)).toBe('a record');
  });

  it('does not lead to another file by way of a link', () => {
    expect(readFileSync('/etc/passwd', 'utf8')).not.toContain('ours');
    expect(existsSync(at('a link to itself'))).toBe(false);
  });
});
