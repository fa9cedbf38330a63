/** A stand-in for a worker that is killed: starts or joins the run in argv[2] and waits for its end. */
import { readFileSync } from 'node:fs';
import { startOrAttach, waitForEnd } from '../../dist/activities/agents/supervisor.js';

const [, , runDir, specFile] = process.argv;
await startOrAttach(runDir, JSON.parse(readFileSync(specFile, 'utf8')), { PATH: process.env.PATH });
const end = await waitForEnd(runDir, 60_000);
process.stdout.write(JSON.stringify(end));
