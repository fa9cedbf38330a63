/**
 * What is known of an export, in a file beside it: which tree it holds, and the stamp of everything in it as it was
 * proven. A check that runs as our user can write that file, so it is signed with the key of the run that the export was
 * made for (activities/agents/warrant.ts says what that is worth). An older file of the same export is no danger: a
 * stamp says for ever what content it belongs to, until the machine is started again.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { bootId } from '../agents/processes.js';
import { readPlain } from '../agents/plain-file.js';
import { decodeNodes, encodeNodes, type Dir } from './nodes.js';

/** Room for some millions of files. */
const MOST = 1024 * 1024 * 1024;

export interface Facts {
  tree: string;
  /** The key of the setup's cache whose content is in the nodes; null = none is. */
  cache: string | null;
  /** Mode of a directory that we make: the process may have got another umask since. */
  dirMode: number;
  nodes: Dir;
}

interface Header extends Omit<Facts, 'nodes'> {
  /** After a power cut, content may be older than its stamp. */
  boot: string;
}

const macOf = (body: Buffer, key: string): Buffer =>
  createHmac('sha256', Buffer.from(key, 'hex')).update('export\0').update(body).digest();

export async function writeFacts(file: string, { nodes, ...rest }: Facts, key: string): Promise<void> {
  const header: Header = { boot: bootId(), ...rest };
  const body = Buffer.from(`${JSON.stringify(header)}\n${encodeNodes(nodes)}`, 'latin1');
  await rm(file, { recursive: true, force: true });
  writeFileSync(file, Buffer.concat([Buffer.from(`${macOf(body, key).toString('hex')}\n`), body]), {
    flag: 'wx',
    mode: 0o600,
  });
}

/** Null unless the file was written under one of the keys, since this machine was started. */
export function readFacts(file: string, keys: readonly string[]): Facts | null {
  const found = readPlain(file, MOST);
  if (found.kind !== 'file') return null;
  const cut = found.value.indexOf(10);
  const mac = Buffer.from(found.value.toString('latin1', 0, Math.max(0, cut)), 'hex');
  const body = found.value.subarray(cut + 1);
  if (!keys.some((key) => mac.length === 32 && timingSafeEqual(mac, macOf(body, key)))) return null;
  const end = body.indexOf(10);
  const { boot, ...rest } = JSON.parse(body.toString('latin1', 0, end)) as Header;
  return boot === bootId() ? { ...rest, nodes: decodeNodes(body.toString('latin1', end + 1)) } : null;
}
