/**
 * A bare repository of N files (about 2 KiB each) with B branches that change thirty files each, none of them touching
 * the same file: made by one fast-import, so that 20,000 files take seconds.
 */
import { execa } from 'execa';

const FILES_PER_DIR = 100;
const CHANGED = 30;

export interface Head {
  branch: string;
  oid: string;
}

export interface Synthetic {
  remote: string;
  /** Heads in order: `refs/heads/work-<n>`. */
  heads: Head[];
}

/** `sharing`: every so-many-th branch changes one more file, the same for all of them; 0 = none does. */
export async function createSynthetic(
  remote: string,
  files: number,
  branches: number,
  sharing = 0,
): Promise<Synthetic> {
  await execa('git', ['init', '-q', '--bare', '-b', 'main', remote]);
  const child = execa('git', ['-C', remote, 'fast-import', '--quiet'], {
    input: [...stream(files, branches, sharing)].join(''),
  });
  await child;
  await execa('git', ['-C', remote, 'repack', '-adq']);
  const heads = [];
  for (let n = 0; n < branches; n++) {
    const branch = `work-${n}`;
    const { stdout } = await execa('git', ['-C', remote, 'rev-parse', `refs/heads/${branch}`]);
    heads.push({ branch, oid: stdout });
  }
  return { remote, heads };
}

function* stream(files: number, branches: number, sharing: number): Generator<string> {
  yield 'commit refs/heads/main\nmark :1\ncommitter Bench <bench@localhost> 1700000000 +0000\ndata 5\nstart\n';
  for (let i = 0; i < files; i++) yield file(i, 'start');
  for (let b = 0; b < branches; b++) {
    const message = `work ${b}`;
    yield `\ncommit refs/heads/work-${b}\ncommitter Bench <bench@localhost> ${1700000100 + b} +0000\n`;
    yield `data ${message.length}\n${message}\nfrom :1\n`;
    for (let i = 0; i < CHANGED; i++) yield file((b * CHANGED + i) % files, message);
    if (sharing > 0 && b % sharing === 0) yield file(files - 1, message);
  }
}

function file(index: number, version: string): string {
  const text = `${version} ${index}\n`.repeat(Math.ceil(2048 / (version.length + 8)));
  return `M 100644 inline d${Math.floor(index / FILES_PER_DIR)}/f${index}.txt\ndata ${text.length}\n${text}\n`;
}
